"""Distances between sets of pictures in teacher features, and simple measures of variety.

Features are the teacher's last fire module, averaged over the picture (512 numbers), on 128 px
pictures. Distances are given in thousands (two disjoint sets of 800 and 1,600 real paintings: 4.9).
Smaller samples give larger Frechet distances: compare equal counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from workers.training.common.perceptual_teacher import Teacher

SIZE = 128
"""Side of the pictures whose features are compared, px."""
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean (D,) and covariance (D, D) of a set of features."""

    mean: Array
    covariance: Array

    @classmethod
    def of(cls, features: Array) -> Moments:
        """``features`` (N, D), N at least 2."""
        return cls(features.mean(0), np.cov(features, rowvar=False))


@torch.no_grad()
def pooled(teacher: Teacher, batches: Iterable[torch.Tensor]) -> Array:
    """Batches (N, 3, S, S) in [-1, 1] -> features (total, 512); other sizes are resized to 128 px (area)."""
    found = []
    for batch in batches:
        x = batch.to(teacher.mean.device).float()
        if x.shape[-1] != SIZE:
            x = F.interpolate(x, size=(SIZE, SIZE), mode="bilinear", antialias=True, align_corners=False)
        x = x.contiguous(memory_format=torch.channels_last)
        found.append(teacher(x, ("fire9",))["fire9"].mean((2, 3)).double().cpu().numpy())
    return np.concatenate(found)


def _root(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)


def frechet(a: Moments, b: Moments) -> float:
    """Frechet distance of two Gaussians (Heusel et al. 2017), in thousands."""
    root = _root(a.covariance)
    values = np.linalg.eigvalsh(root @ b.covariance @ root)
    trace = np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.sqrt(np.clip(values, 0, None)).sum()
    return float(np.square(a.mean - b.mean).sum() + trace) / 1000


def kernel_distance(a: Array, b: Array) -> float:
    """Unbiased squared MMD with the cubic kernel (Binkowski et al. 2018), of features / 1000**0.5."""
    dimensions = a.shape[1] * 1000

    def kernel(x: Array, y: Array) -> Array:
        return np.asarray((x @ y.T / dimensions + 1) ** 3)

    m, n = len(a), len(b)
    within_a, within_b = kernel(a, a), kernel(b, b)
    same = (within_a.sum() - np.trace(within_a)) / (m * (m - 1))
    same += (within_b.sum() - np.trace(within_b)) / (n * (n - 1))
    return float(same - 2 * kernel(a, b).mean())


def uint8_batches(pictures: npt.NDArray[np.uint8], batch: int = 32) -> Iterable[torch.Tensor]:
    """uint8 (N, S, S, 3) -> float batches (n, 3, S, S) in [-1, 1]."""
    for start in range(0, len(pictures), batch):
        chunk = torch.from_numpy(np.ascontiguousarray(pictures[start : start + batch]))
        yield chunk.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
