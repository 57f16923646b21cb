"""Latents of the generator's pictures: what a work keeps so that it can be blended.

A latent is a style per level and the noise maps of the picture. Noise is kept as the random streams that it
was drawn from, with a share of each stream at each block, so that a child of a child is still a few numbers.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from workers.engines.base import MAX_SEED

FORMAT = 1
DRIFT = 0.5
"""Share of the subject that the strongest mutation exchanges; set by hand."""
MOST_SOURCES = 12
"""Streams of noise in one latent, for the size of what is kept: the smallest shares beyond it are dropped."""


class LatentUnreadable(ValueError):
    """What a work keeps as its latent is not one of this generator."""


@dataclass(frozen=True, slots=True)
class NoiseSource:
    """The stream ``(seed, index)`` and its share of the noise at each block; squares sum to one."""

    seed: int
    index: int
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Latent:
    """Styles, float32 (levels, style) on the CPU, and the sources of the noise."""

    styles: torch.Tensor
    noise: tuple[NoiseSource, ...]

    @staticmethod
    def of(styles: torch.Tensor, seed: int, index: int) -> Latent:
        """Styles (levels, style) with the noise of one stream."""
        kept = styles.detach().to("cpu", torch.float32).contiguous()
        return Latent(kept, (NoiseSource(seed, index, (1.0,) * (kept.shape[0] - 2)),))

    def to_details(self, painter: str) -> dict[str, Any]:
        """JSON-safe form: what a work keeps in ``details["latent"]``.

        ``painter``: digest of the generator's weights, for which alone these styles mean anything.
        """
        first = self.noise[0]
        details: dict[str, Any] = {
            "format": FORMAT,
            "painter": painter,
            "styles": base64.b64encode(self.styles.numpy().astype("<f4").tobytes()).decode("ascii"),
            "shape": list(self.styles.shape),
            "noise_seed": first.seed,
            "noise_index": first.index,
        }
        if len(self.noise) > 1:
            details["noise"] = [
                {"seed": source.seed, "index": source.index, "shares": list(source.shares)}
                for source in self.noise
            ]
        return details

    @staticmethod
    def from_details(details: Any, levels: int, style: int) -> Latent:
        """The inverse of :meth:`to_details` for a generator of these sizes. Raises LatentUnreadable."""
        try:
            if details["format"] != FORMAT or list(details["shape"]) != [levels, style]:
                raise LatentUnreadable(f"format {details['format']!r}, shape {details['shape']!r}")
            raw = base64.b64decode(details["styles"], validate=True)
            styles = torch.from_numpy(np.frombuffer(raw, "<f4").astype(np.float32)).view(levels, style)
            if not torch.isfinite(styles).all():
                raise LatentUnreadable("styles are not finite")
            plain = [
                {
                    "seed": details["noise_seed"],
                    "index": details["noise_index"],
                    "shares": [1.0] * (levels - 2),
                }
            ]
            sources = tuple(_source(entry, levels - 2) for entry in details.get("noise") or plain)
        except LatentUnreadable:
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, binascii.Error) as error:
            raise LatentUnreadable(f"{type(error).__name__}: {error}") from error
        if len(sources) > MOST_SOURCES:
            raise LatentUnreadable(f"{len(sources)} streams of noise")
        return Latent(styles, sources)


def _source(entry: Mapping[str, Any], blocks: int) -> NoiseSource:
    seed, index, shares = int(entry["seed"]), int(entry["index"]), tuple(map(float, entry["shares"]))
    if not (0 <= seed <= MAX_SEED and 0 <= index < 2**31 and len(shares) == blocks):
        raise LatentUnreadable(f"noise {seed}, {index}, {len(shares)} shares")
    if not all(math.isfinite(share) and abs(share) <= 1.001 for share in shares):
        raise LatentUnreadable("shares of noise are not within [-1, 1]")
    return NoiseSource(seed, index, shares)


def depth_groups(levels: int) -> dict[str, range]:
    """Which levels are layout, shapes, and colour with brushwork: thirds, coarse to fine."""
    first, second = round(levels / 3), round(2 * levels / 3)
    return {"layout": range(first), "shapes": range(first, second), "colour": range(second, levels)}


def mix(parents: Sequence[Latent], shares: torch.Tensor, latent: int) -> Latent:
    """A child of ``parents`` with ``shares`` (levels, parents), rows of sum one.

    The random part of a style (its first ``latent`` numbers) is mixed on the sphere: the direction of the
    weighted mean with the weighted mean length: the generator was trained on latents of about that length.
    The rest, which says what is painted, is mixed linearly. A share of one gives that parent exactly.
    """
    stacked = torch.stack([parent.styles for parent in parents]).double()  # (P, L, S)
    share = shares.double().T[..., None]  # (P, L, 1)
    mean = (share * stacked).sum(0)  # (L, S)
    z = mean[:, :latent]
    length = (share * torch.linalg.vector_norm(stacked[..., :latent], dim=2, keepdim=True)).sum(0)
    now = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    # Opposite parents have no direction between them: what is left of their mean is then taken as it is.
    z = torch.where(now > 1e-3 * length, z * (length / now.clamp_min(1e-12)), z)
    styles = torch.cat([z, mean[:, latent:]], 1).float()
    # Noise of independent streams keeps unit variance when the squares of its shares sum to one.
    blocks = shares[1:-1].double()  # a block's noise follows its style: levels 1 .. last but one
    root = blocks / torch.linalg.vector_norm(blocks, dim=1, keepdim=True)
    noise = [
        (source, [float(root[b, p]) * source.shares[b] for b in range(len(root))])
        for p, parent in enumerate(parents)
        for source in parent.noise
    ]
    return Latent(styles, _merged(noise))


def mutated(
    parent: Latent,
    strength: float,
    direction: torch.Tensor,
    other_subject: torch.Tensor,
    source: tuple[int, int],
) -> Latent:
    """``parent`` changed at random by ``strength`` in [0, 1]; 0 is the parent exactly.

    ``direction`` (latent,) standard normal: the random part of every level is turned towards it, its length
    kept. ``other_subject`` (style - latent,): the subject that strong mutations drift to. ``source``: seed
    and index of the stream of new noise.
    """
    if strength <= 0:
        return parent
    latent = len(direction)
    angle = strength * math.pi / 2
    z, subject = torch.split(parent.styles.double(), [latent, parent.styles.shape[1] - latent], 1)
    length = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    fresh = direction.double() / torch.linalg.vector_norm(direction.double()) * length
    turned = math.cos(angle) * z + math.sin(angle) * fresh
    turned = turned * (length / torch.linalg.vector_norm(turned, dim=1, keepdim=True).clamp_min(1e-12))
    drifted = torch.lerp(subject, other_subject.double().expand_as(subject), DRIFT * strength**2)
    blocks = len(parent.styles) - 2
    noise = [(old, [math.cos(angle) * share for share in old.shares]) for old in parent.noise]
    noise.append((NoiseSource(*source, (1.0,) * blocks), [math.sin(angle)] * blocks))
    return Latent(torch.cat([turned, drifted], 1).float(), _merged(noise))


def _merged(parts: Sequence[tuple[NoiseSource, list[float]]]) -> tuple[NoiseSource, ...]:
    """One source per stream, at most MOST_SOURCES, the largest first; unit variance at each block."""
    total: dict[tuple[int, int], np.ndarray[Any, np.dtype[np.float64]]] = {}
    for source, shares in parts:
        key = (source.seed, source.index)
        total[key] = total.get(key, 0.0) + np.asarray(shares, np.float64)
    best = sorted(total, key=lambda key: -float(np.square(total[key]).sum()))
    best = [key for key in best if np.any(total[key])][:MOST_SOURCES]
    if not best:
        return (parts[0][0],)
    table = np.stack([total[key] for key in best])  # (sources, blocks)
    length = np.sqrt(np.square(table).sum(0))
    # A block whose every stream was dropped, or canceled out, gets the first stream's noise.
    table[0] = np.where(length > 1e-6, table[0], 1.0)
    table = table / np.where(length > 1e-6, length, np.sqrt(np.square(table).sum(0)))
    return tuple(
        NoiseSource(*key, tuple(float(share) for share in row)) for key, row in zip(best, table, strict=True)
    )
