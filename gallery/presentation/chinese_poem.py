"""Annotations of a Chinese poem, parsed from the details of a work: tones, rhymes, alternatives, drafts.

The details come from an engine, perhaps an operator's own. What has another form than format 1, or does
not fit the poem's lines, is not shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gallery.kinds.verse_forms import poet_label
from gallery.models import Artwork

DETAIL = "craft"
"""The name in a work's details: stored data keep it."""
FORMAT = 1
MOST_LINES, MOST_LENGTH, MOST_OPTIONS = 8, 7, 6
OPEN = "□"

_TONES = frozenset("平仄通？")
_MARKS = frozenset("平仄中韵")
_BREACHES: Mapping[str, str | Promise] = {
    "tone": _("the tone breaks the pattern"),
    "rhyme": _("it does not rhyme"),
    "repeat": _("it stands twice in the poem"),
}
_RELAXED: Mapping[str, str | Promise] = {
    "given_tones": _("The given characters %(what)s do not fit any tone pattern: the nearest was taken."),
    "given_rhymes": _("The given ends %(what)s do not belong to the rhyme."),
    "unknown_tones": _("No table knows the tone of %(what)s: it stands as it was given, unchecked."),
    "rhyme_by_book": _(
        "Today's rhymes are other ones: %(what)s took the place of the rhyme that was asked for."
    ),
    "couplet_rhyme": _("The lines of a couplet do not rhyme: the rhyme that was asked for was left out."),
}


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another character or word for the same place, with its probability in words.

    ``draft``: the text to continue from when it is taken.
    """

    text: str
    percent: str
    draft: str


@dataclass(frozen=True, slots=True)
class AnnotatedCharacter:
    """One character of a poem. ``rhyming``: it stands where a rhyme must; ``breaches`` in words."""

    character: str
    tone: str
    rhyming: bool
    pinyin: str
    given: bool
    breaches: tuple[str | Promise, ...]
    alternatives: tuple[Alternative, ...]
    draft: str
    """The poem before it: to write again from here."""


@dataclass(frozen=True, slots=True)
class AnnotatedLine:
    """One line. ``fixed``: it cannot be written anew, as the given line of a couplet."""

    number: int
    places: tuple[AnnotatedCharacter, ...]
    fixed: bool

    @property
    def text(self) -> str:
        """The line without anything around it."""
        return "".join(place.character for place in self.places)


@dataclass(frozen=True, slots=True)
class PoemAnnotations:
    """What the page shows of a poem beside its text."""

    lines: tuple[AnnotatedLine, ...]
    pattern: str
    rhyme: str
    modern: bool
    author: str | Promise
    relaxed: tuple[str, ...]
    broken: bool

    @property
    def text(self) -> str:
        """The whole poem, one line per line."""
        return "\n".join(line.text for line in self.lines)


def annotations_of(artwork: Artwork) -> PoemAnnotations | None:
    """The annotations of a poem, or None when its engine left none that fit it."""
    facts, lines = artwork.details.get(DETAIL), artwork.lines
    if not isinstance(facts, Mapping) or facts.get("format") != FORMAT or not _is_verse(lines):
        return None
    length, size = len(lines[0]), len(lines) * len(lines[0])
    tones, marks = _signs(facts.get("tones"), _TONES, size), _signs(facts.get("marks"), _MARKS, size)
    if not tones or not marks:
        return None
    breaches = facts.get("breaches")
    wrong = {
        name: numbers(breaches.get(name) if isinstance(breaches, Mapping) else None, size)
        for name in _BREACHES
    }
    given = numbers(facts.get("given"), size)
    first = 1 if facts.get("first_written") == 1 and len(lines) == 2 else 0
    acrostic = str(artwork.details.get("acrostic", ""))
    pinyin = _pinyin(facts.get("pinyin"), lines)
    options = _options(facts.get("options"), size)
    shown = []
    for number, line in enumerate(lines):
        fixed = len(lines) == 2 and number == first
        places = []
        for place, character in enumerate(line):
            slot = number * length + place
            before = draft_before(lines, first, slot)
            bound = fixed or (place == 0 and number < len(acrostic))
            places.append(
                AnnotatedCharacter(
                    character,
                    tones[slot],
                    marks[slot] == "韵",
                    pinyin[slot],
                    slot in given,
                    tuple(text for name, text in _BREACHES.items() if slot in wrong[name]),
                    ()
                    if bound
                    else tuple(
                        Alternative(option, percent(chance), before + option)
                        for option, chance in options[slot]
                        if option != character
                    ),
                    "" if fixed else before,
                )
            )
        shown.append(AnnotatedLine(number + 1, tuple(places), fixed))
    return PoemAnnotations(
        tuple(shown),
        str(artwork.details.get("pattern", ""))[:20],
        str(artwork.details.get("rhyme", ""))[:10],
        artwork.details.get("rhyme_book") == "modern",
        poet_label(str(artwork.details.get("author", ""))[:20]),
        tuple(_relaxed(facts.get("relaxed"))),
        any(wrong.values()),
    )


def draft_before(lines: Sequence[str], first: int, slot: int) -> str:
    """The poem as it was written before ``slot`` (in reading order); ``first`` line was written first."""
    length = len(lines[0])
    number, place = divmod(slot, length)
    order = [first, *(i for i in range(len(lines)) if i != first)]
    done = [lines[i] for i in order[: order.index(number)]]
    return "".join(f"{line}/" for line in done) + lines[number][:place]


def draft_of_locked(artwork: Artwork, locked: Collection[int]) -> str:
    """The draft that keeps the lines whose numbers (from 1) are ``locked`` and leaves the others open."""
    lines = artwork.lines
    facts = artwork.details.get(DETAIL)
    swapped = isinstance(facts, Mapping) and facts.get("first_written") == 1 and len(lines) == 2
    order = [1, 0] if swapped else list(range(len(lines)))
    kept = [lines[i] if i + 1 in locked or (len(lines) == 2 and i == order[0]) else "" for i in order]
    while kept and not kept[-1]:
        kept.pop()
    return "/".join(line or OPEN * len(lines[0]) for line in kept)


def _is_verse(lines: Sequence[str]) -> bool:
    return (
        0 < len(lines) <= MOST_LINES
        and 0 < len(lines[0]) <= MOST_LENGTH
        and all(len(line) == len(lines[0]) for line in lines)
    )


def _signs(found: Any, allowed: Collection[str], size: int) -> str:
    """The signs of all lines in one string, or "" when they are not what they should be."""
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        return ""
    joined = "".join(found)
    return joined if len(joined) == size and set(joined) <= set(allowed) else ""


def numbers(found: Any, size: int) -> frozenset[int]:
    """The whole numbers from 0 below ``size`` in what should be a list of them."""
    rows = found if isinstance(found, list) else []
    return frozenset(one for one in rows if type(one) is int and 0 <= one < size)


def _pinyin(found: Any, lines: Sequence[str]) -> list[str]:
    size = sum(map(len, lines))
    rows = found if isinstance(found, list) else []
    flat = [str(one)[:8] for row in rows if isinstance(row, list) for one in row]
    return flat if len(flat) == size else [""] * size


def _options(found: Any, size: int) -> list[list[tuple[str, float]]]:
    """For every character its alternatives; none at all when their number is not right."""
    if not isinstance(found, list) or len(found) != size:
        return [[] for _slot in range(size)]
    return [
        [
            (option[0], float(option[1]))
            for option in (options if isinstance(options, list) else [])[:MOST_OPTIONS]
            if isinstance(option, list)
            and len(option) == 2
            and isinstance(option[0], str)
            and len(option[0]) == 1
            and isinstance(option[1], int | float)
            and 0 <= option[1] <= 1
        ]
        for options in found
    ]


def percent(share: float) -> str:
    """A probability as the page tells it."""
    return f"{share:.0%}" if share >= 0.01 else "<1%"


def _relaxed(found: Any) -> Iterable[str]:
    for one in found if isinstance(found, list) else []:
        if isinstance(one, Mapping) and one.get("code") in _RELAXED:
            what = str(one.get("characters") or one.get("rhyme") or "")[:60]
            yield str(_RELAXED[str(one["code"])]) % {"what": what}
