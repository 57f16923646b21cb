"""The words that can be written, and how they sound: the tables that come with the weights."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from workers.engines.poetry.english.forms import SINGLE, shape

MARKS = ("_", ",", ";", ":", ".", "!", "?")
"""Tokens from FIRST_MARK on: how a line may end, the first of them with no mark at all."""
FIRST_MARK = 2
FIRST_WORD = FIRST_MARK + len(MARKS)
CLOSING = (".", "!", "?")
WITHIN = (",", ";", "!")
"""The marks with which a poem may close, and those that may stand within a line."""

_GOOD_ENDS = frozenset({"be", "you", "she", "so", "not", "no", "how", "above", "within", "about"})
"""Function words that poets nevertheless rhyme on."""
_STRAY = frozenset({"amp", "nbsp", "quot", "gutenberg"}) | frozenset("bcdefghjklmnpqrstuvwxyz")
"""Left over from how the corpus was printed: never written."""
WEAK_ON_BEAT, STRONG_OFF_BEAT = 0.6, 0.4
"""Costs in nats of words of one syllable: a function word on a beat, another word off it.
Set by hand."""
LETTERS = "abcdefghijklmnopqrstuvwxyz"
NO_RHYME = -1


def pack_columns(columns: Mapping[str, Any]) -> Tensor:
    """The columns of a lexicon as one uint8 tensor, for a weights file."""
    return torch.frombuffer(bytearray(zlib.compress(json.dumps(columns).encode(), 9)), dtype=torch.uint8)


def unpack_columns(tensor: Tensor) -> dict[str, Any]:
    """What :func:`pack_columns` was given. Raises ValueError."""
    try:
        columns = json.loads(zlib.decompress(tensor.numpy().tobytes()))
    except zlib.error as error:
        raise ValueError(f"the lexicon cannot be unpacked: {error}") from error
    return dict(columns)


class Lexicon:
    """Per token (V of them): ``syllables`` int64, ``shape_of`` int64 into ``shapes`` (-1: not a word),
    ``letter`` int64 0..25 of its first letter, ``rhyme`` int64 (NO_RHYME for none), ``key`` int64 of its
    rhyme with the consonant before it (words of one key sound alike), ``genitive_partner`` int64 of its
    genitive, or of the word whose genitive it is (itself without one); bool: ``weak`` (function words),
    ``ends`` (may end a line), ``open`` (begins with a vowel sound).

    Raises ValueError when the columns do not belong together.
    """

    def __init__(self, columns: Mapping[str, Any]) -> None:
        self.words: Sequence[str] = [str(word) for word in columns["words"]]
        self.stresses: Sequence[str] = [str(stresses) for stresses in columns["stresses"]]
        rhymes, onsets = list(columns["rhymes"]), list(columns["onsets"])
        if not len(self.words) == len(self.stresses) == len(rhymes) == len(onsets) == len(columns["open"]):
            raise ValueError("the columns of the lexicon have different lengths")
        if tuple(self.words[FIRST_MARK:FIRST_WORD]) != MARKS:
            raise ValueError(f"the lexicon's marks are {self.words[FIRST_MARK:FIRST_WORD]}")
        self.open = torch.tensor([bool(sound) for sound in columns["open"]])
        weak, capitals = set(columns["weak"]), set(columns["capitals"])
        self.printed = [word.capitalize() if word in capitals else word for word in self.words]
        self.index = {word: i for i, word in enumerate(self.words) if i >= FIRST_WORD}
        count, real = len(self.words), range(FIRST_WORD, len(self.words))
        # "th'" and a consonant without a vowel have no syllable: they cannot be counted, so not written.
        counted = [i for i in real if self.stresses[i] and self.words[i] not in _STRAY]
        self.shapes = sorted({shape(self.words[i], self.stresses[i]) for i in counted})
        number = {found: i for i, found in enumerate(self.shapes)}
        self.syllables = torch.zeros(count, dtype=torch.int64)
        self.shape_of = torch.full((count,), -1, dtype=torch.int64)
        self.letter = torch.full((count,), -1, dtype=torch.int64)
        self.weak, self.ends = torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.bool)
        self.rhyme = torch.full((count,), NO_RHYME, dtype=torch.int64)
        self.key = torch.full((count,), NO_RHYME, dtype=torch.int64)
        rhyme_ids: dict[str, int] = {}
        key_ids: dict[tuple[str, str], int] = {}
        for i in counted:
            word = self.words[i]
            self.syllables[i] = len(self.stresses[i])
            self.shape_of[i] = number[shape(word, self.stresses[i])]
            first = word.lstrip("'")[0]
            self.letter[i] = LETTERS.index(first)
            self.weak[i] = word in weak
            self.ends[i] = word not in weak or word in _GOOD_ENDS
            if rhymes[i]:
                self.rhyme[i] = rhyme_ids.setdefault(rhymes[i], len(rhyme_ids))
                self.key[i] = key_ids.setdefault((rhymes[i], onsets[i]), len(key_ids))
        # "Summer" and "summer's" count as one word when repetition is avoided.
        partners = [
            self.index.get(word.removesuffix("'s") if word.endswith("'s") else f"{word}'s", i)
            for i, word in enumerate(self.words)
        ]
        self.genitive_partner = torch.tensor(partners, dtype=torch.int64)
        self.rhymes = len(rhyme_ids)
        self.rhyme_of_key = torch.tensor([rhyme_ids[name] for name, _ in key_ids], dtype=torch.int64)
        # A line with a beat at its end wants a word whose last syllable carries one.
        self.strong_end = torch.tensor([bool(s) and (len(s) == 1 or s[-1] in "12") for s in self.stresses])

    def shapes_of(self, chosen: Tensor) -> list[str]:
        """The shapes that occur among the tokens of a mask (V,)."""
        found = set(self.shape_of[chosen & (self.shape_of >= 0)].tolist())
        return [self.shapes[i] for i in sorted(found)]

    def beats(self) -> tuple[Tensor, Tensor]:
        """What a word of one syllable gains (float (V,) each) on a beat and off it, in nats.

        Function words lose :data:`WEAK_ON_BEAT`, the others :data:`STRONG_OFF_BEAT`.
        """
        single = torch.tensor([s == SINGLE for s in self.shapes])[self.shape_of.clamp_min(0)]
        single &= self.shape_of >= 0
        return -WEAK_ON_BEAT * (single & self.weak), -STRONG_OFF_BEAT * (single & ~self.weak)
