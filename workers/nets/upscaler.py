"""Upscaler: a residual network that doubles a painting and gives it brushwork.

It works at the small size and shuffles pixels at the end (Shi et al. 2016, Lim et al. 2017); one
plane of noise lets it invent texture, which belongs to the request like every other random number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

FACTOR = 2
MARGIN = 8
"""Pixels painted beyond each edge of the small picture, and cut off again."""


@dataclass(frozen=True, slots=True)
class UpscalerConfig:
    """``blocks`` residual blocks of ``channels``."""

    channels: int = 40
    blocks: int = 5

    def to_card(self) -> dict[str, Any]:
        """JSON-safe form for the model card."""
        return asdict(self)

    @classmethod
    def from_card(cls, config: Mapping[str, Any]) -> UpscalerConfig:
        """Raises TypeError when the card's config is not one of an Upscaler."""
        return cls(**config)


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        assert self.second.bias is not None
        nn.init.zeros_(self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.second(F.leaky_relu(self.first(x), 0.2))
        return x + out


class Upscaler(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1] and noise (N, 1, H, W) -> (N, 3, 2H, 2W), not clamped."""

    def __init__(self, config: UpscalerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels
        self.first = nn.Conv2d(4, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(config.blocks)))
        self.last = nn.Conv2d(width, 3 * FACTOR**2, 3, padding=1)
        nn.init.normal_(self.last.weight, std=0.01)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)

    def forward(self, image: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = self.first(torch.cat([image, noise], 1))
        detail = F.pixel_shuffle(self.last(F.leaky_relu(self.blocks(x), 0.2)), FACTOR)
        smooth = F.interpolate(image, scale_factor=FACTOR, mode="bilinear", align_corners=False)
        return smooth + detail


def softened(images: torch.Tensor) -> torch.Tensor:
    """(N, 3, S, S) -> the same size without its finest scale: what an Upscaler expects of a painter.

    The finest scale of a young generator is a mesh; brushwork is the upscaler's to invent.
    """
    smaller = F.avg_pool2d(images, 2)
    return F.interpolate(smaller, scale_factor=2.0, mode="bicubic", align_corners=False)


def draw_noise(size: int, generators: list[torch.Generator]) -> torch.Tensor:
    """Noise for :func:`enlarge` of pictures of ``size`` px, one CPU generator per picture."""
    side = size + 2 * MARGIN
    return torch.stack([torch.randn(1, side, side, generator=generator) for generator in generators])


def enlarge(upscaler: Upscaler, images: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """A painter's pictures (N, 3, S, S) -> (N, 3, 2S, 2S), softened first and painted without a frame."""
    # Painted beyond the edges and cut: the zeros that convolutions see outside would show as a border.
    wider = F.pad(softened(images), (MARGIN,) * 4, mode="reflect")
    cut = MARGIN * FACTOR
    painted: torch.Tensor = upscaler(wider, noise)
    return painted[..., cut:-cut, cut:-cut]
