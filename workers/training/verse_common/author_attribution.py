"""Author attribution with a conditional language model: whose manner makes a held-out poem likeliest?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

POEMS_PER_BATCH = 8
"""Poems in a forward pass."""
Nats = npt.NDArray[np.float64]


class Authored(Protocol):
    """A batch of B poems with the numbers of their authors, (B,) from 1."""

    author: npt.NDArray[np.int64]


Batch = TypeVar("Batch", bound=Authored)


def figures(nats: Nats, own: Sequence[int]) -> dict[str, float]:
    """What ``nats`` (N, 1 + poets) tell: the cost of each poem conditioned on no poet and on each poet.

    ``own``: (N,) the number of its poet, from 1. ``poet_found``: how often the poem's own poet makes it
    likeliest; ``poet_saves``: by what share perplexity is lower when the poet is told.
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
def attribution(
    batches: Iterable[Batch], authors: int, cost: Callable[[Batch, int], Nats]
) -> dict[str, float]:
    """:func:`figures` of all poems of ``batches``.

    ``cost(batch, author)``: mean nats per token (B,) of the poems when every one is conditioned on
    ``author`` (0: on none), one of ``authors`` numbers.
    """
    nats, own = [], []
    for batch in batches:
        own += batch.author.tolist()
        nats.append(np.stack([cost(batch, author) for author in range(authors)], 1))
    return figures(np.concatenate(nats) if nats else np.zeros((0, 2)), own)


def mean_nats(logits: Tensor, target: Tensor, counted: Tensor) -> Nats:
    """Mean nats (B,) of targets (B, T) under logits (B, T, V), where they are counted (B, T)."""
    cost = functional.cross_entropy(logits.flatten(0, 1).float(), target.flatten(), reduction="none")
    weight = counted.float()
    mean: Nats = ((cost.view_as(weight) * weight).sum(1) / weight.sum(1)).cpu().numpy().astype(np.float64)
    return mean
