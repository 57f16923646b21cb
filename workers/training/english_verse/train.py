"""``python -m workers.training english``: train the language model of English verse.

Lines are written backwards (:mod:`workers.nets.english_verse_lstm`). On one CPU thread beside other work an
hour gives one to two epochs, which is what the defaults are for; what a run reached is in its log.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from workers import device as devices
from workers.nets.english_verse_lstm import UNKNOWN, Lyricist, LyricistConfig, Reading
from workers.training.common.run import CHECKPOINT, TrainingRun, seed_everything
from workers.training.english_verse import corpus
from workers.training.english_verse.export import export
from workers.training.verse_common.loss import ChunkedCrossEntropy

WARM_UP = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the training run; the defaults are those of the shipped weights."""
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, required=True, help="folder of the training data")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/english"), help="run folder, resumed if it exists"
    )
    parser.add_argument("--minutes", type=float, default=60.0, help="budget of this call")
    parser.add_argument("--steps", type=int, help="stop after this many steps, if the budget lasts")
    parser.add_argument("--vocabulary", type=int, default=12000)
    parser.add_argument("--head", type=int, default=2048, help="tokens in the softmax's first level")
    parser.add_argument("--embed", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=1024, help="tokens per step")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--export", type=Path, help="only write the newest checkpoint to this folder")


def reading(model: Lyricist, batch: corpus.Batch, device: torch.device) -> tuple[Reading, Tensor]:
    """The network's input for a batch of chunks, and the targets (B, T)."""

    def move(array: corpus.Ids) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    condition = model.condition(move(batch.theme), move(batch.author))
    inputs = Reading(
        last=move(batch.last),
        before=move(batch.before),
        left=move(batch.left),
        stage=move(batch.stage),
        fresh=move(batch.fresh),
        condition=condition,
    )
    return inputs, move(batch.target)


def loss_of(model: Lyricist, batch: corpus.Batch, device: torch.device) -> tuple[Tensor, int]:
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
    model: Lyricist, batches: corpus.Batches, device: torch.device, told: bool, limit: int | None = None
) -> float:
    """Nats per known token over the held-out chunks (at most ``limit``), marks included.

    ``told``: with length, place in the stanza, author and title; otherwise with the lines before alone.
    """
    model.eval()
    total, count = 0.0, 0
    rows = sorted(range(len(batches.chunks)), key=lambda row: (row * 2654435761) % 2**32)[:limit]
    rows.sort(key=lambda row: len(batches.chunks[row].target))
    step = 32
    for start in range(0, len(rows), step):
        loss, tokens = loss_of(model, batches.draw(rows[start : start + step], told), device)
        total += loss.item() * tokens
        count += tokens
    model.train()
    return total / max(count, 1)


def prepare(data: Path, size: int) -> tuple[list[str], list[str], list[corpus.Chunk], list[corpus.Chunk]]:
    """Vocabulary, authors, training chunks, held-out chunks."""
    poems = corpus.read(data)
    words, names = corpus.vocabulary(poems, size), corpus.authors(poems)
    training = corpus.encode([p for p in poems if not p.held_out], words, names)
    held_out = corpus.encode([p for p in poems if p.held_out], words, names)
    return words, names, training, held_out


def _endless(batches: corpus.Batches, size: int) -> Iterator[corpus.Batch]:
    while True:
        yield from batches.epoch(size)


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is spent, or export what there is."""
    torch.set_flush_denormal(True)  # tiny softmax gradients would cost a factor of ten
    device = devices.pick()
    if arguments.export:
        saved = torch.load(arguments.out / CHECKPOINT, map_location="cpu", weights_only=True)
        print(export(arguments.export, saved, arguments.data, devices.describe(device)))
        return
    run = TrainingRun(arguments.out, arguments.minutes)
    seed_everything(1)
    words, names, training, held_out = prepare(arguments.data, arguments.vocabulary)
    head = min(arguments.head, len(words) - 1)
    config = LyricistConfig(len(words), head, arguments.embed, arguments.hidden, 1 + len(names))
    model = Lyricist(config).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), arguments.rate, betas=(0.9, 0.99), weight_decay=0.01)
    saved = run.restore(device)
    if saved is not None:
        if saved["words"] != words:
            raise SystemExit(f"{run.folder} was trained with another vocabulary; use a new folder")
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
    # A resumed run draws other batches than its first part did.
    batches = corpus.Batches(training, words, seed=1 + run.step)
    checks = corpus.Batches(held_out, words, seed=1)
    tokens = sum(int((c.target != UNKNOWN).sum()) for c in training)
    print(f"{len(training)} chunks, {tokens} tokens, {len(held_out)} held out, {device}", flush=True)
    mixed = torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else nullcontext()
    seen = 0 if saved is None else int(saved["seen"])
    smooth, started = 0.0, time.monotonic()

    def keep() -> None:
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        facts = {"config": config.as_dict(), "words": words, "authors": names}
        run.save(state | facts | {"seen": seen, "tokens": tokens})

    for batch in _endless(batches, arguments.batch):
        running = run.running()
        # The rate falls over this call, so a run that is resumed begins with large steps again.
        progress = (time.monotonic() - started) / (arguments.minutes * 60)
        if arguments.steps:
            progress = max(progress, run.step / arguments.steps)
        if not running or progress >= 1:
            break
        rate = arguments.rate * min(1.0, (run.step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 1e-5)
        with mixed:
            loss, count = loss_of(model, batch, device)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.step += 1
        seen += count
        smooth = loss.item() if smooth == 0.0 else 0.98 * smooth + 0.02 * loss.item()
        if run.step % 50 == 0:
            run.log(loss=smooth, rate=rate, epochs=seen / tokens)
        if run.due():
            keep()
        # Counted in steps: on a busy machine a check after every save would be all that is done.
        if run.step % 250 == 0:
            run.log(validation=validate(model, checks, device, told=True, limit=96))
    keep()
    run.log(
        validation=validate(model, checks, device, told=True),
        untold=validate(model, checks, device, told=False),
        epochs=seen / tokens,
    )
