"""The named features of the network that sees: what ``dream`` can be asked for, and how it is written.

``features.json`` lists them beside ``sheet.webp``, their pictures; ``python -m workers.training features``
makes both from the shipped weights. While there are none, whole layers can be asked for.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from gallery.kinds.cleaning import clean_text

logger = logging.getLogger(__name__)

FOLDER = "gallery/features"
MOST = 8
"""Most features in one dream."""
HEAVIEST = 3.0
"""Largest weight of a feature."""
LONGEST = 400
"""Most characters of the text that names features."""
LAYERS: Mapping[str, str | Promise] = {
    "s0": _("Edges and dots"),
    "s1": _("Strokes"),
    "s2": _("Textures"),
    "s3": _("Motifs"),
}
"""What whole layers see, by their stage: the deeper, the larger."""
BARE = ("s1", "s2", "s3")
"""Layers to dream of while no features are named."""

_ITEM = re.compile(r"(?P<what>[^*]+?)\s*(?:\*\s*(?P<weight>\d{0,3}(?:\.\d{1,4})?))?")
_CODE = re.compile(r"(s\d)(?:\s*:\s*(\d{1,5}))?")
_MARKS = str.maketrans({"，": ",", "、": ",", "；": ",", ";": ",", "\n": ",", "：": ":", "＊": "*", "×": "*"})


@dataclass(frozen=True, slots=True)
class NamedFeature:
    """One picture of the sheet: a channel, the word for it, and its place on the sheet in px."""

    stage: str
    channel: int
    en: str
    zh: str
    left: int
    top: int

    @property
    def code(self) -> str:
        """As it is written: ``s3:17``."""
        return f"{self.stage}:{self.channel}"

    @property
    def name(self) -> str:
        """The word in the visitor's language."""
        return self.zh if (get_language() or "en").startswith("zh") else self.en


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that can be dreamt of. ``tile``, ``width`` and ``height`` in px; without pictures all are 0."""

    channels: Mapping[str, int]
    named: tuple[NamedFeature, ...] = ()
    tile: int = 0
    width: int = 0
    height: int = 0

    def of(self, code: str) -> NamedFeature | None:
        """The named feature that is written so."""
        return next((one for one in self.named if one.code == code), None)

    def called(self, word: str) -> NamedFeature | None:
        """The first feature with this name, in either language."""
        folded = word.casefold()
        return next((one for one in self.named if folded in (one.en.casefold(), one.zh)), None)

    @property
    def stages(self) -> tuple[str, ...]:
        """Layers that can be asked for as a whole."""
        return tuple(self.channels) or BARE


NOTHING = Sheet({})


@cache
def sheet() -> Sheet:
    """The features that are named; :data:`NOTHING` while there are none.

    Collected static files come first: the words then are those of the pictures that are served.
    """
    for folder in (Path(settings.STATIC_ROOT or ""), Path(__file__).parents[1] / "static"):
        path = folder / FOLDER / "features.json"
        if not path.is_file():
            continue
        try:
            return _read(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as problem:
            logger.error("%s cannot be read: %s: %s", path, type(problem).__name__, problem)
    return NOTHING


def _read(data: Mapping[str, Any]) -> Sheet:
    if data["format"] != 1:
        raise ValueError(f"format {data['format']}")
    tile, columns = int(data["tile"]), int(data["columns"])
    named = tuple(
        NamedFeature(
            str(row["stage"]),
            int(row["channel"]),
            str(row["en"]),
            str(row["zh"]),
            number % columns * tile,
            number // columns * tile,
        )
        for number, row in enumerate(data["features"])
    )
    channels = {str(stage): int(count) for stage, count in data["channels"].items()}
    return Sheet(channels, named, tile, tile * columns, tile * -(-len(named) // columns))


def clean_features(value: Any) -> str:
    """Features as they are kept: ``"s3:17, s2*0.5"``. Raises ValueError with a sentence for the visitor.

    A channel is written with its stage (``s3:17``) or by its name on the sheet (``sea``); a weight follows
    a ``*``. Chinese punctuation is as good.
    """
    if not isinstance(value, str):
        raise ValueError(_("This must be text."))
    text = clean_text(value, multiline=True)
    if len(text) > LONGEST:
        raise ValueError(
            _("At most %(limit)d characters; this has %(length)d.") % {"limit": LONGEST, "length": len(text)}
        )
    items = [item.strip() for item in text.translate(_MARKS).split(",")]
    chosen: dict[str, float] = {}
    for item in filter(None, items):
        code, weight = _clean_item(item)
        if code in chosen:
            raise ValueError(_("%(feature)s is there twice.") % {"feature": code})
        chosen[code] = weight
    if not chosen:
        raise ValueError(_("Choose what to dream of."))
    if len(chosen) > MOST:
        raise ValueError(_("At most %(most)d features.") % {"most": MOST})
    return ", ".join(code if weight == 1 else f"{code}*{weight:g}" for code, weight in chosen.items())


def _clean_item(item: str) -> tuple[str, float]:
    match = _ITEM.fullmatch(item)
    if match is None:
        raise ValueError(
            _("%(text)s is no feature. Write s3:17*0.5, or s3 for a whole layer.") % {"text": item}
        )
    try:
        weight = float(match["weight"]) if match["weight"] is not None else 1.0
    except ValueError:
        weight = 0.0
    if not 0 < weight <= HEAVIEST:
        raise ValueError(_("A weight is above 0 and at most %(most)g.") % {"most": HEAVIEST})
    what, known = match["what"], sheet()
    code = _CODE.fullmatch(what.lower())
    if code is None:
        named = known.called(what)
        if named is None:
            raise ValueError(
                _("%(text)s is no feature. Write s3:17*0.5, or s3 for a whole layer.") % {"text": what}
            )
        return named.code, weight
    stage, channel = code[1], code[2]
    if stage not in known.stages:
        raise ValueError(
            _("There is no layer %(stage)s, only %(stages)s.")
            % {"stage": stage, "stages": ", ".join(known.stages)}
        )
    if channel is None:
        return stage, weight
    count = known.channels.get(stage, 0)
    if not count:
        raise ValueError(
            _("Single features are not known here yet; a whole layer is: %(stage)s.") % {"stage": stage}
        )
    if int(channel) >= count:
        raise ValueError(
            _("Layer %(stage)s has features 0 to %(last)d.") % {"stage": stage, "last": count - 1}
        )
    return f"{stage}:{int(channel)}", weight


@dataclass(frozen=True, slots=True)
class Chosen:
    """One feature of a recipe: how it is written, what it is called, and its weight."""

    code: str
    name: str
    weight: float


def chosen(text: str) -> list[Chosen]:
    """The features that a text names, for people; what cannot be read keeps its own words."""
    known = sheet()
    found = []
    for item in str(text).split(","):
        what, _star, weight = (part.strip() for part in item.partition("*"))
        if not what:
            continue
        try:
            number = float(weight or 1)
        except ValueError:
            what, number = item.strip(), 1.0
        named = known.of(what)
        name = named.name if named else str(LAYERS.get(what, what))
        found.append(Chosen(what, name, number))
    return found


def described(text: str) -> str:
    """The features of a recipe in words: "sea 50 %, Textures"."""
    words = [one.name if one.weight == 1 else f"{one.name} {one.weight:.0%}" for one in chosen(text)]
    return str(_(", ")).join(words)
