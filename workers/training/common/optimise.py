"""One step of an optimiser, schedules of its rate, and running averages of weights."""

from __future__ import annotations

import math

import torch
from torch import nn


def take_step(loss: torch.Tensor, optimiser: torch.optim.Optimizer, clip: float | None = None) -> None:
    """Minimise ``loss`` by one step; ``clip``: largest norm of the gradient of the optimiser's parameters."""
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if clip is not None:
        nn.utils.clip_grad_norm_([p for group in optimiser.param_groups for p in group["params"]], clip)
    optimiser.step()


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate of all parameters."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def cosine(share: float) -> float:
    """1 at the beginning of a schedule, 0 at its end (Loshchilov and Hutter 2017); ``share`` in 0..1."""
    return 0.5 * (1 + math.cos(math.pi * share))


def decay_at(step: int, decay: float, window: int) -> float:
    """The decay of a running average at ``step``: ``(step + 1) / (step + window)`` until that is ``decay``.

    A constant decay would keep the random first weights in the average for long.
    """
    return min(decay, (step + 1) / (step + window))


@torch.no_grad()
def update_average(average: nn.Module, net: nn.Module, decay: float, average_buffers: bool = True) -> None:
    """Move the running average of the weights towards ``net`` (Polyak averaging).

    Buffers that are numbers with a fraction (statistics of batch normalisation) are averaged too, or, without
    ``average_buffers``, taken over like all others.
    """
    torch._foreach_lerp_(list(average.parameters()), [p.detach() for p in net.parameters()], 1 - decay)
    for kept, new in zip(average.buffers(), net.buffers(), strict=True):
        if average_buffers and new.is_floating_point():
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)
