"""A zoom without an end: pictures that hold one another, seen from ever nearer, until one is back.

Each layer lies in the middle of the one before it, at half its size, and the first lies in the last. Moving
by one layer doubles the scale, so that after all of them everything is where it was: the loop closes exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

FACTOR = 2.0
"""How much larger each layer is than the next."""
DEPTH = 5  # layers seen inside the nearest one: the innermost is a few pixels wide
FADE = (0.7, 0.97)  # where a layer begins and ends to fade, from its middle (0) to its edge (1)


class ZoomLoop:
    """Layers (1, 3, H, W) of one size, ready to be looked at from any distance."""

    def __init__(self, layers: Sequence[torch.Tensor]) -> None:
        self.layers = tuple(layers)
        self._pyramids = [_pyramid(layer) for layer in self.layers]

    def __len__(self) -> int:
        return len(self.layers)

    def at(self, time: float) -> torch.Tensor:
        """The view (1, 3, H, W) at ``time``: layer k fills it at time k; after the last comes the first."""
        nearest = math.floor(time)
        within = time - nearest
        view = self._seen(nearest - 1, FACTOR ** (within + 1))[0]
        for number in range(DEPTH + 1):
            picture, alpha, place = self._seen(nearest + number, FACTOR ** (within - number))
            if number == DEPTH:
                alpha = alpha * within  # the innermost comes out of the mist
            rows, columns = place
            view[:, :, rows, columns] = torch.lerp(view[:, :, rows, columns], picture, alpha)
        return view

    def _seen(self, layer: int, scale: float) -> tuple[torch.Tensor, torch.Tensor, tuple[slice, slice]]:
        """A layer at ``scale``: its pixels, how opaque they are, and where they lie in the view."""
        pyramid = self._pyramids[layer % len(self.layers)]
        height, width = pyramid[0].shape[2:]
        device = pyramid[0].device
        rows, columns = _middle(height, scale), _middle(width, scale)
        y = _places(height, device)[rows] / scale
        x = _places(width, device)[columns] / scale
        grid = _grid(x, y)
        level = min(max(0.0, -math.log2(scale)), len(pyramid) - 1.0)
        fine, coarse = (
            F.grid_sample(
                pyramid[min(number, len(pyramid) - 1)],
                grid,
                mode="bicubic" if scale > 1 else "bilinear",
                padding_mode="border",
                align_corners=False,
            )
            for number in (math.floor(level), math.floor(level) + 1)
        )
        picture = torch.lerp(fine, coarse, level - math.floor(level)).clamp(-1, 1)
        return picture, _opaque(x, y), (rows, columns)


def next_layer_opacity(layer: torch.Tensor) -> torch.Tensor:
    """How much of a layer the next one hides that lies in its middle: (1, 1, H, W) from 0 to 1."""
    height, width = layer.shape[2:]
    return _opaque(_places(width, layer.device) * FACTOR, _places(height, layer.device) * FACTOR)


def magnified_centre(layer: torch.Tensor) -> torch.Tensor:
    """The middle of a layer as large as the layer: what the next one begins from."""
    height, width = layer.shape[2:]
    grid = _grid(_places(width, layer.device) / FACTOR, _places(height, layer.device) / FACTOR)
    return F.grid_sample(layer, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(-1, 1)


def _places(length: int, device: torch.device) -> torch.Tensor:
    """Where the middles of a side's pixels are, from its one end (-1) to the other (1)."""
    return (torch.arange(length, device=device) + 0.5) * 2 / length - 1


def _grid(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The places of every pixel for ``grid_sample``: (1, len(y), len(x), 2)."""
    return torch.stack((x[None, :].expand(len(y), -1), y[:, None].expand(-1, len(x))), 2)[None]


def _opaque(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(1, 1, len(y), len(x)): 1 in a layer's middle, 0 from its edge on, smooth between."""
    start, end = FADE
    # A superellipse: rounder than the frame, or its corners would give it away; nearly as large.
    distance = (x.abs()[None, :] ** 4 + y.abs()[:, None] ** 4) ** 0.25
    share = ((end - distance) / (end - start)).clamp(0, 1)
    return (share * share * (3 - 2 * share))[None, None]


def _middle(length: int, scale: float) -> slice:
    """The pixels of a side that a layer at ``scale`` reaches."""
    half = min(length / 2, length * scale / 2 + 1)
    return slice(max(0, math.floor(length / 2 - half)), min(length, math.ceil(length / 2 + half)))


def _pyramid(layer: torch.Tensor) -> list[torch.Tensor]:
    """The layer and ever halved ones, so that what is far away does not flicker."""
    found = [layer]
    while len(found) <= DEPTH and min(found[-1].shape[2:]) > 1:
        height, width = (max(1, round(side / 2)) for side in found[-1].shape[2:])
        found.append(
            F.interpolate(found[-1], (height, width), mode="bilinear", antialias=True, align_corners=False)
        )
    return found
