"""What the classifier learns from: whole paintings and photographs, their labels, the teacher's embedding.

Pictures are stretched to one square size and kept with their proportions, so that a crop can be cut out
undistorted; one size for all, because resolution gives away the source, and so some of the labels.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from workers.training.classifier.labels import SOURCES, UNKNOWN, heads_of, labels_of
from workers.training.classifier.outliers import outliers
from workers.training.common.data import Painting, is_validation, paintings, photos
from workers.training.common.perceptual_teacher import Teacher

SIZE = 176
"""Side of the stretched pictures, px: the largest crops are 144 px with room to zoom."""
LAYERS = ("fire2", "fire4", "fire6", "fire8", "fire9")
EMBEDDING = 256
"""Length of the teacher's embedding: principal components of its pooled features. Not tuned."""
OUTLIERS = 1500
"""How many pictures are drawn as outliers beside about as many photographs."""
TRAINING, VALIDATION, CALIBRATION = range(3)
"""The splits."""


def is_calibration(file: str) -> bool:
    """Whether ``file`` is neither for training nor for validation but for calibration (4 %)."""
    number = int.from_bytes(hashlib.sha256(file.encode()).digest()[:8], "big") % 100
    return 5 <= number < 9


def load_stretched(
    data: Path, entries: Sequence[tuple[str, str]], size: int
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Whole pictures, stretched to squares, as uint8 (N, size, size, 3), and width / height of each (N,)."""
    out = np.zeros((len(entries), size, size, 3), np.uint8)
    ratio = np.ones(len(entries), np.float32)
    by_shard: dict[str, list[int]] = {}
    for number, (shard, _) in enumerate(entries):
        by_shard.setdefault(shard, []).append(number)
    for shard, numbers in by_shard.items():
        with zipfile.ZipFile(data / shard) as archive:
            for number in numbers:
                with Image.open(io.BytesIO(archive.read(entries[number][1]))) as image:
                    ratio[number] = image.width / image.height
                    out[number] = np.asarray(
                        image.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)
                    )
    return out, ratio


@dataclass(frozen=True, slots=True)
class ClassificationData:
    """All pictures in one order (paintings, photographs, outliers) with their labels and splits."""

    rows: tuple[Painting, ...]
    pictures: npt.NDArray[np.uint8]
    """(N, SIZE, SIZE, 3): whole pictures, stretched."""
    ratio: npt.NDArray[np.float32]
    """(N,): width / height."""
    labels: dict[str, npt.NDArray[np.int64]]
    """Head -> (N,): label numbers, UNKNOWN where there is none."""
    heads: dict[str, tuple[str, ...]]
    teacher_embedding: npt.NDArray[np.float32]
    """(N, EMBEDDING): whitened principal components of the teacher's pooled features."""
    split: npt.NDArray[np.int64]
    """(N,): TRAINING, VALIDATION or CALIBRATION."""

    def indices(self, split: int) -> npt.NDArray[np.int64]:
        """Indices of one split."""
        return np.flatnonzero(self.split == split)


@torch.inference_mode()
def teacher_features(teacher: Teacher, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Means and deviations of five layers, and the last one's maxima: (N, 3,712)."""
    device = teacher.mean.device
    found = []
    edge = (pictures.shape[1] - 160) // 2
    for start in range(0, len(pictures), 32):
        part = pictures[start : start + 32, edge : edge + 160, edge : edge + 160]
        x = torch.from_numpy(part).permute(0, 3, 1, 2).float().div(127.5).sub(1).to(device)
        layers = teacher(x, LAYERS)
        parts = [value for name in LAYERS for value in (layers[name].mean((2, 3)), layers[name].std((2, 3)))]
        found.append(torch.cat([*parts, layers["fire9"].amax((2, 3))], 1).cpu())
    return np.asarray(torch.cat(found).numpy(), np.float32)


def whitened(features: npt.NDArray[np.float32], train: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Principal components of the training rows' standardised features, half-way between raw and whitened."""
    x = torch.from_numpy(features)
    mean, deviation = x[train].mean(0), x[train].std(0) + 1e-3
    x = ((x - mean) / deviation).clamp_(-6, 6)
    torch.manual_seed(3)
    count = min(EMBEDDING, len(train))
    _, strength, axes = torch.pca_lowrank(x[train], count, center=False, niter=3)
    projected = x @ axes
    # The square root of a whitening: strong components count more, but not by their full variance.
    scale = (strength / len(train) ** 0.5).sqrt()
    projected = F.pad(projected / (scale * scale.mean()), (0, EMBEDDING - count))
    return np.asarray(projected.numpy(), np.float32)


def load_classification_data(
    data: Path, teacher: Teacher, cache: Path, drawn: int = OUTLIERS
) -> ClassificationData:
    """Decode everything and run the teacher once; kept in ``cache``. Raises FileNotFoundError.

    ``drawn``: how many outliers are drawn beside the photographs.
    """
    rows = tuple(paintings(data))
    photographs = photos(data)
    entries = [(row.shard, row.file) for row in rows] + photographs
    file = cache / f"classification-{SIZE}-{len(entries)}-{drawn}.npz"
    if file.is_file():
        with np.load(file) as kept:
            pictures, ratio, features = kept["pictures"], kept["ratio"], kept["features"]
    else:
        pictures, ratio = load_stretched(data, entries, SIZE)
        pictures = np.concatenate([pictures, outliers(drawn, SIZE, 17)])
        ratio = np.concatenate([ratio, np.ones(drawn, np.float32)])
        features = teacher_features(teacher, pictures)
        np.savez(file, pictures=pictures, ratio=ratio, features=features)
    heads = heads_of(rows)
    count, others = len(pictures), len(pictures) - len(rows)
    labels = {}
    for head, known in labels_of(rows, heads).items():
        labels[head] = np.concatenate([known, np.full(others, UNKNOWN, np.int64)])
    labels["source"][len(rows) : len(entries)] = SOURCES.index("photograph")
    labels["source"][len(entries) :] = SOURCES.index("other")
    names = [name for _, name in entries] + [f"outlier-{n}" for n in range(count - len(entries))]
    split = np.array(
        [VALIDATION if is_validation(n) else CALIBRATION if is_calibration(n) else TRAINING for n in names]
    )
    embedding = whitened(features, np.flatnonzero(split == TRAINING))
    return ClassificationData(rows, pictures, ratio, labels, heads, embedding, split)


def random_crops(
    pictures: torch.Tensor, ratio: torch.Tensor, side: int, generator: torch.Generator, least: float = 0.55
) -> torch.Tensor:
    """Stretched pictures uint8 (N, S, S, 3) and proportions (N,) -> random crops (N, 3, side, side).

    Squares without the distortion, ``least`` to 1.05 times the root of the picture's area, mirrored at
    random, with small changes of brightness, contrast and saturation: colour is a part of a style.
    """
    n = len(pictures)
    x = pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(n, *shape, generator=generator)

    scale, root = uniform(least, 1.05), ratio.sqrt()
    stretch = uniform(-0.12, 0.12).exp()
    # A square of ``scale`` times the root of the area covers this share of the width and of the height.
    wide, high = (scale / root * stretch).clamp(max=1.3), (scale * root / stretch).clamp(max=1.3)
    flip = (torch.rand(n, generator=generator) < 0.5).float() * -2 + 1
    theta = torch.zeros(n, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1] = wide * flip, high
    theta[:, 0, 2] = (1 - wide).clamp(min=0) * uniform(-1, 1)
    theta[:, 1, 2] = (1 - high).clamp(min=0) * uniform(-1, 1)
    grid = F.affine_grid(theta, [n, 3, side, side], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * uniform(0.7, 1.3, 1, 1, 1)
    middle = x.mean((1, 2, 3), keepdim=True)
    return (middle + (x - middle) * uniform(0.8, 1.25, 1, 1, 1) + uniform(-0.12, 0.12, 1, 1, 1)).clamp(-1, 1)
