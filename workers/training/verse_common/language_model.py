"""The training that both language models of verse share: optimiser, schedule, what the log says."""

from __future__ import annotations

import argparse
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

import torch

from workers.training.common.optimise import cosine, set_rate, take_step
from workers.training.common.run import Figures, Progress, Trainer
from workers.training.common.setup import Setup, run_arguments

Batch = TypeVar("Batch")
WARM_UP = 100
"""Steps in which the rate rises; not tuned."""
LOWEST_RATE = 1e-5
"""The rate never falls below this; not tuned."""
CLIP = 1.0
"""Largest norm of a gradient (Pascanu et al. 2013); not tuned."""


def language_model_arguments(parser: argparse.ArgumentParser, out: str) -> None:
    """The options of both commands; the defaults are those of the shipped weights."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    run_arguments(parser, out, 60.0, always_resumes=True, convolutional=False)
    parser.add_argument("--steps", type=int, help="stop after this many steps, if the budget lasts")
    parser.add_argument("--rate", type=float, default=3e-3)


class LanguageModelTrainer(Trainer, Generic[Batch]):
    """A model, its optimiser and the number of tokens that were seen; a subclass brings loss and batches."""

    def __init__(self, model: torch.nn.Module, setup: Setup, rate: float, tokens: int) -> None:
        """``rate``: the highest; ``tokens`` in an epoch."""
        self.setup, self.rate, self.tokens = setup, rate, tokens
        self.seen = 0
        optimizer = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.99), weight_decay=0.01)
        self.optimizer = optimizer
        self.parts = {"model": model, "optimizer": optimizer}
        self._batches: Iterator[Batch] | None = None

    @abstractmethod
    def batches(self, step: int) -> Iterator[Batch]:
        """Batches without end. A run that goes on at ``step`` gets others than its first part had."""

    @abstractmethod
    def loss(self, batch: Batch) -> tuple[torch.Tensor, int]:
        """Mean nats per token, and of how many tokens."""

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.seen = int(state["seen"])

    def _next(self, step: int) -> Batch:
        if self._batches is None:
            self._batches = self.batches(step)
        return next(self._batches)

    def step(self, progress: Progress) -> Figures:
        """One batch; the rate rises over WARM_UP steps and falls on a cosine to LOWEST_RATE."""
        rate = self.rate * min(1.0, (progress.step + 1) / WARM_UP) * cosine(progress.share)
        set_rate(self.optimizer, max(rate, LOWEST_RATE))
        with self.setup.autocast():
            loss, count = self.loss(self._next(progress.step))
        take_step(loss, self.optimizer, CLIP)
        self.seen += count
        return {"loss": loss, "rate": rate}
