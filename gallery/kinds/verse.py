"""Verse: poems in Chinese and English forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from gallery.kinds.specs import Choice, Errors, Hint, InputSpec, KindSpec, ParamSpec, PictureFacts, Use
from gallery.kinds.verse_forms import (
    CHINESE,
    CHINESE_FORMS,
    ENGLISH_FORMS,
    ENGLISH_POETS,
    FORMS,
    SONG_POETS,
    TANG_POETS,
    poet_label,
)

RHYMES = (
    "一东", "二冬", "三江", "四支", "五微", "六鱼", "七虞", "八齐", "九佳", "十灰",
    "十一真", "十二文", "十三元", "十四寒", "十五删", "一先", "二萧", "三肴", "四豪", "五歌",
    "六麻", "七阳", "八庚", "九青", "十蒸", "十一尤", "十二侵", "十三覃", "十四盐", "十五咸",
)  # fmt: skip
"""The level rhymes of the Pingshui book, as the poet's weights name them."""


ANY = "any"
IN_CHINESE, IN_ENGLISH = ("form", CHINESE_FORMS), ("form", ENGLISH_FORMS)
_HAN = re.compile("[㐀-䶿一-鿿\U00020000-\U0003ffff]")


def _check(parameters: Mapping[str, Any], _roles: frozenset[str]) -> Errors:
    """A couplet is answered: there must be a line to answer. What is given is written as the poem will be."""
    form = FORMS[parameters["form"]]
    opening, initials = parameters["opening"], _letters(parameters["acrostic"])
    if form.slug == "couplet" and not opening:
        return {"opening": [str(_("Give the line that is to be answered: five or seven characters."))]}
    errors: dict[str, list[str]] = {}
    if form.language == CHINESE:
        if any(character.isalpha() and not _HAN.match(character) for character in opening):
            errors["opening"] = [str(_("This form is written in Chinese characters; □ leaves one open."))]
        if not all(map(_HAN.match, initials)):
            errors["acrostic"] = [str(_("The lines of this form begin with Chinese characters."))]
    else:
        if _HAN.search(opening):
            errors["opening"] = [str(_("This form is written in English words."))]
        if not all(letter.isascii() and letter.isalpha() for letter in initials):
            errors["acrostic"] = [str(_("The lines of this form begin with letters from A to Z."))]
    if len(initials) > form.lines:
        errors.setdefault("acrostic", []).append(
            str(_("This form has only %(lines)d lines.") % {"lines": form.lines})
        )
    return errors


def _draft(typed: str) -> str:
    """A draft with / between its lines, however they were typed: an empty first line counts too."""
    return re.sub(r"/?[ \t]*(?:\r\n|\r|\n)", "/", typed.rstrip()).rstrip("/ ")


def _letters(acrostic: str) -> str:
    """An acrostic without spaces and punctuation."""
    return "".join(c for c in acrostic if not c.isspace() and unicodedata.category(c)[0] != "P")


def _poets(names: Iterable[str], group: Any = "") -> Iterable[Choice]:
    return (Choice(name, poet_label(name), group=group) for name in names)


def _uses(picture: PictureFacts) -> Iterable[Use]:
    yield Use(_("Write a poem…"), {"image": picture.id})


