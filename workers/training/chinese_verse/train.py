"""``python -m workers.training verse``: train the language model of Chinese regulated verse.

On one CPU thread (the defaults) an hour gives about one and a half epochs. With a GPU, use the
larger recipe: ``--hidden 1024 --embed 512 --layers 2 --dropout 0.25 --batch 512 --rate 0.003
--minutes 30``; its weights are about 35 MB, for a model folder of one's own.
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
from workers import weights
from workers.nets.chinese_verse_lstm import ChineseVerseLSTM, ChineseVerseLSTMConfig, LSTMInputs
from workers.training.chinese_verse import corpus as poems
from workers.training.chinese_verse.export import export
from workers.training.common.run import CHECKPOINT, Figures, TrainingRun, run_training
from workers.training.common.setup import Setup, prepare
from workers.training.verse_common.language_model import LanguageModelTrainer, language_model_arguments
from workers.training.verse_common.loss import ChunkedCrossEntropy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the training run; the defaults are those of the shipped weights."""
    parser.description = __doc__
    language_model_arguments(parser, "runs/verse")
    parser.add_argument("--vocabulary", type=int, default=5600)
    parser.add_argument("--embed", type=int, default=320)
    parser.add_argument("--hidden", type=int, default=640)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=64, help="poems per step")
    parser.add_argument("--start", help="begin with the weights of this name or folder, where they fit")
    parser.add_argument("--export", type=Path, help="only write the newest checkpoint to this folder")


def reading(model: ChineseVerseLSTM, batch: poems.Batch, device: torch.device) -> tuple[LSTMInputs, Tensor]:
    """The network's input for a whole batch of poems, and the targets (B, T)."""

    def move(array: poems.Ids) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    condition = model.condition(move(batch.theme), move(batch.rhyme), move(batch.dynasty), move(batch.author))
    inputs = LSTMInputs(move(batch.last), move(batch.above), move(batch.slot), move(batch.code), condition)
    return inputs, move(batch.target)


def loss_of(model: ChineseVerseLSTM, batch: poems.Batch, device: torch.device) -> Tensor:
    """Mean negative log likelihood per character, in nats."""
    inputs, target = reading(model, batch, device)
    vectors, _ = model.features(inputs)
    flat, wanted = vectors.reshape(-1, vectors.shape[-1]), target.reshape(-1)
    if device.type == "cpu" and torch.is_grad_enabled():
        loss: Tensor = ChunkedCrossEntropy.apply(flat, model.character.weight, model.bias, wanted)
        return loss
    return functional.cross_entropy(model.logits(flat).float(), wanted)


@torch.no_grad()
def validate(
    model: ChineseVerseLSTM,
    batches: poems.Batches,
    device: torch.device,
    exact: bool = True,
    limit: int | None = None,
) -> float:
    """Nats per character over the held-out poems (at most ``limit`` per form)."""
    model.eval()
    total, count = 0.0, 0
    for number, corpus in enumerate(batches.corpora):
        rows = np.arange(len(corpus.tokens))[:limit]
        for start in range(0, len(rows), 64):
            batch = batches.draw(number, rows[start : start + 64], exact=exact)
            total += loss_of(model, batch, device).item() * batch.target.size
            count += batch.target.size
    model.train()
    return total / max(count, 1)


def load_corpora(
    data: Path, size: int
) -> tuple[list[str], poems.Tables, list[poems.FormCorpus], list[poems.FormCorpus]]:
    """Vocabulary, tone and rhyme tables, training corpora, held-out corpora."""
    texts = poems.read(data)
    words = poems.vocabulary(texts, size)
    training = poems.encode(texts, words, held_out=False)
    tables = poems.tables(data, words, training)
    held_out = poems.encode(texts, words, held_out=True)
    for corpus in held_out:
        poems.detect_patterns(corpus, tables.tones)
        poems.detect_rhymes(corpus, tables.rhymes)
    return words, tables, training, held_out


