"""The analysis of a picture by a classifier, parsed from the details of a work into typed values.

The details come from an engine, perhaps an operator's own. What has another form than format 1 is not
shown, and so is a map whose cells are not as many as it says.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gallery.models import Artwork
from gallery.presentation.analysis_terms import COLOURS, GENRES, PAINTERS, STYLES, THINGS, term

DETAIL = "analysis"
FORMAT = 1
MOST = 8
"""Most classes of a head, colours and neighbours that are shown."""
MOST_CELLS = 128
"""Most cells along a side of a map."""
LEAST = 0.005
"""A class with a smaller share is not worth a line, but for the first."""

HEADS: Mapping[str, tuple[str | Promise, Mapping[str, str]]] = {
    "style": (_("Style"), STYLES),
    "painter": (_("Painter"), PAINTERS),
    "genre": (_("Genre"), GENRES),
}
_MEASURES: Mapping[str, str | Promise] = {
    "brightness": _("Brightness"),
    "contrast": _("Contrast"),
    "saturation": _("Saturation"),
    "symmetry": _("Symmetry"),
}
_LIGHT: Mapping[str, str | Promise] = {
    "bright": _("bright light"),
    "dim": _("dim light"),
    "dark": _("little light"),
}
_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Which cells of a picture speak for a class: ``cells`` is base64 of width * height bytes, row by row."""

    width: int
    height: int
    cells: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A class with its calibrated share in [0, 1], and its evidence when there is any."""

    code: str
    """``style-0``: the head, and the place among its answers."""
    label: str
    share: float
    evidence: HeatMap | None

    @property
    def percent(self) -> int:
        """The share as whole percent."""
        return round(100 * self.share)


@dataclass(frozen=True, slots=True)
class Head:
    """One question to the network, with its answers, most likely first."""

    name: str
    label: str
    guesses: tuple[Guess, ...]


@dataclass(frozen=True, slots=True)
class SimilarPainting:
    """A training picture of the network that looks alike."""

    title: str
    artist: str


@dataclass(frozen=True, slots=True)
class Swatch:
    """A colour ``#rrggbb`` with its name and its share of the picture."""

    colour: str
    name: str
    share: float

    @property
    def percent(self) -> int:
        """The share as whole percent."""
        return round(100 * self.share)


@dataclass(frozen=True, slots=True)
class Measure:
    """Something measured, in [0, 1]."""

    label: str
    value: float

    @property
    def percent(self) -> int:
        """The value as whole percent."""
        return round(100 * self.value)


@dataclass(frozen=True, slots=True)
class Analysis:
    """Everything that is told about a picture. ``horizon``: percent of the height, from the top, or None.

    ``unlike``: it is nothing that the network was trained on, and its guesses mean little.
    """

    heads: tuple[Head, ...]
    unlike: bool
    known: int
    near: tuple[SimilarPainting, ...]
    palette: tuple[Swatch, ...]
    measures: tuple[Measure, ...]
    horizon: int | None
    sees: tuple[str, ...]

    @property
    def has_evidence(self) -> bool:
        """Whether there is any map to lay over the picture."""
        return any(guess.evidence for head in self.heads for guess in head.guesses)

    @property
    def first(self) -> str:
        """The code of the first class with evidence, whose map is shown at first."""
        codes = (guess.code for head in self.heads for guess in head.guesses if guess.evidence)
        return next(codes, "")


def analysis_of(artwork: Artwork) -> Analysis | None:
    """The analysis in the visitor's language; None when the work has none, or one of another form."""
    told = artwork.details.get(DETAIL)
    if not isinstance(told, Mapping) or told.get("format") != FORMAT:
        return None
    try:
        return _read(told)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _read(told: Mapping[str, Any]) -> Analysis:
    composition = told["composition"]
    horizon = composition.get("horizon")
    return Analysis(
        heads=tuple(_heads(told["heads"], told.get("maps", {}))),
        unlike=bool(told["unlike"]),
        known=round(100 * _unit(told["known"])),
        near=tuple(
            SimilarPainting(
                str(one["title"]).strip() or str(_("Untitled")), term(str(one["artist"]).strip(), PAINTERS)
            )
            for one in told["near"][:MOST]
            if str(one["title"]).strip() or str(one["artist"]).strip()
        ),
        palette=tuple(_swatch(one) for one in told["palette"][:MOST]),
        measures=tuple(Measure(str(label), _unit(composition[name])) for name, label in _MEASURES.items()),
        horizon=None if horizon is None else round(100 * _unit(horizon)),
        sees=tuple(_sees(told.get("reading", {}))),
    )


def _heads(told: Mapping[str, Any], maps: Mapping[str, Any]) -> Iterator[Head]:
    for name, (question, vocabulary) in HEADS.items():
        found = told.get(name) or []
        drawn = maps.get(name) or []
        guesses = []
        for number, one in enumerate(found[:MOST]):
            share = _unit(one["share"])
            if number and share < LEAST:
                break
            evidence = _heat_map(drawn[number]) if number < len(drawn) else None
            label = term(str(one["label"]), vocabulary)
            guesses.append(Guess(f"{name}-{number}", label, share, evidence))
        if guesses:
            yield Head(name, str(question), tuple(guesses))


def _heat_map(told: Mapping[str, Any]) -> HeatMap | None:
    """None for a map of which nothing is warm, and for one that is not what it says."""
    width, height, cells = told["width"], told["height"], told["cells"]
    if not (isinstance(width, int) and isinstance(height, int) and isinstance(cells, str)):
        return None
    try:
        data = base64.b64decode(cells, validate=True)
    except binascii.Error:
        return None
    fits = 0 < width <= MOST_CELLS and 0 < height <= MOST_CELLS and len(data) == width * height
    return HeatMap(width, height, cells) if fits and any(data) else None


def _swatch(told: Mapping[str, Any]) -> Swatch:
    if not _COLOUR.fullmatch(told["colour"]):
        raise ValueError("a colour is #rrggbb")
    return Swatch(told["colour"], term(str(told["name"]), COLOURS), _unit(told["share"]))


def reading_words(reading: Mapping[str, Any]) -> list[str]:
    """What a picture shows, in the visitor's language; what has another form is left out."""
    objects = reading.get("objects")
    return list(_sees({**reading, "objects": objects if isinstance(objects, list | tuple) else []}))


def _sees(reading: Mapping[str, Any]) -> Iterator[str]:
    """Genre, light, season and objects that the network is sure of, each once."""
    if genre := reading.get("genre"):
        yield term(str(genre), GENRES)
    if (light := str(reading.get("light"))) in _LIGHT:
        yield str(_LIGHT[light])
    words = [reading.get("season"), *reading.get("objects", [])]
    for word in dict.fromkeys(str(word) for word in words if word):
        yield term(word, THINGS)


def _unit(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or not -0.01 <= number <= 1.01:
        raise ValueError(f"{value!r} is not between 0 and 1")
    return min(1.0, max(0.0, number))
