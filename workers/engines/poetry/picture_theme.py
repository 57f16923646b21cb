"""From what is seen in a picture to what a poem for it is about. Pure: no network, no files."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workers.engines.language.theme_lexicon import ENGLISH
from workers.engines.poetry.chinese.themes import THEME_SIZE, Theme, understand
from workers.engines.vision.analysis_schema import PaletteColour, PictureReading

OBJECTS = 4
"""Most things that go into the theme: season and light shall find room beside them."""
LEAST = 0.15
"""Share of the picture from which on a colour may be named."""
FEW = 3
"""Characters of a theme below which colours are named in it."""
COLOURS = 3
"""Most colours that are told."""

_GENRES = {
    "landscape": "山水",
    "marine": "海",
    "cityscape": "城楼",
    "portrait": "颜",
    "still life": "花果",
    "genre painting": "人家",
    "nude painting": "佳人",
    "religious painting": "神",
}
_OUTDOORS = frozenset({None, "landscape", "marine", "cityscape"})
"""Where a bright or dark picture is a fair or late hour; a dark portrait is only a dark portrait."""
_LIGHT = {"bright": "晴", "dim": "暮", "dark": "夜"}
_HOURS = frozenset({"night", "moon", "evening", "sunset", "morning", "sunrise"})
_SEASONS = {"spring": "春", "summer": "夏", "autumn": "秋", "winter": "冬"}
_TITLES = {"portrait": "写真", "still life": "花果", "marine": "沧海", "cityscape": "城楼"}
# What the painter's vocabulary has and the poets' English does not.
_THINGS = {
    "haystack": "禾", "coast": "岸", "church": "寺", "cathedral": "寺", "monastery": "寺", "mill": "村",
    "castle": "城", "street": "巷", "canal": "河", "waterlily": "莲", "poppy": "花", "poplar": "杨",
    "olive": "林", "station": "驿", "people": "人", "square": "市", "avenue": "陌", "cottage": "茅屋",
    "riverbank": "江岸", "bay": "浦", "sailboat": "帆", "park": "园", "fantasy": "仙", "afternoon": "午",
}  # fmt: skip
# Colours as poems name them. Greys and browns are in every old painting and say nothing.
_COLOURS = {
    "翠": ("green", "emerald", "sea green", "moss", "forest green", "lime"),
    "碧": ("blue", "sky blue", "teal", "turquoise", "ultramarine"),
    "苍": ("navy", "slate blue", "indigo"),
    "红": ("red", "vermilion", "crimson", "coral", "maroon", "rose", "pink", "magenta"),
    "金": ("gold", "yellow", "orange", "ochre", "lemon"),
    "紫": ("violet", "plum", "lavender", "mauve"),
    "白": ("white",),
}
_COLOUR_OF = {name: sign for sign, names in _COLOURS.items() for name in names}
# The same in English, where a genre's name is no word for a poem.
_ENGLISH_GENRES = {
    "landscape": ("hills", "sky"), "marine": ("sea", "waves"), "cityscape": ("city", "streets"),
    "portrait": ("face", "eyes"), "still life": ("fruit", "flowers"), "genre painting": ("home",),
    "nude painting": ("beauty",), "religious painting": ("heaven", "angels"),
}  # fmt: skip
_ENGLISH_LIGHT = {"bright": "sunshine", "dim": "twilight", "dark": "night"}
_ENGLISH_COLOURS = {
    "翠": "green", "碧": "blue", "苍": "blue", "红": "red", "金": "golden", "紫": "purple", "白": "white",
}  # fmt: skip
_ENGLISH_SUBJECTS = {
    "landscape": "Landscape", "marine": "Seascape", "cityscape": "View of a City", "portrait": "Portrait",
    "still life": "Still Life", "religious painting": "Sacred Picture",
}  # fmt: skip
_SAID = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a picture: the network's reading, what it ``perhaps`` shows besides (the likeliest
    first), the names of its main colours (largest first), and the words that it was painted from, if any."""

    reading: PictureReading = field(default_factory=PictureReading)
    perhaps: tuple[str, ...] = ()
    colours: tuple[str, ...] = ()
    prompt: str = ""

    def to_details(self) -> dict[str, Any]:
        """JSON-safe, as it is kept with the poem and told beside it; only what there is."""
        read = self.reading
        told: dict[str, Any] = {
            "genre": read.genre,
            "light": read.light,
            "season": read.season,
            "objects": list(read.objects[:OBJECTS]),
            "perhaps": [word for word in self.perhaps if word not in (*read.objects, read.season)],
            "colours": list(self.colours[:COLOURS]),
            "prompt": self.prompt[:500],
        }
        return {name: value for name, value in told.items() if value}

    @property
    def words(self) -> tuple[str, ...]:
        """In English, the most telling first: objects, season, impressions, light, genre, colours."""
        read = self.reading
        light = read.light if read.genre in _OUTDOORS else None
        named = [*read.objects[:OBJECTS], read.season, *self.perhaps, light, read.genre, *self.colours]
        return tuple(dict.fromkeys(word for word in named if word))


