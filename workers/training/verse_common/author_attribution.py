"""Whether a language model of verse has learned its poets' manners: whose explains held-out poems best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from workers.nets.chinese_verse_lstm import Poet
from workers.nets.english_verse_lstm import UNKNOWN, Lyricist
from workers.training.chinese_verse import corpus as poems
from workers.training.chinese_verse import train as verse
from workers.training.english_verse import corpus, train

POEMS_PER_BATCH = 8
Nats = npt.NDArray[np.float64]


def figures(nats: Nats, own: Sequence[int]) -> dict[str, float]:
    """What ``nats`` (N, 1 + poets), the cost of each poem in nobody's manner and in each poet's, tell.

    ``own``: (N,) the number of its poet, from 1. ``poet_found``: how often his is the likeliest manner;
    ``poet_saves``: by what share perplexity is lower when the poet is told.
    """
    rows = np.arange(len(own))
    if not len(rows):
        return {"poet_poems": 0}
    found = nats[:, 1:].argmin(1) + 1 == np.asarray(own)
    return {
        "poet_poems": len(own),
        "poet_found": float(found.mean()),
        "poet_found_by_chance": 1 / (nats.shape[1] - 1),
        "poet_saves": float(1 - np.exp((nats[rows, own] - nats[:, 0]).mean())),
    }


@torch.no_grad()
def chinese(model: Poet, corpora: Sequence[poems.FormCorpus], words: int, most: int) -> dict[str, float]:
    """:func:`figures` of at most ``most`` poems of a split by poets that the model was told."""
    batches, device = poems.Batches(corpora, words, seed=1), model.bias.device
    chosen = [(n, row) for n, c in enumerate(corpora) for row in np.flatnonzero(c.author)]
    chosen = sorted(chosen, key=lambda one: (int(one[1]) * 2654435761 + one[0]) % 2**32)[:most]
    nats, own = [], []
    for number in range(len(corpora)):
        rows = np.array([row for n, row in chosen if n == number], np.int64)
        for start in range(0, len(rows), POEMS_PER_BATCH):
            batch = batches.draw(number, rows[start : start + POEMS_PER_BATCH], exact=True)
            own += batch.author.tolist()
            costs = []
            for author in range(model.config.authors):
                told = replace(batch, author=np.full_like(batch.author, author))
                inputs, target = verse.reading(model, told, device)
                vectors, _state = model.features(inputs)
                costs.append(_mean(model.logits(vectors), target, torch.ones_like(target)))
            nats.append(np.stack(costs, 1))
    return figures(np.concatenate(nats) if nats else np.zeros((0, 2)), own)


@torch.no_grad()
def in_english(
    model: Lyricist, chunks: Sequence[corpus.Chunk], words: Sequence[str], most: int
) -> dict[str, float]:
    """:func:`figures` of at most ``most`` pieces of poems by poets that the model was told."""
    batches, device = corpus.Batches(chunks, words, seed=1), model.bias.device
    rows = [row for row, chunk in enumerate(chunks) if chunk.author]
    rows = sorted(rows, key=lambda row: (row * 2654435761) % 2**32)[:most]
    rows.sort(key=lambda row: len(chunks[row].target))
    nats, own = [], []
    for start in range(0, len(rows), POEMS_PER_BATCH):
        batch = batches.draw(rows[start : start + POEMS_PER_BATCH], told=True)
        own += batch.author.tolist()
        costs = []
        for author in range(model.config.authors):
            told = replace(batch, author=np.full_like(batch.author, author))
            inputs, target = train.reading(model, told, device)
            vectors, _state = model.features(inputs)
            costs.append(_mean(model.log_chances(vectors), target, target != UNKNOWN))
        nats.append(np.stack(costs, 1))
    return figures(np.concatenate(nats) if nats else np.zeros((0, 2)), own)


def _mean(logits: Tensor, target: Tensor, counted: Tensor) -> Nats:
    """Mean nats (B,) of targets (B, T) under logits (B, T, V), where they are counted."""
    cost = functional.cross_entropy(logits.flatten(0, 1).float(), target.flatten(), reduction="none")
    weight = counted.float()
    mean: Nats = ((cost.view_as(weight) * weight).sum(1) / weight.sum(1)).cpu().numpy().astype(np.float64)
    return mean
