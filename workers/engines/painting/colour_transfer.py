"""Colour transfer: sliced optimal transport between the colours of two pictures, in Oklab.

The colours of a picture are moved, along many directions one after the other, so that their distribution
becomes the palette's (Pitie, Kokaram & Dahyot 2005; Rabin et al. 2011). Unlike a match of mean and covariance
it keeps separate colours apart: a palette of blue and orange does not become brown.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from workers.engines.vision.oklab import from_oklab, to_oklab

PALETTE_SIDE = 64
"""A palette's picture is reduced to about this many px squared: more do not change its distribution."""
DIRECTIONS = 16
"""Random bases of three directions each; more no longer change a picture visibly."""
DIRECTION_SEED = 7
LIGHT = 0.7
"""Share of the lightness that is transferred, chosen by eye: all of it may turn day into night."""


def oklab_samples(picture: torch.Tensor) -> torch.Tensor:
    """Picture (1, 3, H, W) in [-1, 1] -> its colours in Oklab, (M, 3); M is about PALETTE_SIDE**2."""
    count = PALETTE_SIDE**2
    scale = min(1.0, (count / (picture.shape[2] * picture.shape[3])) ** 0.5)
    size = [max(1, round(side * scale)) for side in picture.shape[2:]]
    small = F.interpolate(picture, size, mode="bilinear", antialias=True)
    return to_oklab(small)[0].flatten(1).T.contiguous()


def transfer_colours(picture: torch.Tensor, palette: torch.Tensor) -> torch.Tensor:
    """Picture (3, H, W) in [-1, 1] with the colours of ``palette`` (M, 3), clamped."""
    lab = to_oklab(picture[None])[0].flatten(1).T  # (P, 3)
    moved = sliced_transport(lab, palette.to(lab))
    moved[:, 0] = torch.lerp(lab[:, 0], moved[:, 0], LIGHT)
    # Similar neighbours may have moved apart: the change, not the picture, is smoothed.
    change = (moved - lab).T.reshape(1, 3, *picture.shape[1:])
    smooth = F.avg_pool2d(F.pad(change, (1,) * 4, mode="replicate"), 3, 1)
    return from_oklab(lab.T.reshape(1, 3, *picture.shape[1:]) + smooth)[0].clamp(-1, 1)


def sliced_transport(colours: torch.Tensor, palette: torch.Tensor) -> torch.Tensor:
    """Move ``colours`` (P, 3) until they are distributed like ``palette`` (M, 3)."""
    # NumPy's sort is several times faster for these sizes, and does not wait for busy cores.
    moved, goal = (values.detach().to("cpu", torch.float64).numpy() for values in (colours, palette))
    # The directions are always the same: the same palette gives the same colours, whatever the seed.
    directions = np.random.default_rng(DIRECTION_SEED)
    ranks = (np.arange(len(moved)) + 0.5) / len(moved) * len(goal) - 0.5
    for _ in range(DIRECTIONS):
        axes = np.linalg.qr(directions.standard_normal((3, 3)))[0]
        along = moved @ axes
        render_task = np.argsort(along, 0)
        target = np.sort(goal @ axes, 0)
        wanted = np.empty_like(along)
        for axis in range(3):
            wanted[render_task[:, axis], axis] = np.interp(ranks, np.arange(len(goal)), target[:, axis])
        moved = moved + (wanted - along) @ axes.T
    return torch.from_numpy(moved).to(colours)
