"""Plots of a classifier's answers: confusion matrices, a reliability diagram. They show no training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

Bins = Sequence[tuple[float, float, int]]
"""Mean confidence, accuracy and count of each bin that is not empty."""


def confusion(
    known: npt.NDArray[np.int64], guessed: npt.NDArray[np.int64], labels: int
) -> npt.NDArray[np.float64]:
    """Row by true label: shares of the guesses, (labels, labels); a label without pictures has zeros."""
    counts = np.zeros((labels, labels))
    np.add.at(counts, (known, guessed), 1)
    totals = counts.sum(1, keepdims=True)
    return counts / np.where(totals > 0, totals, 1)


def confusion_plot(
    known: npt.NDArray[np.int64], guessed: npt.NDArray[np.int64], labels: Sequence[str], path: Path
) -> None:
    """A confusion matrix as a picture: truth down, guesses across."""
    shares = confusion(known, guessed, len(labels))
    counts = np.bincount(known, minlength=len(labels))
    size = 2.6 + 0.22 * len(labels)
    figure = Figure(figsize=(size + 1.2, size), layout="constrained", dpi=96)
    axis = figure.subplots()
    axis.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    axis.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    named = [f"{label} ({n})" for label, n in zip(labels, counts, strict=True)]
    axis.set_yticks(range(len(labels)), named, fontsize=7)
    axis.set_xlabel("first guess")
    axis.set_ylabel("truth (pictures)")
    if len(labels) <= 12:
        for (row, column), share in np.ndenumerate(shares):
            if share >= 0.005:
                colour = "white" if share < 0.6 else "black"
                axis.text(column, row, f"{share:.0%}", ha="center", va="center", fontsize=6, color=colour)
    figure.savefig(path)


def reliability_plot(bins: Mapping[str, Bins], path: Path) -> None:
    """How often a head is right beside how sure it says it is; the diagonal is perfect."""
    figure = Figure(figsize=(4.2, 3.8), layout="constrained", dpi=96)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="#9fb0bd", linewidth=1)
    for (head, found), colour in zip(bins.items(), ("#22303c", "#b5382a", "#3a7d6b"), strict=False):
        axis.plot([b[0] for b in found], [b[1] for b in found], "o-", color=colour, label=head, markersize=4)
    axis.set_xlabel("said to be this sure")
    axis.set_ylabel("was right so often")
    axis.legend(frameon=False)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
