"""A checker of the rules of regulated verse, independent of the decoder.

It has its own tables, straight from the rhyme book and the list of tones in the training data, and its
own rules: not the four schemes, but the principles that they follow from. Tones alternate within a line, the
lines of a couplet oppose each other (对), the next couplet sticks to the last (粘), even lines rhyme in a
level tone; no level tone stands alone before a rhyme (孤平), no three end a line (三平尾).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.engines.language.character_variants import fold

LEVEL, OBLIQUE = "平", "仄"
EITHER = frozenset((LEVEL, OBLIQUE))
SHAPES = frozenset((lines, length) for lines in (4, 8) for length in (5, 7))


@dataclass(frozen=True, slots=True)
class RuleReport:
    """Which rules one poem keeps. ``tones`` includes that no level tone stands alone and no three end a line.

    ``listed``: whether the book has every character that must rhyme; those that it lacks are not checked.
    """

    form: bool
    tones: bool
    rhyme: bool
    once: bool
    listed: bool = False

    @property
    def regular(self) -> bool:
        """Form, tones and rhyme are right."""
        return self.form and self.tones and self.rhyme


class RuleChecker:
    """Tones and rhymes of characters: ``tones`` their possible tones, ``rhymes`` names of level rhymes.

    A character that the book has, but in no level rhyme, has an empty set; one that it lacks has none.
    """

    def __init__(self, tones: Mapping[str, frozenset[str]], rhymes: Mapping[str, frozenset[str]]) -> None:
        self._tones, self._rhymes = tones, rhymes

    @classmethod
    def load(cls, data: Path) -> RuleChecker:
        """From ``data/text``. A character may have every tone that either source gives it."""
        tones: dict[str, set[str]] = {}
        rhymes: dict[str, set[str]] = {}
        book = json.loads((data / "text" / "pingshui_rhyme.json").read_text("utf-8"))
        for part, groups in book.items():
            for name, characters in groups.items():
                # A rhyme is named after one of its own, which this print of the book forgets at times.
                for character in map(fold, [*characters, *name[-1:]]):
                    tones.setdefault(character, set()).add(LEVEL if "平" in part else OBLIQUE)
                    rhymes.setdefault(character, set()).update([name] if "平" in part else [])
        listed = json.loads((data / "text" / "character_tones.json").read_text("utf-8"))
        for character, tone in listed.items():
            tones.setdefault(fold(character), set()).update(EITHER if tone == "多" else {tone})
        return cls(
            {character: frozenset(found & EITHER) for character, found in tones.items()},
            {character: frozenset(found) for character, found in rhymes.items()},
        )

    def tones(self, character: str) -> frozenset[str]:
        """Its possible tones; both for a character that no table knows."""
        return self._tones.get(character) or EITHER

    def check(self, lines: Sequence[str]) -> RuleReport:
        """Which rules a quatrain or eight-line verse keeps."""
        form = bool(lines) and (len(lines), len(lines[0])) in SHAPES and len({*map(len, lines)}) == 1
        if not form:
            return RuleReport(form=False, tones=False, rhyme=False, once=False)
        tones = any(self._holds(lines, begin) for begin in (LEVEL, OBLIQUE))
        ends = self._ends(lines)
        known = [self._rhymes[character] for character in ends if character in self._rhymes]
        rhyme = not known or bool(frozenset.intersection(*known))
        return RuleReport(form, tones, rhyme, _once(lines), len(known) == len(ends))

    def couplet(self, upper: str, lower: str) -> bool:
        """Whether two lines have opposite tones at the strict places, and the upper ends oblique."""
        strict = [*range(1, len(upper) - 1, 2), len(upper) - 1]
        opposed = all(len(self.tones(upper[i]) | self.tones(lower[i])) == 2 for i in strict)
        ends = OBLIQUE in self.tones(upper[-1]) and LEVEL in self.tones(lower[-1])
        return len(upper) == len(lower) and opposed and ends

    def _holds(self, lines: Sequence[str], begin: str) -> bool:
        """Whether every line fits, if the second character of the poem has the tone ``begin``."""
        for number, line in enumerate(lines):
            # Opposite within a couplet, the same from one couplet to the next: a b b a a b b a.
            second = begin if number % 4 in (0, 3) else _other(begin)
            if not self._line(line, second, first=number == 0, even=number % 2 == 1):
                return False
        return True

    def _line(self, line: str, second: str, *, first: bool, even: bool) -> bool:
        tones = [self.tones(character) for character in line]
        end = len(line) - 1
        ends = (LEVEL,) if even else (OBLIQUE, LEVEL) if first else (OBLIQUE,)
        if not any(tone in tones[end] for tone in ends):
            return False
        wanted = {place: second if place % 4 == 1 else _other(second) for place in range(1, end, 2)}
        regular = all(tone in tones[place] for place, tone in wanted.items())
        closes_level = even or OBLIQUE not in tones[end]
        # 平平仄平仄 for 平平平仄仄: the third and the fourth before the end change places.
        swapped = (
            not even
            and wanted[end - 1] == OBLIQUE
            and all(tone in tones[place] for place, tone in wanted.items() if place != end - 1)
            and OBLIQUE in tones[end - 2]
            and LEVEL in tones[end - 1]
            and OBLIQUE in tones[end]
        )
        if not regular:
            return swapped
        if not closes_level:
            return True
        triple = all(tones[place] == {LEVEL} for place in (end - 2, end - 1, end))
        alone = (
            wanted[end - 3] == LEVEL
            and LEVEL not in tones[end - 4]
            and LEVEL not in tones[end - 2]
            and wanted[end - 1] == OBLIQUE
        )
        return not triple and not alone

    def _ends(self, lines: Sequence[str]) -> list[str]:
        """What must rhyme: the ends of even lines, and of the first where it can only be level."""
        first = [lines[0][-1]] if self.tones(lines[0][-1]) == {LEVEL} else []
        return first + [line[-1] for line in lines[1::2]]


def _other(tone: str) -> str:
    return OBLIQUE if tone == LEVEL else LEVEL


def _once(lines: Sequence[str]) -> bool:
    """Whether no character comes twice but side by side."""
    text = "\n".join(lines)
    kept = [c for i, c in enumerate(text) if c != "\n" and (i == 0 or text[i - 1] != c)]
    return len(kept) == len(set(kept))


def shares(reports: Iterable[RuleReport], prefix: str = "") -> dict[str, float]:
    """In what share of the poems each rule holds, by name."""
    found = list(reports)
    return {
        f"{prefix}form_right": _share(one.form for one in found),
        f"{prefix}tones_right": _share(one.tones for one in found),
        f"{prefix}rhyme_right": _share(one.rhyme for one in found),
        f"{prefix}rhymes_all_listed": _share(one.listed for one in found),
        f"{prefix}no_character_twice": _share(one.once for one in found),
    }


def _share(held: Iterable[bool]) -> float:
    found = list(held)
    return sum(found) / max(len(found), 1)
