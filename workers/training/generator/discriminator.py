"""A projected discriminator (Sauer et al. 2021): small heads on the teacher's frozen features.

Each head gets one layer through a fixed random projection and gives logits of patches; the caption enters
as an inner product (Miyato & Koyama 2018). Generated and real pictures go through the teacher once; both the
discriminator's and the generator's loss use the same features. One more small head sees plain pixels: a
pattern that the teacher has no features for, such as a fine mesh, would cost the generator nothing otherwise.

As in Sauer's heads, a batch norm follows each spectrally normalised convolution. Without it each layer
shrinks its input, all logits end up alike (0.1 apart on average) and the generator learns little.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from workers.training.common.perceptual_teacher import CHANNELS, Teacher

LAYERS = ("fire3", "fire5", "fire7", "fire9")
# Projected channels and strides of each head; not tuned.
_WIDTHS = {"fire3": 64, "fire5": 64, "fire7": 96, "fire9": 128}
_STRIDED = {"fire3": 2, "fire5": 1, "fire7": 1, "fire9": 0}


def _group_deviation(x: torch.Tensor, group: int = 4) -> torch.Tensor:
    """(N, C, H, W) -> (N, 1, H, W): how much the members of a group differ (Karras et al. 2018)."""
    n = x.shape[0]
    if n % group:
        return torch.zeros_like(x[:, :1])
    deviation = (x.view(group, n // group, *x.shape[1:]).var(0, unbiased=False) + 1e-6).sqrt()
    return deviation.mean(1, keepdim=True).repeat(group, 1, 1, 1)


def _layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    # Statistics of the batch at hand, always: generated and real pictures come in separate batches.
    norm = nn.BatchNorm2d(outputs, track_running_stats=False)
    return [spectral_norm(nn.Conv2d(inputs, outputs, 3, stride, 1)), norm, nn.LeakyReLU(0.2)]


class Head(nn.Module):
    """Projected features (N, C, H, W) and a condition (N, K) -> logits of patches (N, P)."""

    def __init__(self, inputs: int, strided: int, words: int, width: int = 128) -> None:
        super().__init__()
        self.deviates = strided == 0
        layers: list[nn.Module] = []
        channels = inputs + int(self.deviates)
        for _ in range(strided):
            layers += _layer(channels, width, stride=2)
            channels = width
        layers += _layer(channels, width, stride=1)
        self.trunk = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Conv2d(width, 1, 3, 1, 1))
        self.key = spectral_norm(nn.Conv2d(width, width, 1))
        self.embed = spectral_norm(nn.Linear(words, width))

    def forward(self, x: torch.Tensor, conditions: list[torch.Tensor]) -> list[torch.Tensor]:
        """Logits under each of several captions; the trunk is shared."""
        if self.deviates:
            x = torch.cat([x, _group_deviation(x)], 1)
        h = self.trunk(x)
        score, key = self.score(h), self.key(h)
        return [
            (score + (key * self.embed(c)[:, :, None, None]).sum(1, keepdim=True)).flatten(1)
            for c in conditions
        ]


class ProjectedDiscriminator(nn.Module):
    """The heads and their fixed projections; the teacher is held but is not a part of the state."""

    def __init__(self, teacher: Teacher, words: int) -> None:
        super().__init__()
        self._teacher = [teacher]
        for layer in LAYERS:
            weight = torch.empty(_WIDTHS[layer], CHANNELS[layer], 1, 1)
            nn.init.normal_(weight, std=CHANNELS[layer] ** -0.5)
            self.register_buffer(f"mix_{layer}", weight)
            self.register_buffer(f"scale_{layer}", torch.ones(()))
        self.heads = nn.ModuleList(Head(_WIDTHS[layer], _STRIDED[layer], words) for layer in LAYERS)
        self.heads.append(Head(3, 3, words, width=64))

    @torch.no_grad()
    def calibrate(self, images: torch.Tensor) -> None:
        """Scale each layer's projection to unit mean square on real ``images``."""
        for layer, x in self._teacher[0](images, LAYERS).items():
            mixed = F.conv2d(x, self.get_buffer(f"mix_{layer}"))
            self.get_buffer(f"scale_{layer}").copy_(mixed.square().mean().rsqrt())

    def features(self, images: torch.Tensor, pixels: torch.Tensor) -> list[torch.Tensor]:
        """(N, 3, H, W) in [-1, 1] -> projected features, differentiable in the pictures, and ``pixels``.

        ``pixels`` (N, 3, h, w), a part of the pictures at full resolution, are the last head's input.
        """
        found = self._teacher[0](images, LAYERS)
        return [
            F.conv2d(found[layer], self.get_buffer(f"mix_{layer}") * self.get_buffer(f"scale_{layer}"))
            for layer in LAYERS
        ] + [pixels]

    def forward(self, features: list[torch.Tensor], conditions: list[torch.Tensor]) -> list[torch.Tensor]:
        """Logits (N, P) for each caption of ``conditions`` (each (N, K))."""
        scaled = [c / c.sum(1, keepdim=True).clamp(min=1).sqrt() * 4 for c in conditions]
        by_head = [head(x, scaled) for head, x in zip(self.heads, features, strict=True)]
        return [torch.cat(logits, 1) for logits in zip(*by_head, strict=True)]
