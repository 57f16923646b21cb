"""The scene classifier: names the scene of a painting and what its row says, to measure the generator with.

A small residual network from scratch that has seen real paintings only and shares nothing with the training
of the generator. Never shipped: it lives in its run folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from workers.training.classifier.scene_labels import SCENES
from workers.training.common.feature_metrics import Array
from workers.training.common.run import CHECKPOINT
from workers.training.common.statistics import roc_auc

SIZE = 96
"""Side at which the finished network sees pictures, px."""


@dataclass(frozen=True, slots=True)
class SceneClassifierConfig:
    """Sizes. ``widths``: channels at 1/4, 1/8 and 1/16 of the picture."""

    tags: tuple[str, ...]
    stem: int = 24
    widths: tuple[int, ...] = (40, 80, 160)


class _Block(nn.Module):
    """(N, C, r, r) -> the same: a residual pair of convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pair = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(x + self.pair(x))


class SceneClassifierNet(nn.Module):
    """Pictures (N, 3, S, S) in [-1, 1] -> features (N, D), and from them scenes (N, 8) and tags (N, T)."""

    def __init__(self, config: SceneClassifierConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise((3, config.stem, *config.widths)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
            if inputs != 3:
                layers.append(_Block(outputs))
        self.trunk = nn.Sequential(*layers)
        self.drop = nn.Dropout(0.3)
        self.scenes = nn.Linear(config.widths[-1] * 2, len(SCENES))
        self.tags = nn.Linear(config.widths[-1] * 2, len(config.tags))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Mean and maximum over the picture, (N, 2 * widths[-1])."""
        x = self.trunk(images)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.drop(self.features(images))
        return self.scenes(features), self.tags(features)


class SceneClassifier:
    """A trained network and its reliability. Pictures of any size are resized to 96 px; answers are the mean
    over each picture and its mirror image."""

    def __init__(self, net: SceneClassifierNet, reliability: dict[str, Any], device: torch.device) -> None:
        """``reliability``: figures of :func:`reliability` and of the tags, as the checkpoint has them."""
        self.net = net.eval().requires_grad_(False).to(device)
        self.reliability, self.device = reliability, device

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> SceneClassifier:
        """From the run folder of ``scene-classifier``. Raises FileNotFoundError."""
        saved = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)["state"]
        config = saved["config"]
        net = SceneClassifierNet(
            SceneClassifierConfig(tuple(config["tags"]), config["stem"], tuple(config["widths"]))
        )
        net.load_state_dict(saved["average"])
        return cls(net, saved["reliability"], device)

    def _with_mirrored(self, batch: torch.Tensor) -> torch.Tensor:
        x = batch.to(self.device).float()
        if x.shape[-1] != SIZE:
            x = F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
        return torch.cat([x, x.flip(3)])

    @torch.no_grad()
    def scenes(self, batches: Iterable[torch.Tensor]) -> Array:
        """Batches (n, 3, S, S) in [-1, 1] -> the probability of each of SCENES, (N, 8)."""
        found = []
        for batch in batches:
            logits = self.net(self._with_mirrored(batch))[0]
            found.append(logits.softmax(1).view(2, -1, len(SCENES)).mean(0).double().cpu().numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def tags(self, batches: Iterable[torch.Tensor]) -> Array:
        """Batches (n, 3, S, S) in [-1, 1] -> a score for each tag of the configuration, (N, T)."""
        found = []
        for batch in batches:
            logits = self.net(self._with_mirrored(batch))[1]
            found.append(logits.view(2, -1, logits.shape[1]).mean(0).double().cpu().numpy())
        return np.concatenate(found)

    @torch.no_grad()
    def features(self, batches: Iterable[torch.Tensor]) -> Array:
        """Batches (n, 3, S, S) in [-1, 1] -> features (N, D) for distances."""
        found = []
        for batch in batches:
            both = self.net.features(self._with_mirrored(batch))
            found.append(both.view(2, -1, both.shape[1]).mean(0).double().cpu().numpy())
        return np.concatenate(found)


def reliability(probabilities: Array, truth: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Accuracy of ``probabilities`` (N, 8) against ``truth`` (N,), none UNKNOWN.

    ``per_scene`` is the share of a scene's pictures that it names first; ``confusion[true][named]`` counts.
    """
    first = probabilities.argmax(1)
    confusion = np.zeros((len(SCENES), len(SCENES)), int)
    np.add.at(confusion, (truth, first), 1)
    shares = confusion.diagonal() / np.maximum(confusion.sum(1), 1)
    among_two = (probabilities.argsort(1)[:, -2:] == truth[:, None]).any(1)
    return {
        "pictures": len(truth),
        "first_guess_right": round(float((first == truth).mean()), 3),
        "mean_over_scenes": round(float(shares[confusion.sum(1) > 0].mean()), 3),
        "among_first_two": round(float(among_two.mean()), 3),
        "per_scene": {name: round(float(share), 2) for name, share in zip(SCENES, shares, strict=True)},
        "confusion": {
            name: {other: int(count) for other, count in zip(SCENES, row, strict=True) if count}
            for name, row in zip(SCENES, confusion, strict=True)
        },
    }


def tag_aucs(scores: Array, truth: npt.NDArray[np.float32], tags: Sequence[str]) -> dict[str, float]:
    """Area under the ROC curve of tags that 4 rows or more carry: ``scores`` (N, T) against 0/1 (N, T)."""
    there = np.flatnonzero((truth.sum(0) >= 4) & (truth.sum(0) < len(truth)))
    return {tags[k]: round(roc_auc(scores[:, k], truth[:, k] > 0), 3) for k in there.tolist()}
