"""Differentiable augmentation for discriminators (Zhao et al. 2020): colour, translation, cutout.

Applied alike to real and made pictures. Translation pads with zeros: reflected edges taught a
generator to draw frames. Colour changes stay small because captions speak of colours.
"""

from __future__ import annotations

import torch


def augment(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """(N, 3, S, S) in [-1, 1] -> the same shape, changed at random, differentiable in ``images``."""
    n, _, size, _ = images.shape
    device = images.device

    def uniform() -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, generator=generator).to(device)

    def integers(low: int, high: int) -> torch.Tensor:
        return torch.randint(low, high, (n, 1, 1), generator=generator).to(device)

    x = images + (uniform() - 0.5) * 0.2
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (uniform() * 0.4 + 0.8) + grey
    reach, hole = size // 8, size // 3
    side = torch.arange(size, device=device)
    rows, columns = side[None, :, None], side[None, None, :]  # (1, S, 1), (1, 1, S)
    y, across = rows + integers(-reach, reach + 1), columns + integers(-reach, reach + 1)
    inside = (y >= 0) & (y < size) & (across >= 0) & (across < size)  # (N, S, S)
    top, first = integers(0, size - hole), integers(0, size - hole)
    cut = (rows >= top) & (rows < top + hole) & (columns >= first) & (columns < first + hole)
    cut &= uniform()[:, 0] < 0.4
    # One gather shifts all pictures, each by its own way.
    index = (y.clamp(0, size - 1) * size + across.clamp(0, size - 1)).view(n, 1, -1).expand(-1, 3, -1)
    shifted = x.reshape(n, 3, -1).gather(2, index).view(n, 3, size, size)
    return shifted * (inside & ~cut)[:, None].to(x.dtype)
