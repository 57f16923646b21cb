"""The frozen perceptual teacher: an ImageNet-trained SqueezeNet 1.0 (Iandola et al. 2016), in training only.

Its weights are training data (``--data DIR/teacher``) and are never shipped. Features feed the style
loss (Gatys et al. 2016), the projected discriminator (Sauer et al. 2021) and the Frechet distance.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LAYERS = ("conv1", "fire2", "fire3", "fire4", "fire5", "fire6", "fire7", "fire8", "fire9")
CHANNELS = dict(zip(LAYERS, (96, 128, 128, 256, 256, 384, 384, 512, 512), strict=True))
_POOL_AFTER = {"conv1", "fire4", "fire8"}


class Teacher(nn.Module):
    """Frozen SqueezeNet 1.0 features. Takes RGB in [-1, 1]; any size from about 48 px."""

    mean: torch.Tensor

    def __init__(self, data: Path) -> None:
        """Load ``data/teacher/squeezenet_v1_0.npz``. Raises FileNotFoundError when it is not there."""
        super().__init__()
        self.register_buffer("mean", torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1))
        with np.load(data / "teacher" / "squeezenet_v1_0.npz") as file:
            for name in file.files:
                self.register_buffer(self._key(name), torch.from_numpy(file[name]).float())
        self.requires_grad_(False)
        self.eval()

    @staticmethod
    def _key(name: str) -> str:
        return name.replace("/", "_").replace(".", "_")

    def _conv(self, x: torch.Tensor, name: str, stride: int = 1, padding: int = 0) -> torch.Tensor:
        weight = self.get_buffer(self._key(f"{name}.w")).to(x.dtype)
        bias = self.get_buffer(self._key(f"{name}.b")).to(x.dtype)
        # In place: half of the memory traffic of a pass, and nobody needs the value before it.
        return F.relu_(F.conv2d(x, weight, bias, stride, padding))

    def _fire(self, x: torch.Tensor, name: str) -> torch.Tensor:
        squeezed = self._conv(x, f"{name}/conv1x1_1")
        return torch.cat(
            [self._conv(squeezed, f"{name}/conv1x1_2"), self._conv(squeezed, f"{name}/conv3x3_2", padding=1)],
            1,
        )

    def forward(self, image: torch.Tensor, layers: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """``image`` float (N, 3, H, W) RGB in [-1, 1] -> the ReLU output of each named layer, unpooled."""
        wanted = set(layers)
        unknown = wanted - set(LAYERS)
        if unknown:
            raise ValueError(f"no teacher layer {sorted(unknown)}; there are {LAYERS}")
        found: dict[str, torch.Tensor] = {}
        # The network was trained on BGR in 0..255 with the mean taken off.
        x = (image.flip(1) + 1) * 127.5 - self.mean.to(image.dtype)
        for name in LAYERS:
            x = self._conv(x, "conv1", stride=2) if name == "conv1" else self._fire(x, name)
            if name in wanted:
                found[name] = x
                if len(found) == len(wanted):
                    break
            if name in _POOL_AFTER:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        return found


def gram(features: torch.Tensor) -> torch.Tensor:
    """Gram matrix, float32: (N, C, H, W) -> (N, C, C), divided by C*H*W (Gatys et al. 2016)."""
    n, c, h, w = features.shape
    flat = features.float().reshape(n, c, h * w)
    return flat @ flat.transpose(1, 2) / (c * h * w)
