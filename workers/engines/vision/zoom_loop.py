"""An endless zoom: layers that lie in one another, magnified until the first is back.

Each layer lies in the centre of the one before it, at half its size, and the first lies in the last. Moving
on by one layer doubles the scale, so that after all of them the view is the same: the loop closes exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

FACTOR = 2.0
"""How much larger each layer is than the next."""
DEPTH = 5  # layers drawn inside the nearest one: the innermost is a few pixels wide
FADE = (0.7, 0.97)  # where a layer begins and ends to fade, from its centre (0) to its edge (1); set by hand


class ZoomLoop:
    """Layers (1, 3, H, W) of one size, rendered at any magnification."""

    def __init__(self, layers: Sequence[torch.Tensor]) -> None:
        self.layers = tuple(layers)
        self._pyramids = [_pyramid(layer) for layer in self.layers]

    def __len__(self) -> int:
        return len(self.layers)

    def at(self, time: float) -> torch.Tensor:
        """The view (1, 3, H, W) at ``time``: layer k fills it at time k; after the last comes the first."""
        nearest = math.floor(time)
        within = time - nearest
        view = self._rendered(nearest - 1, FACTOR ** (within + 1))[0]
        for number in range(DEPTH + 1):
            picture, alpha, (rows, columns) = self._rendered(nearest + number, FACTOR ** (within - number))
            if number == DEPTH:
                alpha = alpha * within  # the innermost fades in
            view[:, :, rows, columns] = torch.lerp(view[:, :, rows, columns], picture, alpha)
        return view

    def _rendered(self, layer: int, scale: float) -> tuple[torch.Tensor, torch.Tensor, tuple[slice, slice]]:
        """A layer at ``scale``: its pixels, their opacity, and the rows and columns that they cover."""
        pyramid = self._pyramids[layer % len(self.layers)]
        height, width = pyramid[0].shape[2:]
        device = pyramid[0].device
        rows, columns = _central(height, scale), _central(width, scale)
        y = _coordinates(height, device)[rows] / scale
        x = _coordinates(width, device)[columns] / scale
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
    """Opacity of the next layer in the centre of ``layer``: (1, 1, H, W) in [0, 1]."""
    height, width = layer.shape[2:]
    return _opaque(_coordinates(width, layer.device) * FACTOR, _coordinates(height, layer.device) * FACTOR)


def magnified_centre(layer: torch.Tensor) -> torch.Tensor:
    """The centre of a layer at the layer's size: what the next one starts from."""
    height, width = layer.shape[2:]
    grid = _grid(_coordinates(width, layer.device) / FACTOR, _coordinates(height, layer.device) / FACTOR)
    return F.grid_sample(layer, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(-1, 1)


def _coordinates(length: int, device: torch.device) -> torch.Tensor:
    """Coordinates of the pixels' centres along a side, from -1 to 1."""
    return (torch.arange(length, device=device) + 0.5) * 2 / length - 1


def _grid(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Coordinates of every pixel for ``grid_sample``: (1, len(y), len(x), 2)."""
    return torch.stack((x[None, :].expand(len(y), -1), y[:, None].expand(-1, len(x))), 2)[None]


def _opaque(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """(1, 1, len(y), len(x)): 1 in a layer's centre, 0 from its edge on, smooth between."""
    start, end = FADE
    # A superellipse: nearly as large as the frame, without its corners, which would be seen.
    distance = (x.abs()[None, :] ** 4 + y.abs()[:, None] ** 4) ** 0.25
    share = ((end - distance) / (end - start)).clamp(0, 1)
    return (share * share * (3 - 2 * share))[None, None]


def _central(length: int, scale: float) -> slice:
    """The pixels of a side that a layer at ``scale`` reaches."""
    half = min(length / 2, length * scale / 2 + 1)
    return slice(max(0, math.floor(length / 2 - half)), min(length, math.ceil(length / 2 + half)))


def _pyramid(layer: torch.Tensor) -> list[torch.Tensor]:
    """The layer and its halvings: a mipmap, so that what is small does not flicker."""
    found = [layer]
    while len(found) <= DEPTH and min(found[-1].shape[2:]) > 1:
        height, width = (max(1, round(side / 2)) for side in found[-1].shape[2:])
        found.append(
            F.interpolate(found[-1], (height, width), mode="bilinear", antialias=True, align_corners=False)
        )
    return found
