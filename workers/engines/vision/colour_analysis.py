"""What is measured on a picture without a network: its main colours by name, light, symmetry, horizon.

Thresholds and scales are set by hand.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from workers.engines.vision.analysis_schema import Composition, PaletteColour
from workers.engines.vision.oklab import from_oklab, to_oklab
from workers.images import shrink, to_tensor

SIDE = 96
"""Long side at which pictures are measured, px."""
COLOURS = 6
ROUNDS = 12
"""Of k-means."""
LEAST = 0.02
"""Least share of a main colour: smaller ones are edges and noise."""
SAME = 0.055
"""Colours nearer than this in Oklab are one."""
BRIGHT, DARK, DIM = 0.72, 0.38, 0.52
"""Mean lightness above which a picture is bright, and below which it is dark or else dim."""
NAMES = {
    "black": "#0b0b0d", "charcoal": "#36383c", "grey": "#808285", "silver": "#b9bcbf",
    "white": "#f8f8f6", "ivory": "#f1e9d2", "cream": "#e8d9ae", "sand": "#cdb98b", "beige": "#c4ae94",
    "tan": "#b08d5b", "ochre": "#c28a2c", "gold": "#d9b038", "yellow": "#f0d820", "lemon": "#f3ec80",
    "orange": "#e8862a", "apricot": "#eeb487", "rust": "#a5471f", "brown": "#6e4727", "umber": "#453021",
    "sienna": "#8b5134", "red": "#c8201f", "vermilion": "#e0482c", "crimson": "#951a30",
    "maroon": "#581a20", "coral": "#e58673", "pink": "#eca9b8", "rose": "#c4677c", "magenta": "#b02a84",
    "plum": "#6a3560", "violet": "#6c43a0", "lavender": "#b7a6d2", "mauve": "#947390",
    "indigo": "#322d66", "navy": "#1b2545", "ultramarine": "#2437a0", "blue": "#2e62b8",
    "sky blue": "#86b5e0", "pale blue": "#c3d7e6", "slate blue": "#5b6d86", "teal": "#1f6f76",
    "turquoise": "#46b4ae", "sea green": "#5a9a7d", "emerald": "#178a53", "green": "#3d8b32",
    "lime": "#9cc53a", "olive": "#71722c", "moss": "#5b6640", "sage": "#a3ad8c",
    "forest green": "#24452b", "slate": "#515a5c",
}  # fmt: skip
"""Colours by name (pages translate the names)."""

Floats = npt.NDArray[np.float64]


def _lab(colours: npt.NDArray[np.uint8]) -> Floats:
    """uint8 (N, 3) -> Oklab (N, 3)."""
    x = torch.from_numpy(colours.astype(np.float32) / 127.5 - 1).T.reshape(1, 3, -1, 1)
    return np.asarray(to_oklab(x)[0, :, :, 0].T.numpy(), np.float64)


_NAMED = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in NAMES.values()], np.uint8)
_NAMED_LAB = _lab(_NAMED)


def name_of(lab: Floats) -> str:
    """The name of an Oklab colour (3,)."""
    # Less weight on lightness: a dark blue is called blue, not charcoal.
    weight = np.array([0.8, 1.2, 1.2])
    return list(NAMES)[int((((_NAMED_LAB - lab) * weight) ** 2).sum(1).argmin())]


def main_colours(image: Image.Image) -> tuple[PaletteColour, ...]:
    """The picture's main colours, one to six, largest first, no name twice.

    k-means in Oklab, always the same.
    """
    pixels = np.asarray(shrink(image.convert("RGB"), SIDE)).reshape(-1, 3)
    lab = _lab(pixels)
    centres = _seeds(lab)
    for _ in range(ROUNDS):
        nearest = ((lab[:, None] - centres) ** 2).sum(2).argmin(1)
        centres = np.stack(
            [
                lab[nearest == n].mean(0) if (nearest == n).any() else centre
                for n, centre in enumerate(centres)
            ]
        )
    nearest = ((lab[:, None] - centres) ** 2).sum(2).argmin(1)
    shares = np.bincount(nearest, minlength=len(centres)) / len(lab)
    named: dict[str, list[tuple[str, float]]] = {}
    for number in np.argsort(-shares, kind="stable"):
        if shares[number] < LEAST:
            continue
        centre = torch.from_numpy(centres[number]).float().reshape(1, 3, 1, 1)
        red, green, blue = ((from_oklab(centre)[0, :, 0, 0].clamp(-1, 1) + 1) * 127.5).round().int().tolist()
        named.setdefault(name_of(centres[number]), []).append(
            (f"#{red:02x}{green:02x}{blue:02x}", float(shares[number]))
        )
    # Colours of one name are listed once, with the larger one's value.
    found = [
        PaletteColour(patches[0][0], name, round(sum(share for _, share in patches), 4))
        for name, patches in named.items()
    ]
    return tuple(sorted(found, key=lambda swatch: -swatch.share))


def _seeds(lab: Floats) -> Floats:
    """Farthest points, the first nearest to the mean: deterministic, and small bright accents are found."""
    first = int(((lab - lab.mean(0)) ** 2).sum(1).argmin())
    chosen = [lab[first]]
    distance = ((lab - chosen[0]) ** 2).sum(1)
    while len(chosen) < COLOURS and distance.max() > SAME**2:
        chosen.append(lab[int(distance.argmax())])
        distance = np.minimum(distance, ((lab - chosen[-1]) ** 2).sum(1))
    return np.stack(chosen)


def measure_composition(image: Image.Image) -> Composition:
    """Light, contrast, saturation, left-right symmetry and the horizon of a picture."""
    small = shrink(image.convert("RGB"), SIDE)
    lab = to_oklab(to_tensor(small))[0].double().numpy()  # (3, H, W)
    light = lab[0]
    chroma = np.hypot(lab[1], lab[2])
    spread = float(light.std())
    return Composition(
        brightness=round(float(np.clip(light.mean(), 0, 1)), 4),
        contrast=round(float(np.clip(spread / 0.35, 0, 1)), 4),
        saturation=round(float(np.clip(chroma.mean() / 0.2, 0, 1)), 4),
        symmetry=round(_symmetry(lab), 4),
        horizon=_horizon(lab),
    )


def light_level(composition: Composition) -> str | None:
    """``bright``, ``dim`` or ``dark``; None for a picture that is neither."""
    if composition.brightness > BRIGHT:
        return "bright"
    return "dark" if composition.brightness < DARK else "dim" if composition.brightness < DIM else None


def _symmetry(lab: Floats) -> float:
    """1 when the halves mirror each other, 0 when they agree no more than shuffled pixels would."""
    mirrored = lab[:, :, ::-1]
    spread = 2 * ((lab - lab.mean((1, 2), keepdims=True)) ** 2).mean()
    if spread < 1e-7:
        return 1.0
    return float(np.clip(1 - ((lab - mirrored) ** 2).mean() / spread, 0, 1))


def _horizon(lab: Floats) -> float | None:
    """Share of the height at which the rows above and below differ most, if most columns agree, else None."""
    height, width = lab.shape[1:]
    if height < 16 or width < 16:
        return None
    # Sums down the columns: the mean of a band is a difference of two of them.
    sums = np.concatenate([np.zeros((3, 1, width)), lab.cumsum(1)], 1)
    band = max(3, height // 10)
    rows = np.arange(band, height - band)
    above = (sums[:, rows] - sums[:, rows - band]) / band
    below = (sums[:, rows + band] - sums[:, rows]) / band
    step = below - above  # (3, R, W)
    mean = step.mean(2, keepdims=True)
    strength = np.sqrt((mean**2).sum(0))[:, 0]
    best = int(strength.argmax())
    agrees = ((step[:, best] * mean[:, best]).sum(0) > 0.25 * (mean[:, best] ** 2).sum()).mean()
    spread = float(np.sqrt((lab.std((1, 2)) ** 2).sum()))
    if strength[best] < max(0.06, 0.6 * spread) or agrees < 0.75:
        return None
    return round(float(rows[best] / height), 3)
