"""Which characters may stand in a place of verse, with the part of the network's table that is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.rhyme_dictionaries import RhymeBook
from workers.engines.poetry.fixed_blocks import Table, product
from workers.nets.chinese_verse_lstm import START, UNKNOWN, ChineseVerseLSTM

RARER = 0.25
"""The share of a character's log frequency that is taken off its logit, for variety. Set by hand."""
SPREAD = 100.0
"""Frequencies of characters fall as the power -1.7 of rank plus this (Mandelbrot's law)."""
FAMILIAR = 1500
"""Characters beyond this rank gain no more than this rank does: few readers know them. Set by hand."""


@dataclass(slots=True)
class VerseTables:
    """The tables of the weights, on the CPU, beside their words and the lines not to repeat.

    ``doubles`` (V,): whether poets double a character. ``couplet_above``, ``couplet_below`` (V, R): their
    product is how much likelier a character stands below another in a parallel couplet than by chance (log).
    """

    words: Sequence[str]
    doubles: Tensor
    couplet_above: Tensor
    couplet_below: Tensor
    known_lines: BloomFilter

    def by_code(self, book: RhymeBook) -> Tensor:
        """Characters that may stand in a slot, by its code: (CODES, V) bool."""
        tones = book.tones
        real = torch.ones(len(self.words), dtype=torch.bool)
        real[: START + 1] = False
        level = (tones == prosody.TONE_LEVEL) | (tones == prosody.TONE_BOTH)
        oblique = (tones == prosody.TONE_OBLIQUE) | (tones == prosody.TONE_BOTH)
        return torch.stack([real, real, real & level, real & oblique, real & level])


@dataclass(slots=True)
class VocabularyMask:
    """N characters and a last place that stands for all others and is never likely.

    ``ids`` (N + 1,) token ids; ``where`` (V,) the place of each token; ``table`` (embed, N + 1) and ``bias``
    (N + 1,) on the network's device; ``below`` (R, N + 1) of the table of couplets. ``fits`` (V,) bool.
    """

    ids: Tensor
    where: Tensor
    fits: Tensor
    table: Table
    bias: Tensor
    below: Table

    def __len__(self) -> int:
        return len(self.ids) - 1

    def logits(self, vectors: Tensor) -> Tensor:
        """(..., embed) on the device -> float32 (..., N + 1) on the CPU."""
        return (product(vectors, self.table) + self.bias).float().cpu()


class VocabularyMasks:
    """Every mask that was needed so far; there are few, one for each tone and rhyme of each book."""

    def __init__(self, model: ChineseVerseLSTM, tables: VerseTables, device: torch.device) -> None:
        self.model, self.tables, self.device = model, tables, device
        # The vocabulary is in the order of frequency.
        rank = (torch.arange(len(tables.words), device=device) - START).clamp_max(FAMILIAR)
        self.bias = model.bias + RARER * (rank + SPREAD).log().to(model.bias)  # (V,)
        self.fitting: dict[str, Tensor] = {}
        self.made: dict[tuple[str, int, int | None], VocabularyMask] = {}

    def find(self, book: RhymeBook, code: int, rhyme: int | None = None) -> VocabularyMask:
        """What a slot with ``code`` allows; ``rhyme``, an index into the book, narrows rhyming places."""
        rhyme = rhyme if code == prosody.RHYME else None
        # Places that ask for nothing ask for the same nothing; a rhyme is a level tone.
        code = {0: prosody.ANY, prosody.RHYME: prosody.LEVEL}.get(code, code)
        key = ("" if code == prosody.ANY else book.slug, code, rhyme)
        if key not in self.made:
            if book.slug not in self.fitting:
                self.fitting[book.slug] = self.tables.by_code(book)
            fits = self.fitting[book.slug][code]
            self.made[key] = self._make(fits if rhyme is None else fits & book.rhymes[:, rhyme])
        return self.made[key]

    def _make(self, fits: Tensor) -> VocabularyMask:
        ids = torch.cat([fits.nonzero()[:, 0], torch.tensor([UNKNOWN])])
        where = torch.full_like(fits, len(ids) - 1, dtype=torch.int64)
        where[ids[:-1]] = torch.arange(len(ids) - 1)
        there = ids.to(self.device)
        bias = self.bias[there]
        bias[-1] = -torch.inf
        table = Table(self.model.character.weight[there].T)
        return VocabularyMask(ids, where, fits, table, bias, Table(self.tables.couplet_below[ids].T))
