"""What is known of a picture that a poem is for. Pure: no network, no files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workers.engines.vision.analysis_schema import PaletteColour, PictureReading

OBJECTS = 4
"""Most objects that go into a theme, which has eight words: season and light shall find room beside them."""
LEAST_SHARE = 0.15
"""Share of the picture from which on a colour is named; set by hand."""
COLOURS = 3
"""Most colours that are named."""
FEW_WORDS = 3
"""A theme with fewer words (in Chinese, characters) names colours, too."""
FEW_THINGS = 2
"""With fewer objects and impressions the genre is named, too."""

_OUTDOORS = frozenset({None, "landscape", "marine", "cityscape"})
"""Where a bright or dark picture shows a fair or late hour; a dark portrait is only a dark portrait."""
_HOURS = frozenset({"night", "moon", "evening", "sunset", "morning", "sunrise"})
# Greys and browns are in every old painting and tell nothing of it.
_COLOUR_FAMILIES = {
    "green": ("green", "emerald", "sea green", "moss", "forest green", "lime"),
    "blue": ("blue", "sky blue", "teal", "turquoise", "ultramarine"),
    "dark blue": ("navy", "slate blue", "indigo"),
    "red": ("red", "vermilion", "crimson", "coral", "maroon", "rose", "pink", "magenta"),
    "gold": ("gold", "yellow", "orange", "ochre", "lemon"),
    "purple": ("violet", "plum", "lavender", "mauve"),
    "white": ("white",),
}
_FAMILY_OF = {name: family for family, names in _COLOUR_FAMILIES.items() for name in names}
_SPACE = re.compile(r"\s+")
_PROMPT_KEPT = 500
"""Characters of a painting's prompt that are kept with the poem."""


@dataclass(frozen=True, slots=True)
class PictureContent:
    """``reading``: the classifier's. ``impressions``: what the picture may show besides, likeliest first.
    ``colours``: names of its main colours, largest first. ``prompt``: from which it was painted, or empty."""

    reading: PictureReading = field(default_factory=PictureReading)
    impressions: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    prompt: str = ""

    def to_details(self) -> dict[str, Any]:
        """JSON-safe, as it is kept with the poem and told beside it; only what there is."""
        read = self.reading
        told: dict[str, Any] = {
            "genre": read.genre,
            "light": read.light,
            "season": read.season,
            "objects": list(self.objects),
            "perhaps": [word for word in self.impressions if word not in (*read.objects, read.season)],
            "colours": list(self.colours[:COLOURS]),
            "prompt": self.prompt[:_PROMPT_KEPT],
        }
        return {name: value for name, value in told.items() if value}

    @property
    def objects(self) -> tuple[str, ...]:
        """The surest objects, at most :data:`OBJECTS`."""
        return self.reading.objects[:OBJECTS]

    @property
    def outdoor_light(self) -> str:
        """The light where it tells the hour: out of doors, unless an hour is among the impressions; or ""."""
        if self.reading.genre not in _OUTDOORS or _HOURS & set(self.impressions):
            return ""
        return self.reading.light or ""

    @property
    def names_little(self) -> bool:
        """Whether there are so few objects and impressions that the genre says more than they do."""
        return len(self.reading.objects) + len(self.impressions) < FEW_THINGS

    @property
    def colour_families(self) -> list[str]:
        """Of the main colours those that poems name: green, blue, dark blue, red, gold, purple, white."""
        return [_FAMILY_OF[colour] for colour in self.colours if colour in _FAMILY_OF]

    @property
    def words(self) -> tuple[str, ...]:
        """In English, the most telling first: objects, season, impressions, light, genre, colours."""
        read = self.reading
        light = read.light if read.genre in _OUTDOORS else None
        named = [*self.objects, read.season, *self.impressions, light, read.genre, *self.colours]
        return tuple(dict.fromkeys(word for word in named if word))


def prompt_of(details: Mapping[str, Any]) -> str:
    """The prompt that a work was painted from, from its ``details``; "" when it was not."""
    segments = details.get("understood")
    if not isinstance(segments, list):
        return ""
    texts = (segment.get("text") for segment in segments if isinstance(segment, Mapping))
    return _SPACE.sub(" ", "".join(text for text in texts if isinstance(text, str))).strip()


def telling_colours(palette: tuple[PaletteColour, ...]) -> tuple[str, ...]:
    """The names of the colours that a picture has much of, largest first, each once."""
    return tuple(dict.fromkeys(colour.name for colour in palette if colour.share >= LEAST_SHARE))[:COLOURS]
