"""``python -m workers.training match``: train the matcher, a text and an image encoder with one embedding.

The loss is contrastive (Radford et al. 2021): each view against a shuffled caption of it from which words are
dropped, with the other pictures of the batch as negatives where the caption says something that they are not.
Two auxiliary tasks keep the embeddings rich: both sides name the words (multi-label), and the image encoder
predicts the teacher's features for every painting there is (Hinton et al. 2015). On two CPU cores 25 minutes;
with CUDA take ``--minutes 30 --batch 512``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from workers.nets.matcher import LONGEST, PAD, Matcher, MatcherConfig
from workers.training.common.data import is_validation, load_squares, paintings
from workers.training.common.feature_metrics import pooled, uint8_batches
from workers.training.common.optimise import cosine, set_rate, take_step
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, cache_argument, prepare, run_arguments
from workers.training.common.statistics import roc_auc
from workers.training.matcher.captions import CaptionedPictures, is_view, load_views

MARGIN = 12
"""Pictures are kept this much larger than they are seen, for random crops."""
OTHERS_SHARE = 4
"""One picture in so many is of another genre: it has no caption and serves distillation only. Not tuned."""
WARM_UP = 50
"""Steps in which the rate rises; not tuned."""
TEXT_WORDS_WEIGHT = 4.0
"""Of naming the words from the text; that from the picture and the other losses count once. Not tuned."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``match`` command."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/match", 25)
    cache_argument(parser)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate; ends at none")


