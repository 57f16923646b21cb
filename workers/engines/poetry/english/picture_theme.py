"""What an English poem on a picture is about, and what it is called."""

from __future__ import annotations

from workers.engines.poetry.picture_content import FEW_WORDS, PictureContent

# A genre's own name is no word for a poem.
_GENRES = {
    "landscape": ("hills", "sky"), "marine": ("sea", "waves"), "cityscape": ("city", "streets"),
    "portrait": ("face", "eyes"), "still life": ("fruit", "flowers"), "genre painting": ("home",),
    "nude painting": ("beauty",), "religious painting": ("heaven", "angels"),
}  # fmt: skip
_LIGHT = {"bright": "sunshine", "dim": "twilight", "dark": "night"}
_COLOURS = {"gold": "golden", "dark blue": "blue"}
"""Families of colours that are not called by their name."""
_SUBJECTS = {
    "landscape": "Landscape", "marine": "Seascape", "cityscape": "View of a City", "portrait": "Portrait",
    "still life": "Still Life", "religious painting": "Sacred Picture",
}  # fmt: skip


def words_of(content: PictureContent) -> tuple[str, ...]:
    """What an English poem on a picture is about; best first, each once."""
    reading = content.reading
    found = [*content.objects, reading.season, *content.impressions, _LIGHT.get(content.outdoor_light)]
    if content.names_little:
        found += _GENRES.get(reading.genre or "", ())
    if sum(word is not None for word in found) < FEW_WORDS:
        found += [_COLOURS.get(family, family) for family in content.colour_families]
    return tuple(dict.fromkeys(word for word in found if word))


def title_of(content: PictureContent) -> str:
    """What an English poem on a picture is called when nobody named it: On a Winter Landscape."""
    reading = content.reading
    subject = _SUBJECTS.get(reading.genre or "", "Landscape" if reading.season else "Picture")
    named = f"{reading.season.title()} {subject}" if reading.season else subject
    return f"On {'an' if named[0] in 'AEIOU' else 'a'} {named}"
