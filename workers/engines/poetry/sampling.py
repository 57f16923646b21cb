"""Sampling from the distributions of a network."""

from __future__ import annotations

import torch
from torch import Tensor


def sample_categorical(chances: Tensor, draws: Tensor) -> Tensor:
    """Indices (..., S) by inverse transform sampling: ``chances`` (..., K) need not sum to one."""
    totals = chances.double().cumsum(-1)
    places = torch.searchsorted(totals, draws.double() * totals[..., -1:], right=True)
    # A draw close to one may round past the last one that has a chance.
    return torch.minimum(places, (chances > 0).sum(-1, keepdim=True) - 1)