def drop_words(captions: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Captions (N, K) without a random share of their words: visitors write few, captions have many."""
    rates = torch.rand(len(captions), 1, generator=generator) ** 1.3
    return captions * (torch.rand(captions.shape, generator=generator) >= rates)


def shuffled_ids(captions: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Multi-hot captions (N, K) -> token ids (N, T) of their words in random order, padded with 0."""
    noise = torch.rand(captions.shape, generator=generator)
    order = (captions * (1 + noise)).argsort(1, descending=True)[:, :LONGEST]
    there = captions.gather(1, order) > 0
    ids = torch.where(there, order + 1, PAD)
    return ids[:, : max(1, int(there.sum(1).max()))]


def contradictions(captions: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """(N, K), (M, K) -> bool (N, M): whether caption i says something that picture j is not."""
    return (captions @ (1 - whole).T) > 0


class AuxiliaryTasks(nn.Module):
    """The layer that names words from embeddings; it serves the training only and is not exported."""

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__()
        self.words = nn.Linear(config.embedding, len(config.words))


def contrastive_loss(
    pictures: torch.Tensor, texts: torch.Tensor, wrong: torch.Tensor, scale: torch.Tensor
) -> torch.Tensor:
    """Symmetric InfoNCE of unit embeddings (N, E); pairs in ``wrong`` (texts, pictures) are the negatives."""
    logits = scale * texts @ pictures.T
    own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(~(wrong | own), -1e4)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def word_aucs(
    pictures: torch.Tensor, words: torch.Tensor, captions: torch.Tensor, fewest: int = 8
) -> dict[int, float]:
    """Area under the ROC curve per word: the cosine of pictures with the word alone, with it against without.

    Words with fewer than ``fewest`` pictures, and those that all have, are left out.
    """
    scores, has = (pictures @ words.T).double().numpy(), captions.numpy() > 0
    counts = has.sum(0)
    return {
        int(number): roc_auc(scores[:, number], has[:, number])
        for number in np.flatnonzero((counts >= fewest) & (counts < len(has)))
    }


@torch.no_grad()
def measure(net: Matcher, views: CaptionedPictures) -> dict[str, Any]:
    """Held-out figures: retrieval of a picture by its whole caption, area under the curve per word."""
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
    rank = ((texts @ pictures.T) > (texts * pictures).sum(1, keepdim=True)).sum(1)
    aucs = word_aucs(pictures, words, captions)
    net.train()
    return {
        "held_out": len(held),
        "first_of_all": round(float((rank == 0).float().mean()), 3),
        "among_ten": round(float((rank < 10).float().mean()), 3),
        "median_place": int(rank.median()) + 1,
        "words_measured": len(aucs),
        "mean_word_auc": round(float(np.mean(list(aucs.values()))), 3),
        "word_auc": {net.config.words[number]: round(auc, 2) for number, auc in aucs.items()},
    }


class Batches:
    """Endless batches: crops of views with captions, and of other paintings, with the teacher's features."""

    def __init__(
        self,
        views: CaptionedPictures,
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


class MatcherTrainer(Trainer):
    """The matcher, the auxiliary layer and their optimiser."""

    OLD_NAMES = {"lessons": "auxiliary"}

    def __init__(
        self, config: MatcherConfig, batches: Batches, views: CaptionedPictures, setup: Setup, rate: float
    ) -> None:
        """``views``: pictures of ``config.size`` px or more, whose validation split is measured."""
        self.batches, self.views, self.setup, self.rate = batches, views, setup, rate
        self.net, self.auxiliary = setup.place(Matcher(config)), setup.place(AuxiliaryTasks(config))
        share = batches.captions.mean(0).clamp(1e-3, 0.5)
        # Words of few pictures count as much as those of many, within reason.
        self.balance = ((1 - share) / share).sqrt().to(setup.device)
        self.optimiser = torch.optim.AdamW(
            [*self.net.parameters(), *self.auxiliary.parameters()], rate, (0.9, 0.98), weight_decay=0.05
        )
        self.parts = {"net": self.net, "auxiliary": self.auxiliary, "optimiser": self.optimiser}
        self.figures: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"config": self.net.config.to_card()}

    def losses(self) -> dict[str, torch.Tensor]:
        """The losses of one batch; their sum is what is minimised."""
        device, stream = self.setup.device, self.setup.generator
        images, whole, target = self.batches.next()
        captions = drop_words(whole, stream)
        ids = shuffled_ids(captions, stream).to(device)
        images, whole, captions, target = (x.to(device) for x in (images, whole, captions, target))
        with self.setup.autocast():
            features = self.net.image.features(images)
            seen = self.net.image.embed(features[: len(whole)]).float()
            read = self.net.text(ids).float()
        words_loss = F.binary_cross_entropy_with_logits
        # Unit vectors have small entries: with this scale the layer begins where a linear layer usually does.
        scale = seen.shape[1] ** 0.5
        return {
            "contrastive": contrastive_loss(
                seen, read, contradictions(captions, whole), self.net.log_scale.exp().clamp(max=50)
            ),
            "text_words": TEXT_WORDS_WEIGHT * words_loss(self.auxiliary.words(read * scale), captions),
            "image_words": words_loss(self.auxiliary.words(seen * scale), whole, pos_weight=self.balance),
            "distillation": F.mse_loss(features.float(), target),
        }

    def step(self, progress: Progress) -> Figures:
        """One batch; the rate rises over WARM_UP steps and falls on a cosine to nothing."""
        warm = min(1.0, (progress.step + 1) / WARM_UP)
        set_rate(self.optimiser, self.rate * warm * cosine(progress.share))
        losses = self.losses()
        take_step(torch.stack(list(losses.values())).sum(), self.optimiser)
        return losses

    def validate(self, complete: bool = False) -> Figures:
        """The figures of :func:`measure` but those of single words."""
        self.figures = measure(self.net, self.views)
        return {name: value for name, value in self.figures.items() if name != "word_auc"}


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    setup = prepare(arguments)
    run = TrainingRun(arguments.out, arguments.minutes)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(arguments.data).to(setup.device)
    views = load_views(arguments.data, 140, teacher, arguments.cache)
    config = MatcherConfig(words=views.words)
    others, other_features = load_others(arguments.data, config.size + MARGIN, teacher, arguments.cache)
    views = replace(views, pictures=resized(views.pictures, config.size + MARGIN))
    batches = Batches(views, others, other_features, config, arguments.batch, setup.generator)
    trainer = MatcherTrainer(config, batches, views, setup, arguments.rate)
    state = run.restore(setup.device) if arguments.resume else None
    if state is not None:
        trainer.load_state_dict(state)
        setup.reseed(run.step)
    run_training(run, trainer, log_every=25, validate_every=240)
    print(trainer.figures.get("word_auc", {}))
