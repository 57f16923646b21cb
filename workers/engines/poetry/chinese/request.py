"""What a person asks of a Chinese poem beside its theme: form, given characters, manner, rhyme. No torch.

A draft is the poem as far as it stands: lines of characters, with □ for what is open. A first line, a
locked line, "again from here" and an acrostic are all given characters, by slot.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from workers.engines.base import InvalidRequest
from workers.engines.language.han import is_chinese
from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.themes import acrostic_characters
from workers.engines.poetry.prompt_tokens import simplify
from workers.engines.poetry.request import ANY, VerseRequest, chosen

OPEN_SIGNS = frozenset("□＿_*＊○")
TANG, SONG = 1, 2
DYNASTIES = {ANY: 0, "tang": TANG, "song": SONG}
"""The dynasties of the kind's choice, by their numbers for the network."""
SONG_POETS = frozenset(
    {
        "苏轼", "陆游", "杨万里", "王安石", "黄庭坚", "范成大", "欧阳修", "梅尧臣", "邵雍", "朱熹", "文天祥",
        "朱淑真",
    }
)  # fmt: skip
"""Of the poets whose manner can be asked for, those of the Song; the others are of the Tang."""
COUPLET = "couplet"


@dataclass(frozen=True, slots=True)
class ChineseVerseRequest:
    """``given``: characters as they were typed, by slot. ``rhyme``: a Pingshui rhyme's name, or empty.

    ``dynasty``: its number for the network. ``poet``: in whose manner the poem is written, or empty; his
    dynasty is that of the poem, too. Of a couplet the given line is the first, whether it will stand above
    or below.
    """

    prompt: str
    form: prosody.Form
    count: int
    given: Mapping[int, str]
    acrostic: str
    dynasty: int
    rhyme_book: str
    rhyme: str
    temperature: float
    poet: str

    @classmethod
    def parse(
        cls, request: VerseRequest, rhymes: Collection[str], poets: Collection[str]
    ) -> ChineseVerseRequest:
        """What ``request`` asks for, its draft and acrostic parsed.

        ``rhymes`` and ``poets``: the names that the weights have. Raises InvalidRequest for other names, an
        unknown form, drafts that do not fit the form, and an acrostic that contradicts the draft.
        """
        draft = _segments(request.opening)
        form = _couplet(draft) if request.form == COUPLET else prosody.FORM_BY_SLUG.get(request.form)
        if form is None:
            raise InvalidRequest(
                f"form {request.form!r}", visitor=f"The studio knows no form “{request.form[:40]}”."
            )
        acrostic = acrostic_characters(request.acrostic, form.lines)
        poet = _one_of("poet", chosen(request.poet), poets)
        return cls(
            prompt=request.prompt,
            form=form,
            count=request.count,
            given=_with_acrostic(_slots(draft, form), acrostic, form),
            acrostic=acrostic,
            dynasty=(SONG if poet in SONG_POETS else TANG) if poet else DYNASTIES[request.dynasty],
            rhyme_book=request.rhyme_book,
            rhyme=_one_of("rhyme", chosen(request.rhyme), rhymes),
            temperature=request.temperature,
            poet=poet,
        )


def form_slug(parameters: Mapping[str, Any]) -> str:
    """The form that poems of complete ``parameters`` will have: of one form they can be written together."""
    slug = str(parameters["form"])
    if slug != COUPLET:
        return slug
    try:
        return _couplet(_segments(str(parameters["opening"]))).slug
    except InvalidRequest:
        return slug


def _one_of(name: str, value: str, known: Collection[str]) -> str:
    """``value``, which the weights must know unless it is empty."""
    if value and value not in known:
        raise InvalidRequest(f"{name} {value!r}", visitor=f"The {name} must be one of {', '.join(known)}.")
    return value


def _with_acrostic(given: dict[int, str], acrostic: str, form: prosody.Form) -> dict[int, str]:
    """``given`` and the characters with which an acrostic begins the lines."""
    for line, character in enumerate(acrostic):
        there = given.setdefault(line * form.length, character)
        if simplify(there) != simplify(character):
            raise _bad(
                f"Line {line + 1} must begin with “{character}” for the acrostic, but “{there}” stands there."
            )
    return given


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
