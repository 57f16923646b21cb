"""What a Chinese poem on a picture is about, and what it is called."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from workers.engines.language.theme_lexicon import ENGLISH
from workers.engines.poetry.chinese.themes import THEME_SIZE, Theme, understand
from workers.engines.poetry.picture_content import FEW_WORDS, PictureContent

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
_LIGHT = {"bright": "晴", "dim": "暮", "dark": "夜"}
_SEASONS = {"spring": "春", "summer": "夏", "autumn": "秋", "winter": "冬"}
_TITLES = {"portrait": "写真", "still life": "花果", "marine": "沧海", "cityscape": "城楼"}
# What the painter's vocabulary has and the lexicon of themes does not.
_THINGS = {
    "haystack": "禾", "coast": "岸", "church": "寺", "cathedral": "寺", "monastery": "寺", "mill": "村",
    "castle": "城", "street": "巷", "canal": "河", "waterlily": "莲", "poppy": "花", "poplar": "杨",
    "olive": "林", "station": "驿", "people": "人", "square": "市", "avenue": "陌", "cottage": "茅屋",
    "riverbank": "江岸", "bay": "浦", "sailboat": "帆", "park": "园", "fantasy": "仙", "afternoon": "午",
}  # fmt: skip
_COLOURS = {
    "green": "翠", "blue": "碧", "dark blue": "苍", "red": "红", "gold": "金", "purple": "紫", "white": "白",
}  # fmt: skip


def theme_of(content: PictureContent, asked: Theme, vocabulary: Container[str]) -> Theme:
    """``asked`` with what is in the picture, as far as there is room: at most eight characters.

    First comes what a person said (of the poem, then of the painting), then what a network read. What is not
    understood of the painting's prompt is not reported, and the poem's title is its own: only ``characters``
    are others.
    """
    found = [*understand(content.prompt, vocabulary).words, *_characters(content)]
    characters = [c for c in dict.fromkeys(asked.characters + "".join(found)) if c in vocabulary]
    return replace(asked, characters="".join(characters[:THEME_SIZE]))


def title_of(content: PictureContent) -> str:
    """What a poem on a picture is called when nobody named it, as painters' poems are: 题秋山图."""
    reading = content.reading
    season = _SEASONS.get(reading.season or "", "")
    things = [character for thing in content.objects if (character := _thing(thing))]
    if things:
        shown = things[0] if season else "".join(things[:2])
        return f"题{season}{shown}图"
    subject = _TITLES.get(reading.genre or "", "山水" if reading.genre == "landscape" or season else "")
    return f"题{season}{subject}图" if subject else "题画"


def _characters(content: PictureContent) -> list[str]:
    found = [_thing(thing) for thing in content.objects]
    found.append(_SEASONS.get(content.reading.season or "", ""))
    found += [_SEASONS.get(word) or _thing(word) for word in content.impressions]
    found.append(_LIGHT.get(content.outdoor_light, ""))
    if content.names_little:
        found.append(_GENRES.get(content.reading.genre or "", ""))
    if len("".join(found)) < FEW_WORDS:
        found += [_COLOURS[family] for family in content.colour_families]
    return [characters for characters in found if characters]


def _thing(word: str) -> str:
    return _THINGS.get(word) or ENGLISH.get(word, "")
