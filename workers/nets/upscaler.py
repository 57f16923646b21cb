"""Upscaler: a residual network that doubles a picture and adds fine texture.

Most of the work happens at half the small picture's size, where a convolution sees twice as far for a
quarter of the cost (pixel unshuffle, Wang et al. 2021); a narrow path at the small size keeps what is sharp
already, and the last convolution shuffles pixels (Shi et al. 2016). One number, ``texture``, controls how
much is generated: 0 is the most faithful picture, 1 the boldest (one network for the whole range, as in
He et al. 2020). The generated texture comes from one plane of noise, which it scales and which is drawn from
the request's seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

FACTOR = 2
MARGIN = 12
"""Pixels mirrored beyond each edge of the small picture, and cut off again."""
TEXTURE = 0.5
"""The texture of paintings, and of training's and the evaluation's sheets."""


@dataclass(frozen=True, slots=True)
class UpscalerConfig:
    """``blocks`` residual blocks of ``channels`` at half size, one of ``fine`` channels at full size."""

    channels: int = 64
    blocks: int = 6
    fine: int = 24

    @property
    def reach(self) -> int:
        """Radius of the receptive field in px of the small picture, made even."""
        # First, two in the fine block, last and the bilinear doubling: one each; at half size twice that.
        reach = 5 + 4 * self.blocks + 1
        return reach + reach % 2

    def to_card(self) -> dict[str, Any]:
        """JSON-safe form for the model card."""
        return asdict(self)

    @classmethod
    def from_card(cls, config: Mapping[str, Any]) -> UpscalerConfig:
        """Raises TypeError when the card's config is not one of an Upscaler."""
        return cls(**config)


class _Block(nn.Module):
    """(N, C, H, W) -> the same: a residual block whose branch is scaled by the texture, per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.gain = nn.Parameter(torch.zeros(1, channels, 1, 1))
        with torch.no_grad():
            # Small, not zero: from zero, training would take long to use the noise.
            self.second.weight.mul_(0.2)

    def forward(self, x: torch.Tensor, texture: torch.Tensor) -> torch.Tensor:
        branch = self.second(F.leaky_relu(self.first(x), 0.2, inplace=True))
        return torch.addcmul(x, branch, 1 + self.gain * texture)


class Upscaler(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1], noise (N, 1, H, W), texture (N,) -> (N, 3, 2H, 2W), not clamped.

    H and W are even; :func:`enlarge` takes any size.
    """

    def __init__(self, config: UpscalerConfig) -> None:
        super().__init__()
        self.config = config
        width, fine = config.channels, config.fine
        self.first = nn.Conv2d(5, fine, 3, padding=1)
        self.down = nn.Conv2d(fine * 4, width, 1)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(config.blocks))
        self.up = nn.Conv2d(width, fine * 4, 1)
        self.fine = _Block(fine)
        self.last = nn.Conv2d(fine, 3 * FACTOR**2, 3, padding=1)
        # The sub-pixels of a pixel start equal, so that training does not begin with a checkerboard.
        with torch.no_grad():
            for conv, scale in ((self.up, 0.5), (self.last, 0.1)):
                for values in (conv.weight, conv.bias):
                    assert values is not None
                    values.copy_(values[::4].repeat_interleave(4, 0) * scale)

    def forward(self, image: torch.Tensor, noise: torch.Tensor, texture: torch.Tensor) -> torch.Tensor:
        amount = texture.to(image).view(-1, 1, 1, 1)
        plane = amount.expand(image.shape[0], 1, *image.shape[2:])
        x = self.first(torch.cat([image, noise * amount, plane], 1))  # (N, fine, H, W)
        h = self.down(F.pixel_unshuffle(F.leaky_relu(x, 0.2), 2))  # (N, channels, H/2, W/2)
        for block in self.blocks:
            h = block(h, amount)
        x = self.fine(x + F.pixel_shuffle(self.up(h), 2), amount)
        detail = F.pixel_shuffle(self.last(F.leaky_relu(x, 0.2, inplace=True)), FACTOR)
        return detail + F.interpolate(image, scale_factor=FACTOR, mode="bilinear", align_corners=False)


def draw_noise(size: int | tuple[int, int], generators: list[torch.Generator]) -> torch.Tensor:
    """Noise for :func:`enlarge` of pictures of ``size`` px (a side, or height and width).

    One CPU generator per picture: (N, 1, H + 2 * MARGIN, W + 2 * MARGIN).
    """
    height, width = (size, size) if isinstance(size, int) else size
    shape = (1, height + 2 * MARGIN, width + 2 * MARGIN)
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators])


def framed(images: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures with ``MARGIN`` mirrored pixels around them, and noise as large; even sides for an Upscaler.

    Zero padding would show as a border. Pictures need ``MARGIN + 2`` px a side.
    """
    odd = (images.shape[-1] % 2, images.shape[-2] % 2)
    wider = F.pad(images, (MARGIN, MARGIN + odd[0], MARGIN, MARGIN + odd[1]), mode="reflect")
    return wider, F.pad(noise, (0, odd[0], 0, odd[1]))


def enlarge(
    upscaler: Upscaler, images: torch.Tensor, noise: torch.Tensor, texture: float | torch.Tensor = TEXTURE
) -> torch.Tensor:
    """Pictures (N, 3, H, W) in [-1, 1] and noise of :func:`draw_noise` -> (N, 3, 2H, 2W), without the margin.

    ``texture``: one number for all, or one per picture (N,), in [0, 1]. Not clamped.
    """
    if not isinstance(texture, torch.Tensor):
        texture = torch.full((len(images),), texture, device=images.device)
    painted: torch.Tensor = upscaler(*framed(images, noise), texture)
    edge, height, width = MARGIN * FACTOR, images.shape[-2] * FACTOR, images.shape[-1] * FACTOR
    return painted[..., edge : edge + height, edge : edge + width]
