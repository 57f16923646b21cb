"""A checker of the form of printed English verse: from the text and the pronouncing dictionary alone.

Independent of the decoder: forms, syllables and rhymes are defined here again, so that an error in one place
shows in the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workers.training.english_verse.pronunciation import Phones, dictionary

FORMS: dict[str, tuple[tuple[int, ...], str]] = {
    "heroic": ((10,) * 6, "aabbcc"),
    "ballad": ((8, 6, 8, 6, 8, 6, 8, 6), "xayaxbyb"),
    "quatrain": ((8,) * 4, "abab"),
    "limerick": ((8, 8, 5, 5, 8), "aabba"),
    "haiku": ((5, 7, 5), "xyz"),
    "sonnet": ((10,) * 14, "ababcdcdefefgg"),
}
"""Syllables of each line and its rhyme; x, y and z are free."""
FREE = "xyz"
DUPLE = ("heroic", "ballad", "quatrain", "sonnet")
"""Forms whose beat falls on every second syllable."""

_WORD = re.compile(r"'?[a-z]+(?:'[a-z]+)*")


@dataclass(frozen=True, slots=True)
class RuleReport:
    """Which rules one poem keeps. ``unknown``: words that the dictionary lacks, which count as a breach."""

    lines: bool
    syllables: bool
    rhymes: bool
    beats: float  # share of long words whose main stress stands on a beat; 1 where the form has no beat
    unknown: tuple[str, ...]

    @property
    def right(self) -> bool:
        return self.lines and self.syllables and self.rhymes and not self.unknown


def words(line: str) -> list[str]:
    """The words of a printed line, in small letters."""
    found = _WORD.findall(line.lower().replace("’", "'"))
    known = dictionary()
    # A quotation mark before a word is none of its letters.
    return [word if word in known else word.removeprefix("'") for word in found]


def pronunciation(word: str) -> Phones | None:
    """The commonest pronunciation, None for a word that the dictionary lacks."""
    sounds = dictionary().get(word)
    return sounds[0].phones if sounds else None


def count(line: str) -> int | None:
    """Syllables of a line, None when a word is unknown."""
    total = 0
    for word in words(line):
        phones = pronunciation(word)
        if phones is None:
            return None
        total += sum(phone[-1].isdigit() for phone in phones)
    return total


def rhymes(one: str, other: str) -> bool:
    """Whether two words rhyme: alike from the last stressed vowel on, and not alike before it."""
    pair = [pronunciation(one), pronunciation(other)]
    parts: list[tuple[Phones, str]] = []
    for phones in pair:
        if phones is None:
            return False
        stressed = [i for i in range(len(phones)) if phones[i].endswith(("1", "2"))]
        if not stressed:
            return False
        bare = tuple(phone.strip("012") for phone in phones)
        before = phones[stressed[-1] - 1] if stressed[-1] else ""
        # A vowel just before belongs to another syllable.
        parts.append((bare[stressed[-1] :], "" if before[-1:].isdigit() else before))
    return parts[0][0] == parts[1][0] and parts[0][1] != parts[1][1]


def _beats(line: str) -> tuple[int, int]:
    """(long words on the beat, long words) of an iambic line; a turned first foot is no breach."""
    place, right, total = 0, 0, 0
    for word in words(line):
        stresses = [phone[-1] for phone in pronunciation(word) or () if phone[-1].isdigit()]
        if len(stresses) > 1 and "1" in stresses:
            total += 1
            beat = place + stresses.index("1")
            right += beat % 2 == 1 or (place == 0 and beat == 0)
        place += len(stresses)
    return right, total


def check(lines: Sequence[str], form: str) -> RuleReport:
    """Which rules of ``form`` (one of FORMS) a poem's printed ``lines`` keep."""
    lengths, scheme = FORMS[form]
    unknown = tuple(word for line in lines for word in words(line) if pronunciation(word) is None)
    if len(lines) != len(lengths):
        return RuleReport(False, False, False, 0.0, unknown)
    ends = [words(line)[-1] if words(line) else "" for line in lines]
    rhymed = all(
        rhymes(ends[i], ends[j])
        for i in range(len(ends))
        for j in range(i)
        if scheme[i] == scheme[j] and scheme[i] not in FREE
    )
    counts = [_beats(line) for line in lines] if form in DUPLE else []
    total = sum(number for _, number in counts)
    beats = sum(number for number, _ in counts) / total if total else 1.0
    exact = tuple(count(line) for line in lines) == lengths
    return RuleReport(True, exact, rhymed, beats, unknown)


def acrostic(lines: Sequence[str]) -> str:
    """The first letters of the lines."""
    return "".join(next((c for c in line if c.isalpha()), "") for line in lines)
