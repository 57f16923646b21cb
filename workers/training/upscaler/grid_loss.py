"""Losses against artefacts that follow the grid of the small picture's pixels.

Pixel shuffling can leave gradients that are steepest where two small pixels meet, or one pattern in every
cell. The teacher's features and, for long, the discriminator hardly react to either; people do. Real pictures
have no such grid, so both losses are small for them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

PERIOD = 8
"""px of the result: four for a pixel after two doublings, twice that where the network works on pairs."""
REGION = 4 * PERIOD
"""Side of the squares in which a pattern is looked for: it may differ from one object to another."""


def grid_gradient_loss(images: torch.Tensor) -> torch.Tensor:
    """How unevenly gradients are spread over the grid's phases: (N, C, H, W) -> a mean square deviation."""
    found = []
    for axis in (2, 3):
        steps = images.diff(dim=axis).abs().mean((1, 5 - axis))  # (N, L)
        whole = steps.shape[1] // PERIOD * PERIOD
        means = steps[:, :whole].reshape(len(steps), -1, PERIOD).mean(1)  # (N, PERIOD)
        found.append((means / means.mean(1, keepdim=True).detach().clamp_min(1e-3) - 1).square().mean())
    return torch.stack(found).mean()


def grid_pattern_loss(images: torch.Tensor) -> torch.Tensor:
    """Share of the finest detail's energy that is the same in every cell of a region: 1/16 by chance."""
    smooth = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), 3, 1)
    fine = images - smooth
    rows, columns = (side // REGION for side in images.shape[2:])
    fine = fine[..., : rows * REGION, : columns * REGION]
    cells = fine.reshape(*fine.shape[:2], rows, -1, PERIOD, columns, REGION // PERIOD, PERIOD)
    common = cells.mean((3, 6))  # (N, C, rows, PERIOD, columns, PERIOD)
    energy = fine.square().mean((1, 2, 3)).detach().clamp_min(1e-5)
    share: torch.Tensor = (common.square().mean((1, 2, 3, 4, 5)) / energy).mean()
    return share
