"""The colours of one picture on another: sliced optimal transport between their colours.

The colours of a picture are moved, along many directions one after the other, so that their distribution
becomes the palette's (Pitie, Kokaram & Dahyot 2005; Rabin et al. 2011). Unlike a match of mean and covariance
it keeps separate colours apart: a palette of blue and orange does not become brown. It works in Oklab
(Ottosson 2020), where equal steps look equal.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

PALETTE_SIDE = 64
"""The palette is looked at with about this many px squared: a picture's colours need no more."""
DIRECTIONS = 16
LIGHT = 0.7
"""How much of the palette's light is taken over with its colours: all of it may turn day into night."""


def oklab_samples(picture: torch.Tensor) -> torch.Tensor:
    """Picture (1, 3, H, W) in [-1, 1] -> its colours in Oklab, (M, 3)."""
    count = PALETTE_SIDE**2
    scale = min(1.0, (count / (picture.shape[2] * picture.shape[3])) ** 0.5)
    size = [max(1, round(side * scale)) for side in picture.shape[2:]]
    small = F.interpolate(picture, size, mode="bilinear", antialias=True)
    return to_oklab(small)[0].flatten(1).T.contiguous()


def transfer_colours(picture: torch.Tensor, palette: torch.Tensor) -> torch.Tensor:
    """Picture (3, H, W) in [-1, 1] with the colours of ``palette`` (M, 3), clamped."""
    lab = to_oklab(picture[None])[0].flatten(1).T  # (P, 3)
    moved = transport(lab, palette.to(lab))
    moved[:, 0] = torch.lerp(lab[:, 0], moved[:, 0], LIGHT)
    # Neighbours that were alike may have been torn apart: the change, not the picture, is made smooth.
    change = (moved - lab).T.reshape(1, 3, *picture.shape[1:])
    smooth = F.avg_pool2d(F.pad(change, (1,) * 4, mode="replicate"), 3, 1)
    return from_oklab(lab.T.reshape(1, 3, *picture.shape[1:]) + smooth)[0].clamp(-1, 1)


def transport(colours: torch.Tensor, palette: torch.Tensor) -> torch.Tensor:
    """Move ``colours`` (P, 3) until they are distributed like ``palette`` (M, 3)."""
    # NumPy's sort is several times faster for these sizes, and does not wait for busy cores.
    moved, goal = (values.detach().to("cpu", torch.float64).numpy() for values in (colours, palette))
    # The directions are always the same: a palette is no matter of chance.
    chance = np.random.default_rng(7)
    ranks = (np.arange(len(moved)) + 0.5) / len(moved) * len(goal) - 0.5
    for _ in range(DIRECTIONS):
        axes = np.linalg.qr(chance.standard_normal((3, 3)))[0]
        along = moved @ axes
        render_task = np.argsort(along, 0)
        target = np.sort(goal @ axes, 0)
        wanted = np.empty_like(along)
        for axis in range(3):
            wanted[render_task[:, axis], axis] = np.interp(ranks, np.arange(len(goal)), target[:, axis])
        moved = moved + (wanted - along) @ axes.T
    return torch.from_numpy(moved).to(colours)


_TO_LMS = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def to_oklab(images: torch.Tensor) -> torch.Tensor:
    """sRGB pictures (N, 3, H, W) in [-1, 1] -> Oklab: lightness in [0, 1], then green-red and blue-yellow."""
    encoded = (images.clamp(-1, 1) + 1) / 2
    linear = torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    lms = torch.einsum("ij,njhw->nihw", _TO_LMS.to(images), linear)
    return torch.einsum("ij,njhw->nihw", _TO_LAB.to(images), lms.clamp_min(0) ** (1 / 3))


def from_oklab(lab: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`to_oklab`; colours that no screen shows leave [-1, 1]."""
    lms = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_TO_LAB).to(lab), lab) ** 3
    linear = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_TO_LMS).to(lab), lms)
    bright = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, bright) * 2 - 1
