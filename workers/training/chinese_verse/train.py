"""``python -m workers.training verse``: train the language model of Chinese regulated verse.

On one CPU thread (the defaults) an hour gives about one and a half epochs. With a GPU, use the
larger recipe: ``--hidden 1024 --embed 512 --layers 2 --dropout 0.25 --batch 512 --rate 0.003
--minutes 30``; its weights are about 35 MB, for a model folder of one's own.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workers import device as devices
from workers import weights
from workers.nets.chinese_verse_lstm import Poet, PoetConfig, Reading
from workers.training.chinese_verse import corpus as poems
from workers.training.chinese_verse.export import export
from workers.training.common.run import CHECKPOINT, TrainingRun, seed_everything
from workers.training.verse_common.loss import ChunkedCrossEntropy

WARM_UP = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the training run; the defaults are those of the shipped weights."""
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/verse"), help="run folder, resumed if it exists"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="budget of the whole run")
    parser.add_argument("--steps", type=int, help="stop after this many steps, if the budget lasts")
    parser.add_argument("--vocabulary", type=int, default=5600)
    parser.add_argument("--embed", type=int, default=320)
    parser.add_argument("--hidden", type=int, default=640)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--batch", type=int, default=64, help="poems per step")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--start", help="begin with the weights of this name or folder, where they fit")
    parser.add_argument("--export", type=Path, help="only write the newest checkpoint to this folder")


def reading(model: Poet, batch: poems.Batch, device: torch.device) -> tuple[Reading, Tensor]:
    """The network's input for a whole batch of poems, and the targets (B, T)."""

    def move(array: poems.Ids) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    condition = model.condition(move(batch.theme), move(batch.rhyme), move(batch.dynasty), move(batch.author))
    inputs = Reading(move(batch.last), move(batch.above), move(batch.slot), move(batch.code), condition)
    return inputs, move(batch.target)


def loss_of(model: Poet, batch: poems.Batch, device: torch.device) -> Tensor:
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
    model: Poet, batches: poems.Batches, device: torch.device, exact: bool = True, limit: int | None = None
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


def prepare(
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


def begin_with(model: Poet, name: str, words: Sequence[str]) -> dict[str, Any]:
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


def _endless(batches: poems.Batches, size: int) -> Iterator[poems.Batch]:
    while True:
        yield from batches.epoch(size)


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is spent, or export what there is."""
    torch.set_flush_denormal(True)  # tiny softmax gradients would cost a factor of ten
    words, tables, training, held_out = prepare(arguments.data, arguments.vocabulary)
    tokens = sum(c.tokens.size for c in training)
    if arguments.export:
        saved = torch.load(arguments.out / CHECKPOINT, map_location="cpu", weights_only=True)
        facts = {
            "minutes": round(saved["elapsed"] / 60, 1),
            "epochs": round(saved["state"]["seen"] / tokens, 2),
            "hardware": f"{devices.describe(devices.pick())}, shared",
            "began_with": saved["state"].get("began", {}),
        }
        config = PoetConfig.from_dict(saved["state"]["config"])
        state = saved["state"]["model"]
        print(export(arguments.export, state, config, words, tables, training, saved["step"], facts))
        return
    device = devices.pick()
    run = TrainingRun(arguments.out, arguments.minutes)
    seed_everything(1)
    config = PoetConfig(
        len(words),
        arguments.embed,
        arguments.hidden,
        arguments.layers,
        arguments.dropout,
        authors=1 + len(poems.POETS),
    )
    model = Poet(config).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), arguments.rate, betas=(0.9, 0.99), weight_decay=0.01)
    saved, began = run.restore(device), {}
    if saved is not None:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        began = saved.get("began", {})
    elif arguments.start:
        began = begin_with(model, arguments.start, words)
    # A resumed run draws other batches than its first part did.
    batches = poems.Batches(training, len(words), seed=1 + run.step)
    checks = poems.Batches(held_out, len(words), seed=1)
    print(f"{sum(len(c.tokens) for c in training)} poems, {tokens} characters, {device}", flush=True)
    print("regular:", [round(float((c.pattern > 0).mean()), 3) for c in training], flush=True)
    mixed = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
    seen = 0 if saved is None else int(saved["seen"])
    smooth = 0.0

    def keep() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        run.save(state | {"config": config.as_dict(), "seen": seen, "began": began})

    for batch in _endless(batches, arguments.batch):
        running, progress = run.running(), run.elapsed / (arguments.minutes * 60)
        if arguments.steps:
            progress = max(progress, run.step / arguments.steps)
        if not running or progress >= 1:
            break
        rate = arguments.rate * min(1.0, (run.step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-5)
        with mixed:
            loss = loss_of(model, batch, device)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.step += 1
        seen += batch.target.size
        smooth = loss.item() if smooth == 0.0 else 0.98 * smooth + 0.02 * loss.item()
        if run.step % 100 == 0:
            run.log(loss=smooth, rate=rate, epochs=seen / tokens)
        if run.due():
            keep()
            run.log(validation=validate(model, checks, device, limit=40))
    keep()
    run.log(validation=validate(model, checks, device), epochs=seen / tokens)
