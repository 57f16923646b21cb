"""Drafts of English poems, and which words may stand where in them: worked out before writing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.engines.poetry.english.forms import UNRHYMED, Form, fillable, fits
from workers.engines.poetry.english.lexicon import FIRST_WORD, LETTERS, NO_RHYME, Lexicon

THEME_WORDS = 8
"""Most words of a theme."""
SPARE_RHYMES = 8
"""Rhymes that the end of a line should have beyond those that the form needs, if other rules leave so many.
Set by hand."""


class DeadEnd(Exception):
    """A line of the form cannot be written as asked; ``line`` is its number from 0.

    ``why`` is a word: ``syllables`` (``count`` are given), ``beats`` (those of ``token``), ``rhyme`` or
    ``echo`` (with line ``other``), ``letter`` (the acrostic's), ``answers`` (too few words rhyme), or "".
    """

    def __init__(self, line: int, why: str = "", *, count: int = 0, other: int = 0, token: int = 0) -> None:
        super().__init__(f"line {line + 1} cannot be written: {why}")
        self.line, self.why, self.count, self.other, self.token = line, why, count, other, token


Alternatives = list[tuple[int, float]]


@dataclass(slots=True)
class Draft:
    """A poem that is being written. ``acrostic``: the first letters of the lines, of as many as were given.

    ``given``: of some lines the last tokens in reading order, a mark at their end; what is missing before
    them is written; those of ``whole`` are to have every syllable. ``tokens``: of each finished line in
    reading order, marks included; ``alternatives``: for each of these what else was likely there, given what
    follows it, as (token, probability).
    """

    form: Form
    theme: tuple[int, ...]
    author: int
    acrostic: str
    temperature: float
    generator: torch.Generator
    given: Mapping[int, Sequence[int]] = field(default_factory=dict)
    whole: Set[int] = frozenset()
    tokens: list[list[int]] = field(default_factory=list)
    alternatives: list[list[Alternatives]] = field(default_factory=list)
    dropped: bool = False

    def letter(self, line: int) -> str:
        """The letter with which ``line`` begins, "" for any."""
        return self.acrostic[line].lower() if line < len(self.acrostic) else ""

    def ends(self) -> dict[int, int]:
        """The last word of every line of which it is known: finished or given."""
        lines = dict(self.given) | dict(enumerate(self.tokens))
        last = {
            line: next((t for t in reversed(tokens) if t >= FIRST_WORD), -1) for line, tokens in lines.items()
        }
        return {line: token for line, token in last.items() if token >= 0}


class LineRules:
    """What may be written where in one line: ``template`` and the first ``letter`` ("" for any).

    ``words``: (length + 1, V) bool, for every number of syllables left the words that may come next and
    leave a beginning that can be filled; ``ends``: (V,) bool, the words with which the line may end.
    """

    def __init__(self, lexicon: Lexicon, template: str, letter: str) -> None:
        written = lexicon.shape_of >= 0
        openers = written & (lexicon.letter == LETTERS.index(letter)) if letter else written
        reach = fillable(template, lexicon.shapes, lexicon.shapes_of(openers))
        length = len(template)
        inner = torch.zeros(length + 1, len(lexicon.shapes), dtype=torch.bool)
        opening = torch.zeros_like(inner)
        for left in range(1, length + 1):
            for number, shape in enumerate(lexicon.shapes):
                start = left - len(shape)
                if start >= 0 and fits(shape, template, start):
                    (inner if start else opening)[left, number] = start == 0 or reach[start]
        of = lexicon.shape_of.clamp_min(0)
        self.words = (inner[:, of] & written) | (opening[:, of] & openers)
        self.ends = self.words[length] & lexicon.ends
        if template[-1] == "s":
            self.ends &= lexicon.strong_end
        self.template = template


class Planner:
    """Works out which words may stand where, and with which words a line may end beside the other lines."""

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._rules: dict[tuple[str, str], LineRules] = {}

    def rules(self, template: str, letter: str) -> LineRules:
        """The rules of a line, made once."""
        if (template, letter) not in self._rules:
            self._rules[template, letter] = LineRules(self.lexicon, template, letter)
        return self._rules[template, letter]

    def openings(self, draft: Draft, line: int, taken: set[int]) -> Tensor:
        """(V,) bool: with which words ``line`` may end, when it is the first of its rhyme.

        A word whose rhyme the later lines could not answer is none of them, nor one whose rhyme is
        ``taken`` by other lines. Raises DeadEnd when nothing is left.
        """
        lexicon, form = self.lexicon, draft.form
        ends = self.rules(form.templates[line], draft.letter(line)).ends.clone()
        if taken:
            ends &= ~torch.isin(lexicon.rhyme, torch.tensor(sorted(taken)))
        if form.scheme[line] == UNRHYMED:
            return self._some(ends, line)
        ends &= lexicon.rhyme != NO_RHYME
        spare = torch.full((lexicon.rhymes,), SPARE_RHYMES)
        for needed, other in enumerate(form.group(line)):
            possible = self.rules(form.templates[other], draft.letter(other)).ends
            sounds = torch.zeros(len(lexicon.rhyme_of_key), dtype=torch.bool)
            sounds[lexicon.key[possible & (lexicon.key != NO_RHYME)]] = True
            counts = torch.bincount(lexicon.rhyme_of_key[sounds], minlength=lexicon.rhymes)
            # Each line needs a sound that the lines before it have not used.
            spare = torch.minimum(spare, counts - needed - 1)
        for wanted in (SPARE_RHYMES, SPARE_RHYMES // 2, 0):
            rich = ends & (spare >= wanted)[lexicon.rhyme.clamp_min(0)]
            if rich.any():
                return rich
        raise DeadEnd(line)

    def ends(self, draft: Draft, line: int) -> Tensor:
        """(V,) bool: with which words ``line`` may end, beside the lines that are there. Raises DeadEnd."""
        lexicon, known = self.lexicon, draft.ends()
        if line in known:
            ends = torch.zeros(len(lexicon.words), dtype=torch.bool)
            ends[known[line]] = True
            return ends
        mine = [known[other] for other in draft.form.group(line) if other in known]
        if not mine:
            rhymes = {int(lexicon.rhyme[token]) for token in known.values()} - {NO_RHYME}
            try:
                return self.openings(draft, line, rhymes)
            except DeadEnd:
                return self.openings(draft, line, set())  # better one sound for two rhymes than no poem
        ends = self.rules(draft.form.templates[line], draft.letter(line)).ends
        ends = ends & (lexicon.rhyme == lexicon.rhyme[mine[0]]) & (lexicon.rhyme != NO_RHYME)
        return self._some(ends & ~torch.isin(lexicon.key, lexicon.key[torch.tensor(mine)]), line)

    def _some(self, ends: Tensor, line: int) -> Tensor:
        if not ends.any():
            raise DeadEnd(line)
        return ends

    def check(self, draft: Draft) -> None:
        """Raises DeadEnd when a line of the draft could not be written, whatever stands in the others."""
        for line in range(draft.form.lines):
            self._check_given(draft, line)
        known = draft.ends()
        for line in range(draft.form.lines):
            self._check_rhyme(draft, line, known)

    def _check_given(self, draft: Draft, line: int) -> None:
        """Whether what is given of a line can end it: by its syllables, its beats and its first letter."""
        template, letter = draft.form.templates[line], draft.letter(line)
        rules, given = self.rules(template, letter), draft.given.get(line, ())
        words = [token for token in given if token >= FIRST_WORD]
        count = int(self.lexicon.syllables[words].sum())
        if count > len(template) or (line in draft.whole and count < len(template)):
            raise DeadEnd(line, "syllables", count=count)
        if not rules.ends.any():
            raise DeadEnd(line, "letter")
        free, left = self.rules(template, ""), len(template)
        for token in reversed(words):
            if not free.words[left, token]:
                raise DeadEnd(line, "beats", token=token)
            if not rules.words[left, token]:
                raise DeadEnd(line, "letter")
            left -= int(self.lexicon.syllables[token])

    def _check_rhyme(self, draft: Draft, line: int, known: Mapping[int, int]) -> None:
        """Whether a line can rhyme with the others of its group, given or not."""
        lexicon, group = self.lexicon, draft.form.group(line)
        given = {other: known[other] for other in group if other in known}
        if not given:
            self.openings(draft, group[0], set())
        if len(group) == 1 or not given:
            return
        first = next(iter(given))
        for other, token in given.items():
            if lexicon.rhyme[token] == NO_RHYME:
                raise DeadEnd(other, "answers")
            if lexicon.rhyme[token] != lexicon.rhyme[given[first]]:
                raise DeadEnd(other, "rhyme", other=first)
        keys = {int(lexicon.key[token]): other for other, token in reversed(given.items())}
        for other, token in given.items():
            if keys[int(lexicon.key[token])] != other:
                raise DeadEnd(other, "echo", other=keys[int(lexicon.key[token])])
        if line not in known:
            # The lines that are not given take one sound each.
            try:
                answers = {int(key) for key in lexicon.key[self.ends(draft, line)]}
            except DeadEnd:
                answers = set()
            if len(answers) < len(group) - len(given):
                raise DeadEnd(first, "answers")
