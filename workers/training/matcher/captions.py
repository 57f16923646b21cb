"""Captions of paintings: which pictures are landscapes, and the words that describe each of them.

Words come from the title, painter and style of the row, and from colours and brightness measured
on the picture, so that a colour in a prompt means the colour of pixels and not that of a title.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.engines.language.prompt_lexicon import GROUPS, Vocabulary, words_of
from workers.training.common.data import Painting, is_validation, load_squares, paintings
from workers.training.common.feature_metrics import SIZE, pooled, uint8_batches
from workers.training.common.perceptual_teacher import Teacher
from workers.training.matcher.pseudo_labels import PREDICTED, implied, predict_words

_LAND = re.compile(
    r"\b(landscape|sea|seascape|river|lake|mountains?|himalayas|gardens?|bridge|beach|forest|snow|winter|autumn|"
    r"spring|summer|sunset|sunrise|night|moonlight|morning|evening|village|church|road|fields?|cliffs?|port|"
    r"harbou?r|boats?|ships?|trees?|water|lilies|pond|street|city|storm|coast|meadow|valley|seine|venice)\b",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(portrait|self|woman|girl|lady|madonna|christ|saint|madame|head|child|man)\b", re.IGNORECASE
)
_STYLES = {
    "Impressionism": "impressionism",
    "Post Impressionism": "postimpressionism",
    "Romanticism": "romanticism",
    "Symbolism": "symbolism",
    "Art Nouveau": "artnouveau",
    "Baroque": "baroque",
    "Realism": "realism",
    "Naturalism": "realism",
    "Divisionism": "pointillism",
    "Shin hanga": "ukiyoe",
    "Ukiyo e": "ukiyoe",
    "Tonalism": "tonalism",
    "Chinese Ming dynasty": "ink",
    "Chinese Song dynasty": "ink",
    "Cubism": "cubism",
    "Cubo Futurism": "cubism",
}
_ALL = Vocabulary(words_of())
_ARTISTS = frozenset(GROUPS["artist"].split())
_FEWEST = 24
"""A word with fewer pictures than this is left out of a model's vocabulary; not tuned."""


def is_view(painting: Painting) -> bool:
    """Whether the row is a landscape, a seascape or a view of a city."""
    if painting.genre in ("landscape", "cityscape"):
        return True
    return not painting.genre and bool(_LAND.search(painting.title)) and not _PERSON.search(painting.title)


def metadata_words(painting: Painting) -> set[str]:
    """Words from the title, the painter and the style of the row."""
    words = set(_ALL.read(painting.title).words) - _ARTISTS
    words |= set(_ALL.read(painting.artist).words) & _ARTISTS
    for style in painting.style.split("|"):
        if style in _STYLES:
            words.add(_STYLES[style])
    if painting.genre == "cityscape":
        words.add("city")
    elif "city" not in words and "street" not in words:
        words.add("landscape")
    return words


