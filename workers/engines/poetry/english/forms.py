"""The forms of English verse: syllables, beats and rhymes of every line, and which words fit a place.

A line is a template with one letter per syllable: ``s`` carries a beat, ``w`` does not, ``.`` may do either.
A word fits where its main stress falls on a beat (Halle and Keyser 1966, Kiparsky 1977), with the usual
freedoms: a weak syllable may be lifted onto a beat, words of one syllable stand anywhere but for articles,
and the first foot of an iambic line may be turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

UNRHYMED = "-"


def iambic(syllables: int) -> str:
    """The template of an iambic line of an even number of syllables."""
    return "ws" * (syllables // 2)


@dataclass(frozen=True, slots=True)
class Form:
    """``templates`` by line; ``scheme``: a letter per line, lines of one letter rhyme, ``-`` with none."""

    slug: str
    name: str
    templates: tuple[str, ...]
    scheme: str
    stanzas: tuple[int, ...]  # lines in each

    def __post_init__(self) -> None:
        if not len(self.templates) == len(self.scheme) == sum(self.stanzas):
            raise ValueError(f"{self.slug}: templates, scheme and stanzas tell different numbers of lines")

    @property
    def lines(self) -> int:
        return len(self.templates)

    @property
    def syllables(self) -> tuple[int, ...]:
        return tuple(len(template) for template in self.templates)

    def lines_left(self, line: int) -> int:
        """Lines of the stanza from ``line`` on, that line included."""
        end = 0
        for size in self.stanzas:
            end += size
            if line < end:
                return end - line
        raise IndexError(f"line {line} of a form of {self.lines}")

    def group(self, line: int) -> list[int]:
        """The lines that rhyme with ``line``, itself included; only itself where it is unrhymed."""
        letter = self.scheme[line]
        if letter == UNRHYMED:
            return [line]
        return [i for i, other in enumerate(self.scheme) if other == letter]

    def breaks(self) -> set[int]:
        """The lines after which a stanza ends and another begins."""
        ends, end = set(), 0
        for size in self.stanzas[:-1]:
            end += size
            ends.add(end - 1)
        return ends


_LONG, _SHORT = "wswwswws", "wswws"

FORMS: tuple[Form, ...] = (
    Form("heroic", "Heroic couplets", (iambic(10),) * 6, "AABBCC", (6,)),
    Form("ballad", "Ballad", (iambic(8), iambic(6)) * 4, "-A-A-B-B", (4, 4)),
    Form("quatrain", "Quatrain", (iambic(8),) * 4, "ABAB", (4,)),
    Form("limerick", "Limerick", (_LONG, _LONG, _SHORT, _SHORT, _LONG), "AABBA", (5,)),
    Form("haiku", "Haiku", ("." * 5, "." * 7, "." * 5), "---", (3,)),
    Form("sonnet", "Shakespearean sonnet", (iambic(10),) * 14, "ABABCDCDEFEFGG", (4, 4, 4, 2)),
)
FORM_BY_SLUG = {form.slug: form for form in FORMS}

ARTICLE, SINGLE = "0", "*"
"""Shapes of words of one syllable: those that never carry a beat, and all others."""


def shape(word: str, stresses: str) -> str:
    """What matters for fitting: the stresses of a long word, ARTICLE or SINGLE for a short one."""
    if len(stresses) > 1:
        return stresses
    return ARTICLE if word in ("a", "an", "the", "th'") else SINGLE


def fits(shape: str, template: str, start: int) -> bool:
    """Whether a word of ``shape`` may begin at syllable ``start`` of ``template`` and ends within it."""
    end = start + len(shape)
    if start < 0 or end > len(template):
        return False
    slots = template[start:end]
    if shape == SINGLE:
        return True
    if shape == ARTICLE:
        return slots != "s"
    if start == 0 and slots.startswith("ws") and shape.startswith("10"):
        slots = "sw" + slots[2:]  # "Tender is the night": the first foot may be turned round
    return all(slot != "w" for slot, stress in zip(slots, shape, strict=True) if stress == "1")


def fillable(template: str, shapes: Sequence[str], openers: Sequence[str]) -> list[bool]:
    """For r = 0..len(template): whether the first r syllables can be filled with words exactly.

    ``shapes``: of all words that may be written; ``openers``: of those with which the line may begin.
    """
    reach = [True]
    for r in range(1, len(template) + 1):
        opened = any(len(s) == r and fits(s, template, 0) for s in openers)
        later = any(
            r - len(s) > 0 and reach[r - len(s)] and fits(s, template, r - len(s))
            for s in shapes
            if len(s) < r
        )
        reach.append(opened or later)
    return reach
