"""What a person asks of an English poem beside its theme: form, draft, acrostic, poet. No torch.

A draft is the poem as far as it stands: lines between "/" or line breaks. An empty line is open; a line that
starts with "_" gives only its end, and the words before it are written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from workers.engines.base import InvalidRequest
from workers.engines.poetry.english.forms import FORM_BY_SLUG, Form
from workers.engines.poetry.english.themes import unaccented
from workers.engines.poetry.request import VerseRequest, chosen

NO_MARK = "_"
"""The token for an end of a line without a mark."""
MARKS = ",;:.!?"
_BREAK = re.compile(r"\r\n|[/\n\r\v\f\x85\u2028\u2029]")
_OPENED = re.compile(r"^\s*(?:_+|…+|\.{3,})\s*")
_PIECE = re.compile(r"'?[a-z]+(?:'[a-z]+)*'?|[,;:.!?]")
_DASH = re.compile(r"\s*(?:-{2,}|[—–]|(?<=\s)-(?=\s)|-$)\s*")
_TODAY = re.compile(r"\bto-(day|night|morrow)\b")
_QUOTES = re.compile(r'["“”„«»()\[\]]')


@dataclass(frozen=True, slots=True)
class Given:
    """A line of a draft, or its end: words in small letters and marks in reading order."""

    pieces: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class EnglishVerseRequest:
    """``given``: by number of the line from 0. ``acrostic``: letters. ``poet``: in whose manner, or empty."""

    prompt: str
    form: Form
    count: int
    given: Mapping[int, Given]
    acrostic: str
    poet: str
    temperature: float

    @classmethod
    def parse(cls, request: VerseRequest) -> EnglishVerseRequest:
        """What ``request`` asks for, its draft and acrostic parsed.

        Raises InvalidRequest for an unknown form, what is not English, drafts that do not fit the form, and
        an acrostic that contradicts the draft. Whether the words of a draft are known and keep the form is
        not looked at here.
        """
        form = form_of(request.form)
        given, letters = draft(request.opening, form), initials(request.acrostic, form.lines)
        for line, letter in enumerate(letters):
            first = next((p for p in given[line].pieces if p[0] not in MARKS), "") if line in given else ""
            if first and given[line].whole and first.lstrip("'")[0].upper() != letter:
                raise _bad(
                    f"Line {line + 1} must begin with “{letter}” for the acrostic, "
                    f"but “{first}” stands there."
                )
        return cls(
            prompt=request.prompt,
            form=form,
            count=request.count,
            given=given,
            acrostic=letters,
            poet=chosen(request.english_poet),
            temperature=request.temperature,
        )


def form_of(slug: str) -> Form:
    """The form with a slug. Raises InvalidRequest."""
    if slug not in FORM_BY_SLUG:
        raise InvalidRequest(f"form {slug!r}", visitor=f"The form must be one of {', '.join(FORM_BY_SLUG)}.")
    return FORM_BY_SLUG[slug]


def _bad(sentence: str) -> InvalidRequest:
    return InvalidRequest(sentence, visitor=sentence, code="bad_draft")


def draft(text: str, form: Form) -> dict[int, Given]:
    """The given lines of a draft, by number. Raises InvalidRequest."""
    lines = _BREAK.split(text)
    while lines and not lines[-1].strip():
        lines.pop()
    if len(lines) > form.lines:
        raise _bad(f"The draft has {len(lines)} lines; this form has {form.lines}.")
    given: dict[int, Given] = {}
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        rest = _OPENED.sub("", line, count=1)
        found = pieces(rest)
        whole = rest == line
        while whole and found and found[0] in MARKS:
            del found[0]
        if whole and not found:
            raise _bad(f"Line {number + 1} of the draft has no words.")
        # A sign alone: nothing stands at this line's end, not even a mark.
        given[number] = Given(tuple(found) or (NO_MARK,), whole)
    return given


def pieces(text: str) -> list[str]:
    """Words in small letters and marks of a line, in reading order. Raises InvalidRequest for other signs."""
    line = _QUOTES.sub(" ", unaccented(text).lower())
    line = _TODAY.sub(r"to\1", _DASH.sub(", ", line)).replace("-", " ")
    found: list[str] = []
    place = 0
    while place < len(line):
        piece = _PIECE.match(line, place)
        if piece is None:
            sign = line[place]
            if sign != "'" and not sign.isspace() and unicodedata.category(sign)[0] != "C":
                raise _bad(f"A draft of an English poem is made of English words; “{sign}” is none.")
            place += 1
            continue
        place = piece.end()
        # Two marks are one.
        if piece[0] in MARKS and found and found[-1] in MARKS:
            continue
        found.append(piece[0])
    return found


def initials(acrostic: str, lines: int) -> str:
    """The letters of an acrostic in capitals, without spaces and punctuation. Raises InvalidRequest."""
    plain = unaccented(acrostic)
    wanted = [c for c in plain if not c.isspace() and unicodedata.category(c)[0] not in "PC"]
    strange = next((c for c in wanted if not (c.isascii() and c.isalpha())), "")
    if strange:
        raise InvalidRequest(
            f"acrostic with U+{ord(strange):04X}",
            visitor=f"An English acrostic is made of the letters A to Z; “{strange}” is none of them.",
            code="bad_acrostic",
        )
    if len(wanted) > lines:
        raise InvalidRequest(
            f"acrostic of {len(wanted)} letters for {lines} lines",
            visitor=f"The acrostic has {len(wanted)} letters; this form has {lines} lines, "
            f"so it can have {lines} letters at most.",
            code="bad_acrostic",
        )
    return "".join(wanted).upper()