def colour_shares(pictures: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
    """Measured facts of uint8 (N, H, W, 3) pictures; each value is float32 (N,).

    Colour names give the share (0..1) of pixels with that colour; ``contrast`` is the deviation of the
    brightness; ``value`` (brightness), ``saturation`` and ``warmth`` (red minus blue) are means in 0..1,
    ``warmth`` in -1..1.
    """
    n = len(pictures)
    small = pictures[:, ::4, ::4].reshape(n, -1, 3).astype(np.float32) / 255
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    value = small.max(-1)
    chroma = value - small.min(-1)
    saturation = chroma / np.maximum(value, 1e-3)
    safe = np.maximum(chroma, 1e-6)
    hue = np.where(
        value == red,
        ((green - blue) / safe) % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = hue * 60
    coloured = (saturation > 0.22) & (value > 0.16)

    def share(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        return np.asarray(mask.mean(1), np.float32)

    def between(low: float, high: float) -> npt.NDArray[np.bool_]:
        return np.asarray(coloured & (hue >= low) & (hue < high))

    warm_dark = (value < 0.58) & (saturation > 0.3)
    pale_red = (value > 0.6) & (saturation < 0.5)
    return {
        "red": share((between(0, 16) | between(335, 361)) & ~pale_red & (saturation > 0.35)),
        "orange": share(between(16, 40) & ~warm_dark & (saturation > 0.4)),
        "brown": share(between(8, 46) & warm_dark),
        "yellow": share(between(40, 66) & (value > 0.45)),
        "green": share(between(66, 165)),
        "cyan": share(between(165, 200)),
        "blue": share(between(200, 255)),
        "purple": share(between(255, 320)),
        "pink": share((between(320, 361) | between(0, 24)) & pale_red),
        "white": share((value > 0.82) & (saturation < 0.16)),
        "black": share(value < 0.2),
        "grey": share((saturation < 0.16) & (value >= 0.2) & (value <= 0.82)),
        "value": np.asarray(value.mean(1), np.float32),
        "contrast": np.asarray(value.std(1), np.float32),
        "saturation": np.asarray(saturation.mean(1), np.float32),
        "warmth": np.asarray((red - blue).mean(1), np.float32),
    }


COLOUR_LIMITS = {
    "red": 0.1,
    "orange": 0.22,
    "brown": 0.35,
    "yellow": 0.25,
    "green": 0.25,
    "cyan": 0.2,
    "blue": 0.22,
    "purple": 0.12,
    "pink": 0.12,
    "white": 0.3,
    "black": 0.35,
    "grey": 0.55,
}
"""Share of the picture from which a colour is one of its words; chosen by looking at pictures."""


def measured_words(pictures: npt.NDArray[np.uint8]) -> list[set[str]]:
    """Colour and tone words of uint8 (N, H, W, 3) pictures."""
    facts = colour_shares(pictures)
    tones = {
        "dark": facts["value"] < 0.36,
        "bright": facts["value"] > 0.68,
        "warm": facts["warmth"] > 0.24,
        "cold": facts["warmth"] < -0.04,
        "vivid": facts["saturation"] > 0.55,
        "muted": facts["saturation"] < 0.2,
        "stark": facts["contrast"] > 0.25,
        "soft": facts["contrast"] < 0.125,
    }
    flags = {name: facts[name] > limit for name, limit in COLOUR_LIMITS.items()} | tones
    return [{name for name, flag in flags.items() if flag[n]} for n in range(len(pictures))]


@dataclass(frozen=True, slots=True)
class CaptionedPictures:
    """Pictures uint8 (N, S, S, 3), multi-hot captions float32 (N, K) over ``words``, and the split.

    ``features`` float64 (N, 512) are the teacher's, of the centre of each picture at 128 px.
    """

    pictures: npt.NDArray[np.uint8]
    captions: npt.NDArray[np.float32]
    words: tuple[str, ...]
    validation: npt.NDArray[np.bool_]
    features: npt.NDArray[np.float64]


def _cached(path: Path, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    if path.is_file():
        kept: npt.NDArray[Any] = np.load(path)
        return kept
    made = make()
    np.save(path, made)
    return made


def load_views(data: Path, size: int, teacher: Teacher, cache: Path) -> CaptionedPictures:
    """All views of ``paintings.csv`` as centre squares of ``size`` px (128 or more), with captions.

    ``cache`` is a folder where decoded squares and features are kept between runs
    (delete it after changing how they are made).
    """
    rows = [row for row in paintings(data) if is_view(row)]
    entries = [(row.shard, row.file) for row in rows]
    pictures = _cached(cache / f"views-{size}-{len(rows)}.npy", lambda: load_squares(data, entries, size))
    edge = (size - SIZE) // 2
    centres = pictures[:, edge : edge + SIZE, edge : edge + SIZE]
    features = _cached(cache / f"features-{len(rows)}.npy", lambda: pooled(teacher, uint8_batches(centres)))
    measured_groups = set(words_of("colour", "tone"))
    named = [metadata_words(row) - measured_groups for row in rows]
    measured = measured_words(pictures)
    counts = Counter(word for one, more in zip(named, measured, strict=True) for word in one | more)
    words = tuple(word for word in words_of() if counts[word] >= _FEWEST)
    index = {word: number for number, word in enumerate(words)}
    captions = np.zeros((len(rows), len(words)), np.float32)
    flags = _cached(
        cache / f"pseudo-labels-{len(rows)}.npy",
        lambda: np.array([[word in one for word in PREDICTED] for one in predict_words(features, named)]),
    )
    for number, row in enumerate(flags):
        new = {word for word, flag in zip(PREDICTED, row, strict=True) if flag}
        whole = implied(named[number] | new) | measured[number]
        captions[number, [index[word] for word in whole if word in index]] = 1
    validation = np.array([is_validation(row.file) for row in rows])
    return CaptionedPictures(pictures, captions, words, validation, features)