def prompt_of(details: Mapping[str, Any]) -> str:
    """The prompt that a work was painted from, from its ``details``; "" when it was not."""
    segments = details.get("understood")
    if not isinstance(segments, list):
        return ""
    texts = (segment.get("text") for segment in segments if isinstance(segment, Mapping))
    return _SAID.sub(" ", "".join(text for text in texts if isinstance(text, str))).strip()


def telling_colours(palette: tuple[PaletteColour, ...]) -> tuple[str, ...]:
    """The names of the colours that a picture has much of, largest first, each once."""
    return tuple(dict.fromkeys(swatch.name for swatch in palette if swatch.share >= LEAST))[:COLOURS]


def theme_of(seen: Seen, asked: Theme, vocabulary: Container[str]) -> Theme:
    """``asked`` with what is seen in the picture in the room that it leaves, at most eight characters.

    First comes what a person said (of the poem, then of the painting), then what a network saw. What is not
    understood of the painting's prompt is no matter of the poem's, and the poem's title is its own: only
    ``characters`` are others.
    """
    found = [*understand(seen.prompt, vocabulary).words, *_characters(seen)]
    characters = [c for c in dict.fromkeys(asked.characters + "".join(found)) if c in vocabulary]
    return replace(asked, characters="".join(characters[:THEME_SIZE]))


def title_of(seen: Seen) -> str:
    """What a poem on a picture is called when nobody named it, as painters' poems are: 题秋山图."""
    read = seen.reading
    season = _SEASONS.get(read.season or "", "")
    things = [sign for thing in read.objects[:OBJECTS] if (sign := _thing(thing))]
    if things:
        shown = things[0] if season else "".join(things[:2])
        return f"题{season}{shown}图"
    subject = _TITLES.get(read.genre or "", "山水" if read.genre == "landscape" or season else "")
    return f"题{season}{subject}图" if subject else "题画"


def english_words_of(seen: Seen) -> tuple[str, ...]:
    """What an English poem on a picture is about, as :func:`theme_of` has it in Chinese; best first."""
    read = seen.reading
    found = [*read.objects[:OBJECTS], read.season, *seen.perhaps]
    if read.genre in _OUTDOORS and not _HOURS & set(seen.perhaps):
        found.append(_ENGLISH_LIGHT.get(read.light or ""))
    if len(read.objects) + len(seen.perhaps) < 2:
        found += _ENGLISH_GENRES.get(read.genre or "", ())
    if sum(word is not None for word in found) < FEW:
        found += [_ENGLISH_COLOURS.get(_COLOUR_OF.get(colour, "")) for colour in seen.colours]
    return tuple(dict.fromkeys(word for word in found if word))


def english_title_of(seen: Seen) -> str:
    """What an English poem on a picture is called when nobody named it: On a Winter Landscape."""
    read = seen.reading
    subject = _ENGLISH_SUBJECTS.get(read.genre or "", "Landscape" if read.season else "Picture")
    named = f"{read.season.title()} {subject}" if read.season else subject
    return f"On {'an' if named[0] in 'AEIOU' else 'a'} {named}"


def _characters(seen: Seen) -> list[str]:
    read = seen.reading
    found = [_thing(thing) for thing in read.objects[:OBJECTS]]
    found.append(_SEASONS.get(read.season or "", ""))
    found += [_SEASONS.get(word) or _thing(word) for word in seen.perhaps]
    # An hour that was seen says more than that the picture is dark.
    if read.genre in _OUTDOORS and not _HOURS & set(seen.perhaps):
        found.append(_LIGHT.get(read.light or "", ""))
    # A mountain and a river say more than that it is a landscape.
    if len(read.objects) + len(seen.perhaps) < 2:
        found.append(_GENRES.get(read.genre or "", ""))
    # Every second landscape is blue or green: colours speak where little else does.
    if len("".join(found)) < FEW:
        found += [_COLOUR_OF.get(colour, "") for colour in seen.colours]
    return [sign for sign in found if sign]


def _thing(word: str) -> str:
    return _THINGS.get(word) or ENGLISH.get(word, "")
