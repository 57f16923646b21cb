"""Measures on sets of features: everything here takes float64 arrays and knows nothing of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.training.common.feature_metrics import Array


def distances(a: Array, b: Array) -> Array:
    """Euclidean distances (N, M) of rows ``a`` (N, D) and ``b`` (M, D)."""
    squares = np.square(a).sum(1)[:, None] + np.square(b).sum(1)[None] - 2 * a @ b.T
    return np.asarray(np.sqrt(np.clip(squares, 0, None)))


def _radii(features: Array, k: int) -> Array:
    """Distance of each row to its ``k``-th nearest other row."""
    among = distances(features, features)
    # Rounding must not make a row its own distant neighbour.
    np.fill_diagonal(among, 0)
    return np.asarray(np.partition(among, k, axis=1)[:, k])


def precision_recall(real: Array, made: Array, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkaanniemi et al. 2019): each in 0..1.

    Precision: the share of made pictures that lie in the real ones' manifold, the union of balls around
    each row that reach to its ``k``-th neighbour; recall the other way round. Both sets have more than ``k``
    rows; compare equal counts.
    """
    between = distances(real, made)
    of_real, of_made = _radii(real, k), _radii(made, k)
    precision = (between <= of_real[:, None]).any(0).mean()
    recall = (between <= of_made[None]).any(1).mean()
    return float(precision), float(recall)


def nearest(features: Array, among: Sequence[Array]) -> tuple[Array, npt.NDArray[np.int64]]:
    """Distance of each row to the nearest row of any table in ``among`` (tables of one length), and whose."""
    best = np.min([distances(features, table) for table in among], axis=0)
    index = best.argmin(1)
    return np.take_along_axis(best, index[:, None], 1)[:, 0], index


def memorisation(made: Array, held_out: Array) -> dict[str, Any]:
    """Compares distances to the nearest training picture, of made and of held-out real pictures (1-D arrays).

    ``below_first_percentile``: the share of made pictures that are nearer to a training picture than all but
    1 % of the held-out ones; about 0.01 when nothing is memorised and pictures are as varied as real ones.
    """
    points = (1, 25, 50, 75, 99)
    limit = np.percentile(held_out, 1)
    return {
        "made_percentiles": {str(p): round(float(np.percentile(made, p)), 1) for p in points},
        "held_out_percentiles": {str(p): round(float(np.percentile(held_out, p)), 1) for p in points},
        "median_ratio": round(float(np.median(made) / np.median(held_out)), 3),
        "below_first_percentile": round(float((made < limit).mean()), 4),
    }


def mean_pairwise(features: Array) -> float:
    """Mean distance between different rows; two rows at least."""
    count = len(features)
    return float(distances(features, features).sum() / (count * (count - 1)))


def closest_pair(features: Array) -> float:
    """The smallest distance between two rows."""
    among = distances(features, features)
    np.fill_diagonal(among, np.inf)
    return float(among.min())


def pairs_nearer_than(features: Array, limit: float) -> int:
    """How many pairs of different rows are nearer than ``limit``."""
    among = distances(features, features)
    return int((among[np.triu_indices(len(among), 1)] < limit).sum())


def loop_steps(features: Array) -> Array:
    """Distances between neighbouring frames of a loop (N, D), the last one's step to the first included."""
    return np.asarray(np.linalg.norm(np.roll(features, -1, axis=0) - features, axis=1))


def unevenness(steps: Array) -> float:
    """Largest step over the median step: 1 is even, 2 and more is a jump."""
    return float(steps.max() / max(float(np.median(steps)), 1e-12))


def roc_auc(scores: Array, positive: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve: how often a positive's score is above a negative's (ties count half).

    0.5 is chance. Raises ValueError when all are positive or none.
    """
    first, second = scores[positive], scores[~positive]
    if not len(first) or not len(second):
        raise ValueError("an area needs positives and negatives")
    above = (first[:, None] > second[None]).mean() + 0.5 * (first[:, None] == second[None]).mean()
    return float(above)
