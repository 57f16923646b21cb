"""``python -m workers.training english``: train the language model of English verse.

Lines are written backwards (:mod:`workers.nets.english_verse_lstm`). On one CPU thread beside other work an
hour gives one to two epochs, which is what the defaults are for; what a run reached is in its log.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workers import device as devices
from workers.nets.english_verse_lstm import UNKNOWN, EnglishVerseLSTM, EnglishVerseLSTMConfig, LSTMInputs
from workers.training.common.run import CHECKPOINT, Figures, TrainingRun, run_training
from workers.training.common.setup import Setup, prepare
from workers.training.english_verse import corpus
from workers.training.english_verse.export import export
from workers.training.verse_common.language_model import LanguageModelTrainer, language_model_arguments
from workers.training.verse_common.loss import ChunkedCrossEntropy

CHECKED = 96
"""Held-out chunks that are measured while the model learns."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the training run; the defaults are those of the shipped weights."""
    parser.description = __doc__
    language_model_arguments(parser, "runs/english")
    parser.add_argument("--vocabulary", type=int, default=12000)
    parser.add_argument("--head", type=int, default=2048, help="tokens in the softmax's first level")
    parser.add_argument("--embed", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1024, help="tokens per step")
    parser.add_argument("--export", type=Path, help="only write the newest checkpoint to this folder")


def reading(model: EnglishVerseLSTM, batch: corpus.Batch, device: torch.device) -> tuple[LSTMInputs, Tensor]:
    """The network's input for a batch of chunks, and the targets (B, T)."""

    def move(array: corpus.Ids) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    condition = model.condition(move(batch.theme), move(batch.author))
    inputs = LSTMInputs(
        last=move(batch.last),
        before=move(batch.before),
        left=move(batch.left),
        stage=move(batch.stage),
        fresh=move(batch.fresh),
        condition=condition,
    )
    return inputs, move(batch.target)


def loss_of(model: EnglishVerseLSTM, batch: corpus.Batch, device: torch.device) -> tuple[Tensor, int]:
    """Mean negative log likelihood per known token, in nats, and how many tokens that are."""
    inputs, target = reading(model, batch, device)
    vectors, _ = model.features(inputs)
    counted = target != UNKNOWN
    rows, wanted = vectors[counted], target[counted]
    head = model.config.head
    (first, first_bias), (second, second_bias) = model.levels()
    rare = wanted >= head
    in_head = wanted.clamp_max(head)
    if device.type == "cpu" and torch.is_grad_enabled():
        loss: Tensor = ChunkedCrossEntropy.apply(rows, first, first_bias, in_head)
        if rare.any():
            tail = ChunkedCrossEntropy.apply(rows[rare], second, second_bias, wanted[rare] - head)
            loss = loss + tail * (int(rare.sum()) / len(wanted))
        return loss, len(wanted)
    loss = functional.cross_entropy(functional.linear(rows, first, first_bias).float(), in_head)
    if rare.any():
        logits = functional.linear(rows[rare], second, second_bias).float()
        loss = loss + functional.cross_entropy(logits, wanted[rare] - head) * (int(rare.sum()) / len(wanted))
    return loss, len(wanted)


@torch.no_grad()
def validate(
    model: EnglishVerseLSTM,
    batches: corpus.Batches,
    device: torch.device,
    conditioned: bool,
    limit: int | None = None,
) -> float:
    """Nats per known token over the held-out chunks (at most ``limit``), marks included.

    ``conditioned``: on length, place in the stanza, author and title; otherwise on the lines before alone.
    """
    model.eval()
    total, count = 0.0, 0
    rows = sorted(range(len(batches.chunks)), key=lambda row: (row * 2654435761) % 2**32)[:limit]
    rows.sort(key=lambda row: len(batches.chunks[row].target))
    step = 32
    for start in range(0, len(rows), step):
        loss, tokens = loss_of(model, batches.draw(rows[start : start + step], conditioned), device)
        total += loss.item() * tokens
        count += tokens
    model.train()
    return total / max(count, 1)


