"""An interpolated trigram model of tokens (Kneser and Ney 1995), to measure the poem models against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ids = npt.NDArray[np.int64]
START = 1
DISCOUNT = 0.75
"""Subtracted from every count (Kneser and Ney 1995); a usual value, not tuned."""


class _Table:
    """Counts of keys, found by binary search: a dictionary of millions would not fit beside the corpus."""

    def __init__(self, keys: Ids, counts: Ids | None = None) -> None:
        if counts is None:
            self.keys, self.counts = np.unique(keys, return_counts=True)
        else:
            self.keys, inverse = np.unique(keys, return_inverse=True)
            self.counts = np.bincount(inverse, counts).astype(np.int64)

    def __getitem__(self, keys: Ids) -> npt.NDArray[np.float64]:
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.counts[places], 0).astype(np.float64)


def _contexts(lines: Ids) -> tuple[Ids, Ids, Ids]:
    """(second last, last, token) for every token of every line (N, length); lines begin with two starts."""
    start = np.full((len(lines), 2), START)
    padded = np.concatenate([start, lines], 1)
    return padded[:, :-2].reshape(-1), padded[:, 1:-1].reshape(-1), lines.reshape(-1)


class Trigram:
    """Trained on blocks of lines, each (N, length) token ids; ``words`` is the size of the vocabulary."""

    def __init__(self, blocks: Sequence[Ids], words: int) -> None:
        self.words = words
        a, b, c = (np.concatenate(parts) for parts in zip(*map(_contexts, blocks), strict=True))
        self.triples = _Table((a * words + b) * words + c)
        pair = self.triples.keys // words
        self.pairs, self.pair_kinds = _Table(pair, self.triples.counts), _Table(pair)
        # Lower orders count in how many contexts a character was seen, not how often.
        self.continued = _Table(self.triples.keys % (words * words))
        before = self.continued.keys // words
        self.continued_total, self.continued_kinds = _Table(before, self.continued.counts), _Table(before)
        self.single = np.bincount(self.continued.keys % words, minlength=words) + 0.1

    def chances(self, lines: Ids, instead: int | None = None) -> npt.NDArray[np.float64]:
        """The probability of each token of ``lines``, in order, or of token ``instead`` in its place."""
        a, b, c = _contexts(lines)
        if instead is not None:
            c = np.full_like(c, instead)
        low = self.single[c] / self.single.sum()
        total = self.continued_total[b]
        seen = np.maximum(self.continued[b * self.words + c] - DISCOUNT, 0)
        share = np.where(total > 0, DISCOUNT * self.continued_kinds[b] / np.maximum(total, 1), 1.0)
        middle = np.where(total > 0, seen / np.maximum(total, 1), 0.0) + share * low
        pair = a * self.words + b
        total = self.pairs[pair]
        seen = np.maximum(self.triples[pair * self.words + c] - DISCOUNT, 0)
        share = np.where(total > 0, DISCOUNT * self.pair_kinds[pair] / np.maximum(total, 1), 1.0)
        result: npt.NDArray[np.float64] = (
            np.where(total > 0, seen / np.maximum(total, 1), 0.0) + share * middle
        )
        return result


def nats(training: Sequence[Ids], held_out: Sequence[Ids], words: int) -> float:
    """Nats per token of the blocks ``held_out`` under a trigram trained on the blocks ``training``.

    A block is (N, length): N lines of one length. ``words`` is the size of the vocabulary.
    """
    model = Trigram(training, words)
    return float(-np.concatenate([np.log(model.chances(block)) for block in held_out]).mean())
