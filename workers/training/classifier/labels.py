"""Labels of the classifier: style, painter and genre from paintings.csv, and the source of a picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from workers.training.common.data import Painting

UNKNOWN = -1
"""Label of a picture that does not count for a head."""
PAINTERS = 40
"""How many have a label: those with most paintings."""
STYLES: Mapping[str, tuple[str, ...]] = {
    "Impressionism": ("Impressionism",),
    "Romanticism": ("Romanticism",),
    "Post-Impressionism": ("Post Impressionism",),
    "Symbolism": ("Symbolism",),
    "Baroque": ("Baroque",),
    "Art Nouveau": ("Art Nouveau",),
    "Realism": ("Realism", "Naturalism"),
    "Chinese ink painting": ("Chinese Ming dynasty", "Chinese Song dynasty"),
    "Divisionism": ("Divisionism",),
    "Japanese prints": ("Shin hanga", "Ukiyo e"),
    "Renaissance": ("Renaissance", "High Renaissance", "Northern Renaissance", "Proto Renaissance"),
    "Cubism": ("Cubism", "Cubo Futurism"),
}
"""Twelve styles with 150 paintings or more: what the rows call them."""
GENRES = (
    "landscape",
    "genre painting",
    "portrait",
    "cityscape",
    "religious painting",
    "still life",
    "illustration",
)
SOURCES = ("painting", "photograph", "other")
"""The head that says whether a picture is a painting at all (outlier exposure, Hendrycks et al. 2019)."""
_STYLE_OF = {said: name for name, spellings in STYLES.items() for said in spellings}


def style_of(painting: Painting) -> str:
    """The one style of STYLES that the row names, or "" when it names none or several."""
    found = {_STYLE_OF[said] for said in painting.style.split("|") if said in _STYLE_OF}
    return found.pop() if len(found) == 1 else ""


def painters(rows: Sequence[Painting], count: int = PAINTERS) -> tuple[str, ...]:
    """The ``count`` painters with most paintings, most first."""
    counted = Counter(row.artist for row in rows if row.artist)
    return tuple(name for name, _ in counted.most_common(count))


def heads_of(rows: Sequence[Painting]) -> dict[str, tuple[str, ...]]:
    """The classifier's questions and their labels."""
    return {"style": tuple(STYLES), "painter": painters(rows), "genre": GENRES, "source": SOURCES}


def labels_of(
    rows: Sequence[Painting], heads: Mapping[str, Sequence[str]]
) -> dict[str, npt.NDArray[np.int64]]:
    """Head -> label number (N,) of each row, UNKNOWN where it has none."""
    said = {
        "style": [style_of(row) for row in rows],
        "painter": [row.artist for row in rows],
        "genre": [row.genre for row in rows],
        "source": [SOURCES[0]] * len(rows),
    }
    numbers = {head: {label: n for n, label in enumerate(labels)} for head, labels in heads.items()}
    return {
        head: np.array([numbers[head].get(word, UNKNOWN) for word in said[head]], np.int64) for head in heads
    }
