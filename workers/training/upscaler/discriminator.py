"""The upscaler's discriminator: real patches against enlarged ones.

Small heads on the teacher's frozen features through fixed random projections (Sauer et al. 2021), at the
layers whose receptive fields are as large as strokes, and one head on plain pixels: a pattern that the
teacher has no features for, such as a fine mesh, would otherwise cost the upscaler nothing. Every head gives
logits of patches.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from workers.training.common.perceptual_distance import LAYERS
from workers.training.common.perceptual_teacher import CHANNELS

PROJECTED = 48
"""Channels that a layer is projected to; not tuned, as the widths of the heads."""


def _head(inputs: int, strides: tuple[int, ...], width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for stride in strides:
        layers += [spectral_norm(nn.Conv2d(inputs, width, 3, stride, 1)), nn.LeakyReLU(0.2)]
        inputs = width
    return nn.Sequential(*layers, spectral_norm(nn.Conv2d(width, 1, 3, 1, 1)))


class TextureDiscriminator(nn.Module):
    """The heads and their fixed projections of the teacher's features."""

    def __init__(self) -> None:
        super().__init__()
        for layer in LAYERS:
            weight = torch.randn(PROJECTED, CHANNELS[layer], 1, 1) * CHANNELS[layer] ** -0.5
            self.register_buffer(f"mix_{layer}", weight)
            self.register_buffer(f"scale_{layer}", torch.ones(()))
        self.heads = nn.ModuleDict({layer: _head(PROJECTED, (1, 1), 48) for layer in LAYERS})
        self.pixels = _head(3, (1, 2, 2), 32)

    @torch.no_grad()
    def calibrate(self, features: dict[str, torch.Tensor]) -> None:
        """Scale each layer's projection to unit mean square on ``features`` of real pictures."""
        for layer in LAYERS:
            mixed = F.conv2d(features[layer], self.get_buffer(f"mix_{layer}"))
            self.get_buffer(f"scale_{layer}").copy_(mixed.square().mean().rsqrt())

    def forward(self, features: dict[str, torch.Tensor], pixels: torch.Tensor) -> list[torch.Tensor]:
        """Teacher features by layer and the pictures themselves -> one (N, P) of logits per head."""
        scores = []
        for layer in LAYERS:
            mix = self.get_buffer(f"mix_{layer}") * self.get_buffer(f"scale_{layer}")
            scores.append(self.heads[layer](F.conv2d(features[layer], mix)).flatten(1))
        return [*scores, self.pixels(pixels).flatten(1)]
