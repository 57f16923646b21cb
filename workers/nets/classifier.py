"""Classifier: a residual network for paintings, with a head for each of style, painter, genre and source.

Residual blocks from He et al. 2016. The heads read means and deviations of three depths, because style is
texture (Gatys et al. 2016) as much as shape. The same network gives the embedding for the search of similar
pictures, and the features for activation maximisation and for the optimisation of style transfer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

STRIDE = 16
"""Pixels per cell of the deepest features."""


@dataclass(frozen=True, slots=True)
class ClassifierConfig:
    """The sizes that rebuild a Classifier. ``heads``: head -> labels, in order.

    ``widths``: channels at 1/4, 1/8 and 1/16 of the picture, ``blocks``: residual blocks there,
    ``embedding``: length of the embedding.
    """

    heads: Mapping[str, tuple[str, ...]]
    stem: int = 24
    widths: tuple[int, int, int] = (40, 80, 160)
    blocks: tuple[int, int, int] = (1, 2, 3)
    embedding: int = 256
    side: int = 144
    """Inputs have about ``side * side`` pixels, whatever the picture's size."""

    def to_card(self) -> dict[str, Any]:
        """JSON-safe form for the model card."""
        return asdict(self)

    @classmethod
    def from_card(cls, config: Mapping[str, Any]) -> ClassifierConfig:
        """Raises KeyError, TypeError or ValueError when the card's config is not one of a Classifier."""
        fields = dict(config)
        heads = {str(name): tuple(map(str, labels)) for name, labels in fields.pop("heads").items()}
        shapes = {name: tuple(map(int, fields.pop(name))) for name in ("widths", "blocks")}
        if not heads or any(len(shape) != 3 for shape in shapes.values()):
            raise ValueError("a classifier needs heads, three widths and three counts of blocks")
        return cls(heads=heads, **shapes, **fields)  # type: ignore[arg-type]


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Residual(nn.Module):
    """(N, C, H, W) -> the same: two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels, 3)
        self.second = _conv(channels, channels, 3)

    def preactivation(self, x: torch.Tensor) -> torch.Tensor:
        """The block's value before its last ReLU: negative where a channel is inactive."""
        summed: torch.Tensor = x + self.second(F.relu(self.first(x)))
        return summed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.preactivation(x))


class Classifier(nn.Module):
    """Pictures (N, 3, H, W) RGB in [-1, 1], 64 px each way or more -> logits per head."""

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = _conv(3, config.stem, 3, 2)
        self.downs = nn.ModuleList()
        self.stages = nn.ModuleList()
        inputs = config.stem
        for width, count in zip(config.widths, config.blocks, strict=True):
            self.downs.append(_conv(inputs, width, 3, 2))
            self.stages.append(nn.Sequential(*(Residual(width) for _ in range(count))))
            inputs = width
        pooled = 2 * sum(config.widths)
        self.norm = nn.BatchNorm1d(pooled)
        self.embed = nn.Linear(pooled, config.embedding)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(config.embedding, len(labels)) for name, labels in config.heads.items()}
        )
        self.drop = nn.Dropout(0.3)

    def features(self, images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """ReLU outputs after the stem and each stage, at 1/2, 1/4, 1/8 and 1/16 of the picture."""
        x = F.relu(self.stem(images))
        found = [x]
        for down, stage in zip(self.downs, self.stages, strict=True):
            x = stage(F.relu(down(x)))
            found.append(x)
        return tuple(found)

    def embedding(self, features: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Features of :meth:`features` -> (N, embedding), not normalised."""
        pooled = []
        for x in features[1:]:
            mean = x.mean((2, 3))
            deviation = ((x - mean[:, :, None, None]).square().mean((2, 3)) + 1e-5).sqrt()
            pooled += [mean, deviation]
        embedded: torch.Tensor = self.embed(self.norm(torch.cat(pooled, 1)))
        return embedded

    def logits(self, embedding: torch.Tensor) -> dict[str, torch.Tensor]:
        """(N, embedding) -> logits (N, labels) per head."""
        h = self.drop(F.relu(embedding))
        return {name: head(h) for name, head in self.heads.items()}

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.logits(self.embedding(self.features(images)))
