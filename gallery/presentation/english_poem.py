"""Annotations of an English poem, parsed from the details of a work: stresses, rhymes, alternatives, drafts.

The details come from an engine, perhaps an operator's own. What has another form than format 2, or does
not fit the poem's lines, is not shown; what is missing beside the words is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from gallery.kinds.verse_forms import FORMS, poet_label
from gallery.models import Artwork
from gallery.presentation.chinese_poem import DETAIL, MOST_OPTIONS, Alternative, numbers, percent

FORMAT = 2
LANGUAGE = "en"
MOST_LINES, MOST_PIECES, LONGEST = 14, 20, 40
BEFORE = "_ "
"""What a draft has for words that are to be found before those that follow."""

Beat = Literal["strong", "second", "weak"]
_BEATS: Mapping[str, Beat] = {"0": "weak", "1": "strong", "2": "second"}
_SLOTS: Mapping[str, Beat] = {"w": "weak", "s": "strong"}
_IAMBIC = re.compile("(?:ws)+")
_TRIPLE = re.compile("w?(?:sww)+sw?|w(?:sww)*s?")


@dataclass(frozen=True, slots=True)
class Piece:
    """A word of a line, or a mark (``text`` "" where there is none). ``beats``: one for each syllable.

    ``ends``: whether it is the line's last word, which rhymes.
    """

    text: str
    is_mark: bool
    ends: bool
    beats: tuple[Beat, ...]
    alternatives: tuple[Alternative, ...]
    draft: str | None
    """The poem as it stays when this and the words before it are written anew; None where it cannot be."""


@dataclass(frozen=True, slots=True)
class EnglishLine:
    """One line. ``rhyme``: the letter of its rhyme, "" for none; ``opens``: whether it begins a stanza."""

    number: int
    pieces: tuple[Piece, ...]
    rhyme: str
    opens: bool
    given: bool

    @property
    def bound(self) -> list[list[Piece]]:
        """Every word with the marks that follow it: they are not parted at the edge of a page."""
        found: list[list[Piece]] = []
        for piece in self.pieces:
            if not piece.text and not piece.alternatives:
                continue
            if piece.is_mark and found:
                found[-1].append(piece)
            else:
                found.append([piece])
        return found


@dataclass(frozen=True, slots=True)
class EnglishAnnotations:
    """What a page shows of an English poem beside its text; ``form``, ``metre`` and ``author`` in words."""

    lines: tuple[EnglishLine, ...]
    form: str | Promise
    metre: str
    scheme: str
    author: str | Promise
    text: str


def is_english(artwork: Artwork) -> bool:
    """Whether its engine says that it is English verse."""
    return artwork.details.get("language") == LANGUAGE


def stanza_starts(artwork: Artwork) -> frozenset[int]:
    """The numbers (from 0) of the lines that begin a stanza, the first apart; none when it is not told."""
    sizes, count = artwork.details.get("stanzas"), len(artwork.lines)
    if (
        not isinstance(sizes, list)
        or not all(type(size) is int and size > 0 for size in sizes)
        or sum(sizes) != count
    ):
        return frozenset()
    return frozenset(sum(sizes[:number]) for number in range(1, len(sizes)))


def stanza_text(artwork: Artwork) -> str:
    """The poem as text, an empty line between its stanzas."""
    starts = stanza_starts(artwork)
    return "\n".join(f"\n{line}" if number in starts else line for number, line in enumerate(artwork.lines))


def english_annotations_of(artwork: Artwork) -> EnglishAnnotations | None:
    """The annotations of an English poem, or None when its engine left none that fit it."""
    facts, lines = artwork.details.get(DETAIL), artwork.lines
    if (
        not isinstance(facts, Mapping)
        or facts.get("format") != FORMAT
        or facts.get("language") != LANGUAGE
        or not 0 < len(lines) <= MOST_LINES
    ):
        return None
    told = facts.get("lines")
    if not isinstance(told, list) or len(told) != len(lines):
        return None
    scheme = _scheme(facts.get("scheme"), len(lines))
    templates = _templates(facts.get("templates"), len(lines))
    given, starts = numbers(facts.get("given"), len(lines)), stanza_starts(artwork)
    acrostic = _text(artwork, "acrostic")
    shown = []
    for number, (line, pieces) in enumerate(zip(lines, told, strict=True)):
        found = _pieces(pieces, line)
        if found is None:
            return None
        letter = acrostic[number : number + 1].lower()
        made = _shown(found, lines[:number], templates[number], letter)
        rhyme = scheme[number].replace("-", "")
        shown.append(EnglishLine(number + 1, made, rhyme, number in starts, number in given))
    form = FORMS.get(_text(artwork, "form"))
    return EnglishAnnotations(
        tuple(shown),
        form.label if form is not None else _text(artwork, "form_name"),
        metre(templates),
        scheme if scheme.strip("-") else "",
        poet_label(_text(artwork, "author")),
        stanza_text(artwork),
    )


def draft_of_kept(artwork: Artwork, kept: Collection[int]) -> str:
    """The draft that keeps the lines whose numbers (from 1) are ``kept`` and leaves the others open."""
    stays = [line if number in kept else "" for number, line in enumerate(artwork.lines, 1)]
    return "/".join(stays).rstrip("/")


def metre(templates: Sequence[str]) -> str:
    """The metre in words: "iambic, 8 and 6 syllables"; "" where nothing is told."""
    if not all(templates):
        return ""
    counts = [len(template) for template in templates]
    different = list(dict.fromkeys(counts))
    if len(different) > 1 and len(counts) <= 3:
        different = counts
    named = [str(count) for count in different]
    listed = (
        _("%(some)s and %(last)s") % {"some": _(", ").join(named[:-1]), "last": named[-1]}
        if named[1:]
        else named[0]
    )
    syllables = _("%(counts)s syllables") % {"counts": listed}
    for pattern, name in ((_IAMBIC, _("iambic")), (_TRIPLE, _("triple metre"))):
        if all(pattern.fullmatch(template) for template in templates):
            return _("%(metre)s, %(syllables)s") % {"metre": name, "syllables": syllables}
    return syllables


def _text(artwork: Artwork, name: str) -> str:
    told = artwork.details.get(name)
    return told[:LONGEST] if isinstance(told, str) else ""


Found = list[tuple[str, str, list[tuple[str, float]]]]
"""(text, stress, options) of every word and mark of a line."""


def _pieces(told: Any, line: str) -> Found | None:
    """The words and marks of a line; None when they are not those of its text."""
    if not isinstance(told, list) or not 0 < len(told) <= MOST_PIECES:
        return None
    found: Found = []
    for one in told:
        if not isinstance(one, Mapping):
            return None
        text, stress = one.get("text"), one.get("stress")
        if not isinstance(text, str) or not isinstance(stress, str) or not set(stress) <= set(_BEATS):
            return None
        found.append((text, stress, _options(one.get("options"))))
    joined = "".join(text for text, _stress, _some in found)
    return found if "".join(joined.split()) == "".join(line.split()) else None


def _options(told: Any) -> list[tuple[str, float]]:
    return [
        (option[0], float(option[1]))
        for option in (told if isinstance(told, list) else [])[:MOST_OPTIONS]
        if isinstance(option, list)
        and len(option) == 2
        and isinstance(option[0], str)
        and len(option[0]) <= LONGEST
        and not set(option[0]) & set("/\n\r_")
        and isinstance(option[1], int | float)
        and 0 <= option[1] <= 1
    ]


def _shown(found: Found, before: Sequence[str], template: str, letter: str) -> tuple[Piece, ...]:
    """The pieces of a line with what may be done at each. ``letter``: with which the line has to begin."""
    if len(template) != sum(len(stress) for _text, stress, _some in found):
        template = ""
    head, texts, syllable = "".join(f"{line}/" for line in before), [text for text, *_rest in found], 0
    last = max((place for place, (_t, stress, _o) in enumerate(found) if stress), default=0)
    pieces = []
    for place, (text, stress, options) in enumerate(found):
        rest = texts[place + 1 :]
        ends_line = not stress and place > last
        pieces.append(
            Piece(
                text,
                not stress,
                place == last,
                _beats(stress, template[syllable : syllable + len(stress)]),
                tuple(
                    Alternative(
                        option,
                        percent(chance),
                        # Another mark at the end leaves the words that it closes.
                        head
                        + (
                            joined([*texts[:place], option])
                            if ends_line
                            else BEFORE + joined([option, *rest])
                        ),
                    )
                    for option, chance in options
                    if option != text
                    and (option or ends_line)
                    and (place > 0 or not letter or option.lower().lstrip("'’").startswith(letter))
                ),
                None if ends_line else head.rstrip("/") if place == last else head + BEFORE + joined(rest),
            )
        )
        syllable += len(stress)
    return tuple(pieces)


def joined(texts: Sequence[str]) -> str:
    """Words and marks as they are printed: a mark stands close to the word before it."""
    line = ""
    for text in texts:
        line += f" {text}" if line and any(map(str.isalnum, text)) else text
    return line


def _beats(stress: str, slots: str) -> tuple[Beat, ...]:
    """The stress of each syllable: one of one syllable takes it from the metre, a longer word has its own."""
    if len(stress) == 1 and slots in _SLOTS:
        return (_SLOTS[slots],)
    return tuple(_BEATS[digit] for digit in stress)


def _scheme(told: Any, count: int) -> str:
    """A letter for every line, or "-" for all when it is not what it should be."""
    fits = isinstance(told, str) and re.fullmatch("[A-Z-]+", told) and len(told) == count
    return str(told) if fits else "-" * count


def _templates(told: Any, count: int) -> list[str]:
    fits = (
        isinstance(told, list)
        and len(told) == count
        and all(isinstance(one, str) and re.fullmatch("[sw.]{1,20}", one) for one in told)
    )
    return list(told) if fits else [""] * count
