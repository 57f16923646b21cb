"""``python -m workers.training match``: train the matcher, the text and image encoders that meet.

Each view and a thinned, shuffled caption of it are pulled together, and apart from the other pictures of
the batch that the caption does not describe (Radford et al. 2021; captions that happen to be true of
another picture are not held against it). Two more lessons keep the embeddings rich: both sides name the
words (multi-label), and the image encoder predicts the teacher's features for every painting there is
(Hinton et al. 2015). On two CPU cores 25 minutes; with CUDA take ``--minutes 30 --batch 512``.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from workers import device as devices
from workers.nets.matcher import LONGEST, PAD, Matcher, MatcherConfig
from workers.training.common.data import is_validation, load_squares, paintings
from workers.training.common.feature_metrics import pooled, uint8_batches
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import TrainingRun, seed_everything
from workers.training.matcher.captions import Captioned, is_view, load_views

MARGIN = 12
"""Pictures are kept this much larger than they are looked at, for random crops."""
OTHERS_SHARE = 4
"""One picture in so many is of another genre: it has no caption and teaches features only."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``match`` command."""
    parser.epilog = __doc__
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/match"), help="run folder")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of decoded pictures")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate; ends at none")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--seed", type=int, default=1)


def thinned(captions: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Captions (N, K) with a random share of their words: visitors write few, captions have many."""
    rates = torch.rand(len(captions), 1, generator=generator) ** 1.3
    return captions * (torch.rand(captions.shape, generator=generator) >= rates)


def shuffled_ids(captions: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Multi-hot captions (N, K) -> token ids (N, T) of their words in random order, padded with 0."""
    noise = torch.rand(captions.shape, generator=generator)
    order = (captions * (1 + noise)).argsort(1, descending=True)[:, :LONGEST]
    there = captions.gather(1, order) > 0
    ids = torch.where(there, order + 1, PAD)
    return ids[:, : max(1, int(there.sum(1).max()))]


def contradictions(said: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """(N, K), (M, K) -> bool (N, M): whether caption i says something that picture j is not."""
    return (said @ (1 - whole).T) > 0


class Lessons(nn.Module):
    """What is learned beside the matching, and thrown away afterwards."""

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__()
        self.words = nn.Linear(config.embedding, len(config.words))


def contrast(
    pictures: torch.Tensor, texts: torch.Tensor, wrong: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Symmetric InfoNCE of unit embeddings (N, E); pairs in ``wrong`` (texts, pictures) are the negatives."""
    logits = scale * texts @ pictures.T
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(~(wrong | own), -1e4)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def word_areas(
    pictures: torch.Tensor, words: torch.Tensor, captions: torch.Tensor, fewest: int = 8
) -> dict[int, float]:
    """Area under the curve per word: do pictures that have it fit the word alone better than others?"""
    scores = pictures @ words.T
    areas = {}
    for number in range(captions.shape[1]):
        has = captions[:, number] > 0
        if fewest <= int(has.sum()) < len(has):
            ranks = scores[:, number].argsort().argsort().double() + 1
            positives = int(has.sum())
            area = (float(ranks[has].sum()) - positives * (positives + 1) / 2) / (
                positives * (len(has) - positives)
            )
            areas[number] = area
    return areas


@torch.no_grad()
def measure(net: Matcher, views: Captioned) -> dict[str, Any]:
    """Held-out figures: retrieval of a picture by its whole caption, and areas under the curve per word."""
    device = next(net.parameters()).device
    net.eval()
    held = np.flatnonzero(views.validation)
    edge = (views.pictures.shape[1] - net.config.size) // 2
    inner = views.pictures[held][:, edge : edge + net.config.size, edge : edge + net.config.size]
    pictures = torch.cat([net.image(batch.to(device)) for batch in uint8_batches(inner, 64)]).cpu()
    captions = torch.from_numpy(views.captions[held])
    stream = torch.Generator().manual_seed(3)
    texts = net.text(shuffled_ids(captions, stream).to(device)).cpu()
    words = net.text(torch.arange(1, captions.shape[1] + 1, device=device)[:, None]).cpu()
    place = ((texts @ pictures.T) > (texts * pictures).sum(1, keepdim=True)).sum(1)
    areas = word_areas(pictures, words, captions)
    net.train()
    return {
        "held_out": len(held),
        "first_of_all": round(float((place == 0).float().mean()), 3),
        "among_ten": round(float((place < 10).float().mean()), 3),
        "median_place": int(place.median()) + 1,
        "words_measured": len(areas),
        "mean_word_auc": round(float(np.mean(list(areas.values()))), 3),
        "word_auc": {net.config.words[number]: round(area, 2) for number, area in areas.items()},
    }


class Lesson:
    """Endless batches: crops of views with captions, and of other paintings, with the teacher's features."""

    def __init__(
        self,
        views: Captioned,
        others: npt.NDArray[np.uint8],
        other_features: npt.NDArray[np.float64],
        config: MatcherConfig,
        batch: int,
        generator: torch.Generator,
    ) -> None:
        keep = np.flatnonzero(~views.validation)
        self.pictures, self.others = views.pictures[keep], others
        self.captions = torch.from_numpy(views.captions[keep])
        mean, deviation = views.features[keep].mean(0), views.features[keep].std(0) + 1e-6
        self.features = torch.from_numpy((views.features[keep] - mean) / deviation).float()
        self.other_features = torch.from_numpy((other_features - mean) / deviation).float()
        self.config, self.generator = config, generator
        self.extra = batch // OTHERS_SHARE if len(others) else 0
        self.count = batch - self.extra

    def _crops(self, pictures: npt.NDArray[np.uint8], chosen: Sequence[int]) -> torch.Tensor:
        size = self.config.size
        room = pictures.shape[1] - size
        draws = torch.randint(room + 1, (len(chosen), 2), generator=self.generator).tolist()
        flips = (torch.rand(len(chosen), generator=self.generator) < 0.5).tolist()
        cut = [
            pictures[k, a : a + size, b : b + size, :][:, :: -1 if flip else 1]
            for k, (a, b), flip in zip(chosen, draws, flips, strict=True)
        ]
        return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)

    def next(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (views first), captions of the views, standardised teacher features of all."""
        chosen = torch.randint(len(self.pictures), (self.count,), generator=self.generator)
        images, features = self._crops(self.pictures, chosen.tolist()), self.features[chosen]
        if self.extra:
            more = torch.randint(len(self.others), (self.extra,), generator=self.generator)
            images = torch.cat([images, self._crops(self.others, more.tolist())])
            features = torch.cat([features, self.other_features[more]])
        return images, self.captions[chosen], features


def resized(pictures: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """uint8 (N, S, S, 3) -> (N, size, size, 3), by area."""
    out = np.empty((len(pictures), size, size, 3), np.uint8)
    start = 0
    for batch in uint8_batches(pictures, 64):
        small = F.interpolate(batch, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
        values = small.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        out[start : start + len(batch)] = values.permute(0, 2, 3, 1).numpy()
        start += len(batch)
    return out


def load_others(
    data: Path, size: int, teacher: Teacher, cache: Path
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Training paintings that are no views: uint8 (N, size, size, 3), and teacher features (N, 512)."""
    rows = [row for row in paintings(data) if not is_view(row) and not is_validation(row.file)]
    squares = load_squares(data, [(row.shard, row.file) for row in rows], size)
    path = cache / f"other-features-{len(rows)}.npy"
    if path.is_file():
        features: npt.NDArray[np.float64] = np.load(path)
    else:
        features = pooled(teacher, uint8_batches(squares))
        np.save(path, features)
    return squares, features


def step_losses(
    net: Matcher,
    lessons: Lessons,
    batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    generator: torch.Generator,
    balance: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """The losses of one batch by name; their sum is what is minimised."""
    device = balance.device
    images, whole, taught = batch
    said = thinned(whole, generator)
    ids = shuffled_ids(said, generator).to(device)
    images, whole, said, taught = (x.to(device) for x in (images, whole, said, taught))
    features = net.image.features(images)
    seen = net.image.embed(features[: len(whole)])
    read = net.text(ids)
    named = F.binary_cross_entropy_with_logits
    spread = seen.shape[1] ** 0.5
    return {
        "match": contrast(seen, read, contradictions(said, whole), net.log_scale.exp().clamp(max=50)),
        "read": 4 * named(lessons.words(read * spread), said),
        "seen": named(lessons.words(seen * spread), whole, pos_weight=balance),
        "taught": F.mse_loss(features, taught),
    }


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    run = TrainingRun(arguments.out, arguments.minutes)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(arguments.data).to(device)
    views = load_views(arguments.data, 140, teacher, arguments.cache)
    config = MatcherConfig(words=views.words)
    others, other_features = load_others(arguments.data, config.size + MARGIN, teacher, arguments.cache)
    generator = seed_everything(arguments.seed)
    net, lessons = Matcher(config).to(device), Lessons(config).to(device)
    views = replace(views, pictures=resized(views.pictures, config.size + MARGIN))
    lesson = Lesson(views, others, other_features, config, arguments.batch, generator)
    share = lesson.captions.mean(0).clamp(1e-3, 0.5)
    balance = ((1 - share) / share).sqrt().to(device)
    optimiser = torch.optim.AdamW(
        [*net.parameters(), *lessons.parameters()], arguments.rate, (0.9, 0.98), weight_decay=0.05
    )
    parts: dict[str, Any] = {"net": net, "lessons": lessons, "optimiser": optimiser}
    state = run.restore(device) if arguments.resume else None
    if state is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        generator.manual_seed(arguments.seed + run.step)

    def save() -> None:
        run.save({name: part.state_dict() for name, part in parts.items()} | {"config": config.to_card()})

    began, measured = None, 0.0
    while run.running():
        began = run.elapsed if began is None else began
        gone = (run.elapsed - began) / (arguments.minutes * 60)
        warm = min(1.0, (run.step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = arguments.rate * warm * (0.5 + 0.5 * math.cos(math.pi * min(1.0, gone)))
        losses = step_losses(net, lessons, lesson.next(), generator, balance)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        run.step += 1
        if run.step % 25 == 0:
            run.log(**{name: float(value.detach()) for name, value in losses.items()})
        if run.due():
            save()
        if run.elapsed - measured > 240:
            measured = run.elapsed
            run.log(**{k: v for k, v in measure(net, views).items() if k != "word_auc"})
    save()
    figures = measure(net, views)
    run.log(**{k: v for k, v in figures.items() if k != "word_auc"})
    print(figures["word_auc"])