VERSE = KindSpec(
    slug="verse",
    queue="rnn",
    label=_("Verse"),
    verb=_("Write it"),
    summary=_(
        "Give a theme or a picture; a recurrent network writes Chinese regulated verse, or a poem in an "
        "English form."
    ),
    makes="poem",
    params=(
        ParamSpec(
            "prompt",
            "text",
            _("Theme"),
            "",
            maximum=300,
            placeholder=_("autumn moon over the river · 江上秋月"),
            help=_("A word or a phrase, Chinese or English, for any form. Empty leaves it to the poet."),
        ),
        ParamSpec(
            "form",
            "choice",
            _("Form"),
            "7jueju",
            choices=tuple(
                Choice(
                    form.slug,
                    form.label,
                    form.note,
                    group=_("In Chinese") if form.language == CHINESE else _("In English"),
                )
                for form in FORMS.values()
            ),
            begins={"en": "quatrain"},
        ),
        ParamSpec(
            "opening",
            "text",
            _("First line, or a draft"),
            "",
            maximum=1000,
            multiline=True,
            tidy=_draft,
            hints=(
                Hint(
                    _(
                        "Chinese characters that stay as they are; □ leaves one open, / ends a line. "
                        "For a couplet, the line that is to be answered."
                    ),
                    IN_CHINESE,
                    placeholder="白日依山尽 / □□□□流",
                ),
                Hint(
                    _(
                        "English lines that stay as they are, each on a line of its own or after a /. An "
                        "empty one is left open; _ stands for words to be found before those that you give."
                    ),
                    IN_ENGLISH,
                    placeholder="The moon is bright above the sea / _ upon the silver sand",
                ),
            ),
        ),
        ParamSpec("count", "integer", _("How many"), 1, minimum=1, maximum=8, step=1),
        ParamSpec(
            "acrostic",
            "text",
            _("Acrostic (藏头)"),
            "",
            maximum=14,
            advanced=True,
            hints=(
                Hint(
                    _("Chinese characters that begin the lines, in order."),
                    IN_CHINESE,
                    placeholder="春江花月",
                ),
                Hint(_("Letters that begin the lines, in order."), IN_ENGLISH, placeholder="LOVE"),
            ),
        ),
        ParamSpec(
            "english_poet",
            "choice",
            _("In the manner of a poet"),
            ANY,
            choices=(Choice(ANY, _("no poet in particular")), *_poets(ENGLISH_POETS)),
            advanced=True,
            only_with=IN_ENGLISH,
        ),
        ParamSpec(
            "poet",
            "choice",
            _("In the manner of a poet"),
            ANY,
            choices=(
                Choice(ANY, _("no poet in particular")),
                *_poets(TANG_POETS, _("The Tang")),
                *_poets(SONG_POETS, _("The Song")),
            ),
            advanced=True,
            only_with=IN_CHINESE,
        ),
        ParamSpec(
            "dynasty",
            "choice",
            _("In the manner of"),
            "tang",
            choices=(
                Choice(ANY, _("no dynasty")),
                Choice("tang", _("the Tang")),
                Choice("song", _("the Song")),
            ),
            advanced=True,
            only_with=IN_CHINESE,
        ),
        ParamSpec(
            "rhyme_book",
            "choice",
            _("Rhymes of"),
            "pingshui",
            choices=(
                Choice("pingshui", _("the tradition (Pingshui)")),
                Choice("modern", _("today's Mandarin")),
            ),
            advanced=True,
            only_with=IN_CHINESE,
        ),
        ParamSpec(
            "rhyme",
            "choice",
            _("Rhyme"),
            ANY,
            choices=(Choice(ANY, _("any rhyme")), *(Choice(name, name) for name in RHYMES)),
            advanced=True,
            only_with=IN_CHINESE,
        ),
        ParamSpec(
            "temperature", "number", _("Temperature"), 0.9, minimum=0.3, maximum=1.5, step=0.05, advanced=True
        ),
    ),
    inputs=(
        InputSpec(
            "image",
            _("For a picture"),
            required=False,
            help=_(
                "JPEG, PNG, WebP, AVIF or HEIC. What is seen in it becomes the theme, beside your own words."
            ),
            relation="poem_of",
            beside=True,
        ),
    ),
    batch_limit=100,
    check=_check,
    examples=("江上秋月", "spring rain", "送别", "snow in the mountains", "a lamp by the sea"),
    medium=_("Recurrent network"),
    uses=_uses,
    errors={
        "bad_acrostic": _(
            "This acrostic does not fit: at most one character or letter for each line, in the language of "
            "the form."
        ),
        "bad_draft": _(
            "This draft does not fit the form: its lines have another length, or do not agree with each "
            "other."
        ),
    },
    next_template="kinds/verse/_next.html",
)
