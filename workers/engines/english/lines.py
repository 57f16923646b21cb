"""What may be written where in one line, worked out before anything is written."""

from __future__ import annotations

import torch

from workers.engines.english.forms import fillable, fits
from workers.engines.english.lexicon import LETTERS, Lexicon


class DeadEnd(Exception):
    """No line of the form can keep these wishes; ``line`` is its number from 0."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line + 1} cannot be written")
        self.line = line


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
