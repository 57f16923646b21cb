"""Sizes of picture tensors: resizing, and mirroring beyond the edges."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F


def resize(
    x: torch.Tensor, size: Sequence[int], *, mode: str = "bilinear", antialias: bool = False
) -> torch.Tensor:
    """(N, C, H, W) at ``size`` (height, width); the tensor itself when it has that size."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, tuple(size), mode=mode, antialias=antialias, align_corners=False)


def mirror_indices(length: int, before: int, total: int) -> torch.Tensor:
    """Indices (total,) that mirror a side of ``length`` pixels at both ends, ``before`` of them in front.

    As often as needed: ``F.pad`` reflects only once, and never a single pixel.
    """
    period = max(1, 2 * length - 2)
    position = (torch.arange(total) - before) % period
    return torch.where(position < length, position, period - position)
