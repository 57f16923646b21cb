"""What a picture gives to a poem: its theme, its title, and what is told of it."""

from __future__ import annotations

import json
import string

import pytest

from workers.engines.poetry.chinese.picture_theme import theme_of, title_of
from workers.engines.poetry.chinese.themes import THEME_SIZE, Theme, understand
from workers.engines.poetry.picture_content import PictureContent, prompt_of, telling_colours
from workers.engines.vision.analysis_schema import PaletteColour, PictureReading


class AllChinese:
    """A vocabulary of every Chinese character."""

    def __contains__(self, character: object) -> bool:
        return isinstance(character, str) and character not in string.printable


EVERY = AllChinese()
NOTHING = Theme("", (), ())


def theme(content: PictureContent, asked: str = "") -> str:
    return theme_of(content, understand(asked, EVERY), EVERY).characters


def test_what_is_seen_becomes_the_theme_the_surest_first() -> None:
    content = PictureContent(
        PictureReading("landscape", "dim", "autumn", ("mountain", "river")), colours=("navy", "brown")
    )
    assert theme(content) == "山江秋暮"


def test_colours_speak_where_little_else_does() -> None:
    assert theme(PictureContent(PictureReading("landscape"), colours=("navy", "brown", "gold"))) == "山水苍金"


def test_what_a_person_says_comes_before_what_is_seen() -> None:
    content = PictureContent(
        PictureReading("landscape", None, None, ("mountain",)), prompt="a boat on a misty lake"
    )
    assert theme(content, "送别") == "送别舟烟湖山水"


def test_a_theme_that_is_full_stays_as_it_was_asked_for() -> None:
    asked = understand("春江花月夜山水舟", EVERY)
    assert len(asked.characters) == THEME_SIZE
    content = PictureContent(
        PictureReading("portrait", "dark", "winter", ("snow",)), ("river",), ("red",), "a castle"
    )
    assert theme_of(content, asked, EVERY) == asked


def test_only_characters_that_the_poet_knows_are_in_a_theme() -> None:
    content = PictureContent(PictureReading("landscape", None, "autumn", ("mountain", "haystack")))
    assert theme_of(content, NOTHING, "山秋").characters == "山秋"


def test_words_of_the_paintings_prompt_that_are_not_understood_are_not_the_poems() -> None:
    asked = understand("moon xyzzy", EVERY)
    found = theme_of(PictureContent(prompt="a mountain in the style of frobnication"), asked, EVERY)
    assert found.unknown == ("xyzzy",)
    assert found.characters == "月山"


@pytest.mark.parametrize(
    ("genre", "expected"), [(None, "夜"), ("landscape", "夜山水"), ("portrait", "颜"), ("still life", "花果")]
)
def test_darkness_is_night_out_of_doors_only(genre: str | None, expected: str) -> None:
    assert theme(PictureContent(PictureReading(genre, "dark"))) == expected


def test_impressions_come_after_what_is_sure_and_an_hour_takes_the_place_of_the_light() -> None:
    assert (
        theme(PictureContent(PictureReading("landscape", "dark", None, ("mountain",)), ("water", "winter")))
        == "山水冬夜"
    )
    assert theme(PictureContent(PictureReading("landscape", "dim"), ("night", "boat"), ("navy",))) == "夜舟苍"


def test_words_of_which_nothing_is_known_add_nothing() -> None:
    assert (
        theme(
            PictureContent(
                PictureReading("no such genre", "blinding", "monsoon", ("frobnicator",)),
                ("gizmo",),
                ("octarine",),
            )
        )
        == ""
    )


def test_colours_are_told_when_there_is_much_of_them() -> None:
    palette = (
        PaletteColour("#1b2545", "navy", 0.5),
        PaletteColour("#1b2546", "navy", 0.2),
        PaletteColour("#f8f8f6", "white", 0.15),
        PaletteColour("#c8201f", "red", 0.14),
    )
    assert telling_colours(palette) == ("navy", "white")


@pytest.mark.parametrize(
    ("reading", "title"),
    [
        (PictureReading("landscape", None, "autumn", ("mountain", "river")), "题秋山图"),
        (PictureReading("landscape", None, None, ("mountain", "river")), "题山江图"),
        (PictureReading("landscape"), "题山水图"),
        (PictureReading("portrait"), "题写真图"),
        (PictureReading(None, None, "winter"), "题冬山水图"),
        (PictureReading(), "题画"),
    ],
)
def test_a_poem_on_a_picture_is_called_as_painters_call_theirs(reading: PictureReading, title: str) -> None:
    assert title_of(PictureContent(reading)) == title


def test_what_is_told_is_json_and_holds_only_what_there_is() -> None:
    assert PictureContent().to_details() == {}
    told = PictureContent(
        PictureReading("landscape", "dim", None, ("sea",)), ("boat", "sea"), ("navy",), "the sea"
    ).to_details()
    assert json.loads(json.dumps(told)) == told
    assert told == {
        "genre": "landscape",
        "light": "dim",
        "objects": ["sea"],
        "perhaps": ["boat"],
        "colours": ["navy"],
        "prompt": "the sea",
    }


def test_in_english_the_things_come_first_each_once() -> None:
    content = PictureContent(
        PictureReading("landscape", "dim", "autumn", ("sea", "sea", "boat")), ("night",), ("navy",)
    )
    assert content.words == ("sea", "boat", "autumn", "night", "dim", "landscape", "navy")
    assert "dark" not in PictureContent(PictureReading("portrait", "dark")).words


def test_the_prompt_of_a_painting_is_read_from_its_segments() -> None:
    segments = [{"text": "the "}, {"text": "sea", "words": ["sea"]}, {"text": " at\nnight"}]
    assert prompt_of({"understood": segments}) == "the sea at night"


@pytest.mark.parametrize("kept", [None, "sea", [], [None, 3], [{"text": 5}, {}], {"text": "sea"}])
def test_details_that_are_no_segments_are_no_prompt(kept: object) -> None:
    assert prompt_of({"understood": kept}) == ""
