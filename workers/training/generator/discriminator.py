"""A projected discriminator (Sauer et al. 2021): small heads on the frozen features of EfficientNet-Lite.

The features of four strides pass through fixed random projections, across channels and then from coarse to
fine, so that no head sees one scale alone. Each head gives logits of patches; the caption enters as an inner
product (Miyato & Koyama 2018). Generated and real pictures go through the feature network once; both the
discriminator's and the generator's loss use the same features. One more small head sees plain pixels: a
pattern that the feature network has nothing for, such as a fine mesh, would cost the generator nothing
otherwise.

As in Sauer's heads, a batch norm follows each spectrally normalised convolution. Without it each layer
shrinks its input, all logits end up alike (0.1 apart on average) and the generator learns little.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from workers.training.common.efficientnet_lite import CHANNELS, EfficientNetLite

# For the features at strides 4, 8, 16, 32: projected width and strided layers of the head; not tuned.
_WIDTHS = (64, 96, 128, 192)
_STRIDED = (2, 1, 1, 0)
_SEED = 3
"""The projections are the same in every run: a checkpoint's heads fit those of another."""


class FeatureProjection(nn.Module):
    """Fixed random mixing of feature maps across channels, then across scales; nothing in it learns."""

    def __init__(self) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(_SEED)

        def drawn(name: str, outputs: int, inputs: int, side: int, gain: float) -> None:
            scale = math.sqrt(gain / (inputs * side * side))
            self.register_buffer(name, torch.randn(outputs, inputs, side, side, generator=stream) * scale)

        for k, (inputs, width) in enumerate(zip(CHANNELS, _WIDTHS, strict=True)):
            drawn(f"channels_{k}", width, inputs, 1, 2)
        for k, width in enumerate(_WIDTHS):
            drawn(f"scales_{k}", width, width, 3, 2)
        for k in range(len(_WIDTHS) - 1):
            drawn(f"down_{k}", _WIDTHS[k], _WIDTHS[k + 1], 1, 1)
        self.register_buffer("before", torch.ones(len(_WIDTHS)))
        self.register_buffer("after", torch.ones(len(_WIDTHS)))

    def _weight(self, name: str, x: torch.Tensor) -> torch.Tensor:
        return self.get_buffer(name).to(x.dtype)

    def forward(self, features: list[torch.Tensor], calibrate: bool = False) -> list[torch.Tensor]:
        """Feature maps of CHANNELS, fine to coarse -> as many maps of _WIDTHS.

        ``calibrate``: first set the scales so that these features come out with unit mean square.
        """
        before, after = self.get_buffer("before"), self.get_buffer("after")
        mixed: list[torch.Tensor] = []
        for k in reversed(range(len(features))):
            x = F.conv2d(features[k], self._weight(f"channels_{k}", features[k]))
            if calibrate:
                before[k] = x.float().square().mean().rsqrt()
            x = x * before[k].to(x.dtype)
            if mixed:
                coarse = F.conv2d(mixed[0], self._weight(f"down_{k}", x))
                coarse = F.interpolate(coarse, size=x.shape[2:], mode="bilinear", align_corners=False)
                x = (x + coarse) * math.sqrt(0.5)
            x = F.conv2d(x, self._weight(f"scales_{k}", x), padding=1)
            if calibrate:
                after[k] = x.float().square().mean().rsqrt()
            mixed.insert(0, x * after[k].to(x.dtype))
        return mixed


def _layer(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    # Statistics of the batch at hand, always: generated and real pictures come in separate batches.
    norm = nn.BatchNorm2d(outputs, track_running_stats=False)
    # Four taps where every second position is kept: three would weigh the positions unevenly.
    conv = nn.Conv2d(inputs, outputs, 4 if stride == 2 else 3, stride, 1)
    return [spectral_norm(conv), norm, nn.LeakyReLU(0.2)]


class Head(nn.Module):
    """Projected features (N, C, H, W) and a condition (N, K) -> logits of patches (N, P), float32."""

    def __init__(self, inputs: int, strided: int, words: int, width: int = 128) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = inputs
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
        h = self.trunk(x)
        score, key = self.score(h), self.key(h)
        return [
            (score + (key * self.embed(c)[:, :, None, None]).sum(1, keepdim=True)).flatten(1).float()
            for c in conditions
        ]


class ProjectedDiscriminator(nn.Module):
    """The heads and the fixed projection; the feature network is held but is not a part of the state."""

    def __init__(self, network: EfficientNetLite, words: int) -> None:
        super().__init__()
        self._network = [network]
        self.projection = FeatureProjection()
        self.heads = nn.ModuleList(
            Head(width, strided, words) for width, strided in zip(_WIDTHS, _STRIDED, strict=True)
        )
        self.heads.append(Head(3, 3, words, width=64))

    @torch.no_grad()
    def calibrate(self, images: torch.Tensor) -> None:
        """Scale the projections to unit mean square on real ``images`` (N, 3, H, W) in [-1, 1]."""
        self.projection(self._network[0](images), calibrate=True)

    def features(
        self, images: torch.Tensor, pixels: torch.Tensor, precision: torch.dtype
    ) -> list[torch.Tensor]:
        """(N, 3, H, W) in [-1, 1] -> projected features, differentiable in the pictures, and ``pixels``.

        ``pixels`` (N, 3, h, w), a part of the pictures at full resolution, are the last head's input. The
        feature network runs in float32 where a gradient is wanted and in ``precision`` otherwise: backwards
        its depthwise convolutions are slower in bfloat16 (16 against 11 ms a picture at 128 px on a CPU with
        AMX), forwards they are faster (3.1 against 5.5).
        """
        typed = images.float() if images.requires_grad else images.to(precision)
        with torch.autocast(images.device.type, enabled=False):
            found = self._network[0](typed.contiguous(memory_format=torch.channels_last))
        return [*self.projection([x.to(precision) for x in found]), pixels]

    def forward(self, features: list[torch.Tensor], conditions: list[torch.Tensor]) -> list[torch.Tensor]:
        """Logits (N, P) for each caption of ``conditions`` (each (N, K))."""
        scaled = [c / c.sum(1, keepdim=True).clamp(min=1).sqrt() * 4 for c in conditions]
        by_head = [
            head(x.contiguous(memory_format=torch.channels_last), scaled)
            for head, x in zip(self.heads, features, strict=True)
        ]
        return [torch.cat(logits, 1) for logits in zip(*by_head, strict=True)]
