"""What a person asks of a Chinese poem beside its theme: form, given characters, manner, rhyme. No torch.

A draft is the poem as far as it stands: lines of characters, with □ for what is open. A first line, a
locked line, "again from here" and an acrostic are all given characters, by slot.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workers.engines.base import InvalidRequest
from workers.engines.poetry.chinese import prosody, rhyme_dictionaries
from workers.engines.poetry.chinese.themes import acrostic_characters, is_chinese, simplify
from workers.engines.poetry.english.forms import FORM_BY_SLUG as ENGLISH_FORMS

OPEN_SIGNS = frozenset("□＿_*＊○")
TANG, SONG = 1, 2
DYNASTIES = {"any": 0, "tang": TANG, "song": SONG}
SONG_POETS = frozenset(
    {
        "苏轼", "陆游", "杨万里", "王安石", "黄庭坚", "范成大", "欧阳修", "梅尧臣", "邵雍", "朱熹", "文天祥",
        "朱淑真",
    }
)  # fmt: skip
"""Of the poets whose manner can be asked for, those of the Song; the others are of the Tang."""
COUPLET = "couplet"
ANY = "any"
"""What stands for no wish in every choice."""


@dataclass(frozen=True, slots=True)
class Wish:
    """``given``: characters as they were typed, by slot. ``rhyme``: a Pingshui rhyme's name, or empty.

    ``poet``: whose manner it has, or empty; he brings his dynasty with him. Of a couplet the given line is
    the first, whether it will stand above or below.
    """

    form: prosody.Form
    given: Mapping[int, str]
    acrostic: str
    dynasty: int
    book: str
    rhyme: str
    temperature: float
    poet: str = ""


def read(parameters: Mapping[str, Any], rhymes: tuple[str, ...], poets: tuple[str, ...] = ()) -> Wish:
    """The wish in ``parameters``: ``form`` (a slug of prosody.FORMS, or ``couplet``), ``opening`` (a draft),
    ``acrostic``, ``dynasty``, ``poet``, ``rhyme``, ``rhyme_book`` and ``temperature``.

    ``rhymes`` and ``poets`` are the names that there are. Raises InvalidRequest for unknown names, drafts
    that do not fit the form, and contradictions.
    """
    if str(parameters.get("english_poet", ANY)) not in (ANY, ""):
        raise InvalidRequest(
            f"english_poet {parameters['english_poet']!r} of a Chinese poem",
            visitor="An English poet's manner can be asked for in English forms only.",
        )
    slug, draft = str(parameters["form"]), _segments(str(parameters.get("opening", "")))
    form = _couplet(draft) if slug == COUPLET else prosody.FORM_BY_SLUG.get(slug)
    if form is None:
        raise InvalidRequest(
            f"form {slug!r}",
            visitor=f"The form must be one of {', '.join([*prosody.FORM_BY_SLUG, COUPLET, *ENGLISH_FORMS])}.",
        )
    acrostic = acrostic_characters(str(parameters.get("acrostic", "")), form.lines)
    given = _slots(draft, form)
    for line, character in enumerate(acrostic):
        there = given.setdefault(line * form.length, character)
        if simplify(there) != simplify(character):
            raise _bad(
                f"Line {line + 1} must begin with “{character}” for the acrostic, but “{there}” stands there."
            )
    poet = _one_of("poet", str(parameters.get("poet", ANY)), (ANY, *poets)).removeprefix(ANY)
    dynasty = DYNASTIES[_one_of("dynasty", str(parameters.get("dynasty", "tang")), tuple(DYNASTIES))]
    if poet:
        dynasty = SONG if poet in SONG_POETS else TANG
    return Wish(
        form,
        given,
        acrostic,
        dynasty,
        _one_of(
            "rhyme_book",
            str(parameters.get("rhyme_book", rhyme_dictionaries.PINGSHUI)),
            rhyme_dictionaries.BOOKS,
        ),
        _one_of("rhyme", str(parameters.get("rhyme", ANY)), (ANY, *rhymes)).removeprefix(ANY),
        float(parameters.get("temperature", 1.0)),
        poet,
    )


def form_slug(parameters: Mapping[str, Any]) -> str:
    """The form that ``parameters`` will have, as far as poems of one form can be written together."""
    slug = str(parameters["form"])
    if slug != COUPLET:
        return slug
    try:
        return _couplet(_segments(str(parameters.get("opening", "")))).slug
    except InvalidRequest:
        return slug


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise InvalidRequest(
            f"{name} {value!r}", visitor=f"The {name.replace('_', ' ')} must be one of {', '.join(allowed)}."
        )
    return value


def _bad(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, visitor=sentence, code="bad_draft")


def _segments(text: str) -> list[str]:
    """The lines of a draft: runs of Chinese characters and □, between spaces, breaks and punctuation."""
    found = [""]
    for character in text:
        if is_chinese(character):
            found[-1] += character
        elif character in OPEN_SIGNS:
            found[-1] += "□"
        elif character.isspace() or character in "/|" or unicodedata.category(character)[0] == "P":
            found.append("")
        else:
            raise _bad(
                f"A draft is made of Chinese characters, and □ for what is open; “{character}” is neither."
            )
    return [segment for segment in found if segment]


def _couplet(draft: list[str]) -> prosody.Form:
    """The form of the couplet whose one line is given."""
    form = prosody.COUPLETS.get(len(draft[0]) if draft else 0)
    if form is None or "□" in draft[0]:
        raise _bad("To answer a couplet, give one whole line of five or seven characters.")
    return form


def _slots(draft: list[str], form: prosody.Form) -> dict[int, str]:
    """The given characters of a draft. A short line leaves its end open; lines may run on."""
    lines: list[str] = []
    for segment in draft:
        if len(segment) > form.length and len(segment) % form.length:
            raise _bad(
                f"“{segment[:20]}” has {len(segment)} characters; a line of this form has {form.length}."
            )
        lines += [segment[i : i + form.length] for i in range(0, len(segment), form.length)]
    if len(lines) > form.lines:
        raise _bad(f"The draft has {len(lines)} lines; this form has {form.lines}.")
    return {
        number * form.length + place: character
        for number, line in enumerate(lines)
        for place, character in enumerate(line)
        if character != "□"
    }