def load_corpora(
    data: Path, size: int
) -> tuple[list[str], list[str], list[corpus.Chunk], list[corpus.Chunk]]:
    """Vocabulary, authors, training chunks, held-out chunks."""
    poems = corpus.read(data)
    words, names = corpus.vocabulary(poems, size), corpus.authors(poems)
    training = corpus.encode([p for p in poems if not p.held_out], words, names)
    held_out = corpus.encode([p for p in poems if p.held_out], words, names)
    return words, names, training, held_out


class EnglishVerseTrainer(LanguageModelTrainer[corpus.Batch]):
    """The model with its vocabulary and authors, the chunks that it learns from and the held-out ones."""

    def __init__(
        self,
        model: EnglishVerseLSTM,
        words: list[str],
        names: list[str],
        training: Sequence[corpus.Chunk],
        held_out: Sequence[corpus.Chunk],
        setup: Setup,
        *,
        batch: int,
        rate: float,
    ) -> None:
        tokens = sum(int((chunk.target != UNKNOWN).sum()) for chunk in training)
        super().__init__(model, setup, rate, tokens)
        self.model, self.words, self.names = model, words, names
        self.training, self.batch = training, batch
        self.checks = corpus.Batches(held_out, words, seed=1)

    def batches(self, step: int) -> Iterator[corpus.Batch]:
        source = corpus.Batches(self.training, self.words, seed=1 + step)
        while True:
            yield from source.epoch(self.batch)

    def loss(self, batch: corpus.Batch) -> tuple[Tensor, int]:
        return loss_of(self.model, batch, self.setup.device)

    def state_dict(self) -> dict[str, Any]:
        facts = {"config": self.model.config.as_dict(), "words": self.words, "authors": self.names}
        return super().state_dict() | facts | {"tokens": self.tokens}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises SystemExit for a checkpoint with another vocabulary."""
        if state["words"] != self.words:
            raise SystemExit("the checkpoint was trained with another vocabulary; use a new run folder")
        super().load_state_dict(state)

    def validate(self, complete: bool = False) -> Figures:
        """Nats per token over held-out chunks: of some while it learns, of all at the end, in two ways."""
        figures = {"epochs": self.seen / self.tokens}
        if not complete:
            nats = validate(self.model, self.checks, self.setup.device, conditioned=True, limit=CHECKED)
            return figures | {"validation": nats}
        for name, conditioned in (("validation", True), ("unconditioned", False)):
            figures[name] = validate(self.model, self.checks, self.setup.device, conditioned=conditioned)
        return figures


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is spent, or export what there is."""
    torch.set_flush_denormal(True)  # tiny softmax gradients would cost a factor of ten
    if arguments.export:
        saved = torch.load(arguments.out / CHECKPOINT, map_location="cpu", weights_only=True)
        print(export(arguments.export, saved, arguments.data, devices.describe(devices.choose())))
        return
    setup = prepare(arguments)
    words, names, training, held_out = load_corpora(arguments.data, arguments.vocabulary)
    head = min(arguments.head, len(words) - 1)
    config = EnglishVerseLSTMConfig(len(words), head, arguments.embed, arguments.hidden, 1 + len(names))
    model = EnglishVerseLSTM(config).to(setup.device)
    trainer = EnglishVerseTrainer(
        model, words, names, training, held_out, setup, batch=arguments.batch, rate=arguments.rate
    )
    run = TrainingRun(arguments.out, arguments.minutes)
    saved = run.restore(setup.device)
    if saved is not None:
        trainer.load_state_dict(saved)
    if arguments.steps:
        run.limit_steps(0, arguments.steps)
    print(
        f"{len(training)} chunks, {trainer.tokens} tokens, {len(held_out)} held out, {setup.device}",
        flush=True,
    )
    run_training(run, trainer, validate_every=300)
