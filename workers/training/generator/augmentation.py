"""Differentiable augmentation for discriminators (Zhao et al. 2020): colour, translation, cutout.

Applied alike to real and made pictures. Translation pads with zeros: reflected edges taught a
generator to draw frames. Colour changes stay small because captions speak of colours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F


def augment(images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """(N, 3, S, S) in [-1, 1] -> the same shape, changed at random, differentiable in ``images``."""
    n, _, size, _ = images.shape
    device = images.device

    def uniform() -> torch.Tensor:
        return torch.rand(n, 1, 1, 1, generator=generator).to(device)

    x = images + (uniform() - 0.5) * 0.2
    grey = x.mean(1, keepdim=True)
    x = (x - grey) * (uniform() * 0.4 + 0.8) + grey
    reach, hole = size // 8, size // 3
    shifts = torch.randint(0, 2 * reach + 1, (n, 2), generator=generator).tolist()
    holes = torch.randint(0, size - hole, (n, 2), generator=generator).tolist()
    cut = (torch.rand(n, generator=generator) < 0.4).tolist()
    padded = F.pad(x, (reach,) * 4)
    x = torch.stack([padded[k, :, a : a + size, b : b + size] for k, (a, b) in enumerate(shifts)])
    mask = torch.ones(n, 1, size, size)
    for k, (a, b) in enumerate(holes):
        if cut[k]:
            mask[k, :, a : a + hole, b : b + hole] = 0
    return x * mask.to(device)