def begin_with(model: ChineseVerseLSTM, name: str, words: Sequence[str]) -> dict[str, Any]:
    """Take over what fits of finished weights; returns how those were trained, for the card.

    Raises SystemExit when their vocabulary is another one.
    """
    loaded = weights.load(name)
    if list(loaded.card["config"]["characters"]) != list(words[len(poems.SPECIALS) :]):
        raise SystemExit(f"{name} was trained with another vocabulary")
    own = model.state_dict()
    fitting = {k: v for k, v in loaded.tensors.items() if k in own and own[k].shape == v.shape}
    model.load_state_dict(fitting, strict=False)
    return {"sha256": loaded.digest, "steps": loaded.card["steps"], **loaded.card["training"]}


class ChineseVerseTrainer(LanguageModelTrainer[poems.Batch]):
    """The model with its training corpora and the held-out ones."""

    def __init__(
        self,
        model: ChineseVerseLSTM,
        training: Sequence[poems.FormCorpus],
        held_out: Sequence[poems.FormCorpus],
        setup: Setup,
        *,
        batch: int,
        rate: float,
    ) -> None:
        super().__init__(model, setup, rate, sum(corpus.tokens.size for corpus in training))
        self.model, self.training, self.batch = model, training, batch
        self.checks = poems.Batches(held_out, model.config.vocabulary, seed=1)
        self.began: dict[str, Any] = {}

    def batches(self, step: int) -> Iterator[poems.Batch]:
        source = poems.Batches(self.training, self.model.config.vocabulary, seed=1 + step)
        while True:
            yield from source.epoch(self.batch)

    def loss(self, batch: poems.Batch) -> tuple[Tensor, int]:
        return loss_of(self.model, batch, self.setup.device), batch.target.size

    def state_dict(self) -> dict[str, Any]:
        """``began``: how the weights were trained that these began with."""
        return super().state_dict() | {"config": self.model.config.as_dict(), "began": self.began}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.began = state.get("began", {})

    def validate(self, complete: bool = False) -> Figures:
        """Nats per character over held-out poems, forty of each form unless it is to be complete."""
        nats = validate(self.model, self.checks, self.setup.device, limit=None if complete else 40)
        return {"validation": nats, "epochs": self.seen / self.tokens}


def export_checkpoint(arguments: argparse.Namespace) -> str:
    """Write the newest checkpoint as weights; returns their digest."""
    words, tables, training, _held_out = load_corpora(arguments.data, arguments.vocabulary)
    saved = torch.load(arguments.out / CHECKPOINT, map_location="cpu", weights_only=True)
    state = saved["state"]
    facts = {
        "minutes": round(saved["elapsed"] / 60, 1),
        "epochs": round(state["seen"] / sum(corpus.tokens.size for corpus in training), 2),
        "hardware": f"{devices.describe(devices.choose())}, shared",
        "began_with": state.get("began", {}),
    }
    config = ChineseVerseLSTMConfig.from_dict(state["config"])
    return export(arguments.export, state["model"], config, words, tables, training, saved["step"], facts)


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget of the whole run is spent, or export what there is."""
    if arguments.export:
        print(export_checkpoint(arguments))
        return
    torch.set_flush_denormal(True)  # tiny softmax gradients would cost a factor of ten
    setup = prepare(arguments)
    words, _tables, training, held_out = load_corpora(arguments.data, arguments.vocabulary)
    config = ChineseVerseLSTMConfig(
        len(words),
        arguments.embed,
        arguments.hidden,
        arguments.layers,
        arguments.dropout,
        authors=1 + len(poems.POETS),
    )
    model = ChineseVerseLSTM(config).to(setup.device)
    trainer = ChineseVerseTrainer(
        model, training, held_out, setup, batch=arguments.batch, rate=arguments.rate
    )
    run = TrainingRun(arguments.out, arguments.minutes, plan_minutes=arguments.minutes, whole_run=True)
    saved = run.restore(setup.device)
    if saved is not None:
        trainer.load_state_dict(saved)
    elif arguments.start:
        trainer.began = begin_with(model, arguments.start, words)
    if arguments.steps:
        run.limit_steps(0, arguments.steps)
    count = sum(len(corpus.tokens) for corpus in training)
    print(f"{count} poems, {trainer.tokens} characters, {setup.device}", flush=True)
    print("regular:", [round(float((c.pattern > 0).mean()), 3) for c in training], flush=True)
    run_training(run, trainer, log_every=100, validate_every=run.save_every)
