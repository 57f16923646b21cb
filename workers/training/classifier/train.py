"""``python -m workers.training classify``: train the classifier of paintings (kinds: analyse, dream).

From the trunk of the ``scene-classifier`` (train it first), on paintings with their labels, photographs and
drawn outliers. Beside the labels each crop has the teacher's embedding of the whole picture as a target
(knowledge distillation, Hinton et al. 2015): principal components of its pooled features, which the embedding
has to predict, as labels are few.
On two CPU cores an hour; on a GPU leave the scene classifier out and take
``--minutes 60 --batch 256 --rate 0.003 --stem 48 --widths 96 192 384 --blocks 2 3 4``.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from workers.engines.vision.classifier import input_size
from workers.nets.classifier import Classifier, ClassifierConfig, Residual
from workers.training.classifier.data import (
    EMBEDDING,
    TRAINING,
    VALIDATION,
    ClassificationData,
    load_classification_data,
    random_crops,
)
from workers.training.classifier.labels import UNKNOWN
from workers.training.classifier.scene_classifier import SceneClassifier, SceneClassifierNet
from workers.training.common.optimise import cosine, decay_at, set_rate, take_step, update_average
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, cache_argument, prepare, run_arguments

SMOOTHING = 0.1
"""Label smoothing (Szegedy et al. 2016)."""
HEAD_WEIGHTS = {"style": 1.0, "painter": 1.0, "genre": 1.0, "source": 0.5}
"""How much each head's loss counts; not tuned."""
OUTLIER_SHARE = 0.12
"""Share of a batch that is no painting; not tuned."""
AVERAGE = 0.998
"""Decay of the running average of weights; not tuned."""
CLIP = 2.0
"""Largest norm of a gradient; not tuned."""
CHECKED = 400
"""Validation pictures that are measured while the network learns."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``classify`` command."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/classify", 60, plan=True)
    cache_argument(parser)
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--side", type=int, default=144, help="pictures have about side**2 pixels")
    parser.add_argument("--early-side", type=int, default=112, help="side during the first half: cheaper")
    parser.add_argument("--start-from", type=Path, help="run folder of a scene classifier: its trunk")
    parser.add_argument("--stem", type=int, default=24, help="channels at half the resolution")
    parser.add_argument("--widths", type=int, nargs=3, default=(40, 80, 160))
    parser.add_argument("--blocks", type=int, nargs=3, default=(1, 2, 3))
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate")
    parser.add_argument("--distillation", type=float, default=10.0, help="weight of the teacher's embedding")


class Batches:
    """Random crops with labels and teacher embeddings; paintings in epochs, some outliers beside them."""

    def __init__(self, data: ClassificationData, batch: int, generator: torch.Generator) -> None:
        self.batch, self.generator = batch, generator
        train = torch.from_numpy(data.indices(TRAINING))
        is_painting = train < len(data.rows)
        self.paintings, self.others = train[is_painting], train[~is_painting]
        self.pictures = torch.from_numpy(data.pictures)
        self.ratio = torch.from_numpy(data.ratio)
        self.labels = {head: torch.from_numpy(known) for head, known in data.labels.items()}
        self.embedding = torch.from_numpy(data.teacher_embedding)
        self._queue = torch.empty(0, dtype=torch.int64)

    def next(self, side: int) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        """Crops (batch, 3, side, side), labels per head, teacher embeddings (batch, EMBEDDING)."""
        others = round(self.batch * OUTLIER_SHARE)
        wanted = self.batch - others
        while len(self._queue) < wanted:
            order = torch.randperm(len(self.paintings), generator=self.generator)
            self._queue = torch.cat([self._queue, self.paintings[order]])
        chosen, self._queue = self._queue[:wanted], self._queue[wanted:]
        drawn = torch.randint(len(self.others), (others,), generator=self.generator)
        index = torch.cat([chosen, self.others[drawn]])
        x = random_crops(self.pictures[index], self.ratio[index], side, self.generator)
        return x, {head: known[index] for head, known in self.labels.items()}, self.embedding[index]


class ClassifierTrainer(Trainer):
    """Network, averaged weights and the optimiser."""

    def __init__(
        self,
        config: ClassifierConfig,
        data: ClassificationData,
        batches: Batches,
        setup: Setup,
        *,
        rate: float,
        distillation: float,
        early_side: int,
    ) -> None:
        """``rate``: the highest; ``distillation``: weight of the teacher's embedding among the losses."""
        self.data, self.batches, self.setup = data, batches, setup
        self.rate, self.distillation, self.early_side = rate, distillation, early_side
        self.net = setup.place(Classifier(config))
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        decayed = [p for p in self.net.parameters() if p.dim() > 1]
        plain = [p for p in self.net.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, rate)
        self.parts = {"net": self.net, "average": self.average, "optimiser": self.optimiser}

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"config": self.net.config.to_card()}

    @torch.no_grad()
    def start_from(self, scenes: SceneClassifierNet) -> None:
        """Take the scene classifier's trunk over; further blocks begin as the identity.

        Raises ValueError when its sizes are others.
        """
        net = self.net
        if (scenes.config.stem, tuple(scenes.config.widths)) != (net.config.stem, tuple(net.config.widths)):
            raise ValueError("the scene classifier's trunk has other sizes")
        trunk: Any = scenes.trunk
        copies: list[tuple[nn.Module, Any]] = [(net.stem, trunk[0:2])]
        for number, (down, stage) in enumerate(zip(net.downs, net.stages, strict=True)):
            at = 3 + 4 * number
            pair = trunk[at + 3].pair
            first, *others = cast(Sequence[Residual], stage)
            copies += [(down, trunk[at : at + 2]), (first.first, pair[0:2]), (first.second, pair[3:5])]
            for block in others:
                nn.init.zeros_(next(block.second[1].parameters()))
        for to, of in copies:
            to.load_state_dict(dict(zip(to.state_dict(), of.state_dict().values(), strict=True)))
        self.average.load_state_dict(net.state_dict())

    def step(self, progress: Progress) -> Figures:
        """One batch; the rate rises shortly, then falls on a cosine to a hundredth."""
        done = progress.share
        set_rate(self.optimiser, self.rate * min(0.01 + 0.99 * cosine(done), 0.05 + done / 0.03))
        side = self.early_side if done < 0.5 else self.net.config.side
        return self.update(*self.batches.next(side), progress.step)

    def update(
        self, x: torch.Tensor, labels: dict[str, torch.Tensor], embedding: torch.Tensor, step: int
    ) -> dict[str, torch.Tensor]:
        """One update on crops (N, 3, S, S); ``labels`` per head, UNKNOWN where there is none."""
        device = self.setup.device
        self.net.train()
        with self.setup.autocast():
            embedded = self.net.embedding(self.net.features(x.to(device)))
            answers = self.net.logits(embedded)
        losses = {"distillation": F.smooth_l1_loss(embedded.float(), embedding.to(device))}
        for head, logits in answers.items():
            if bool((labels[head] != UNKNOWN).any()):
                losses[head] = F.cross_entropy(
                    logits.float(), labels[head].to(device), ignore_index=UNKNOWN, label_smoothing=SMOOTHING
                )
        weights = HEAD_WEIGHTS | {"distillation": self.distillation}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        take_step(total, self.optimiser, CLIP)
        update_average(self.average, self.net, decay_at(step, AVERAGE, 10), average_buffers=False)
        return {name: loss.detach() for name, loss in losses.items()}

    def validate(self, complete: bool = False) -> Figures:
        """:func:`accuracy` of validation pictures."""
        rows = self.data.indices(VALIDATION)[:CHECKED]
        return accuracy(logits_of(self.average, self.data, rows, self.net.config.side), self.data, rows)


@torch.inference_mode()
def logits_of(
    net: Classifier, data: ClassificationData, rows: npt.NDArray[np.int64], side: int
) -> dict[str, torch.Tensor]:
    """Logits (n, labels) of whole pictures per head, in their own proportions."""
    device = next(net.parameters()).device
    net.eval()
    found: dict[str, list[torch.Tensor]] = {head: [] for head in net.config.heads}
    for row in rows:  # one by one: each has proportions of its own
        x = whole_picture(data, int(row), side).to(device)
        for head, logits in net(torch.cat([x, x.flip(3)])).items():
            found[head].append(logits.mean(0, keepdim=True).float().cpu())
    return {head: torch.cat(parts) for head, parts in found.items()}


def whole_picture(data: ClassificationData, row: int, side: int) -> torch.Tensor:
    """A whole picture as the engine sees it: (1, 3, h, w), area about side**2, multiples of 16."""
    width, height = input_size(float(data.ratio[row]), 1.0, side)
    x = torch.from_numpy(data.pictures[row]).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    return F.interpolate(x, (height, width), mode="bilinear", antialias=True, align_corners=False)


def accuracy(
    answers: dict[str, torch.Tensor], data: ClassificationData, rows: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Share of right first guesses per head, among the rows that have a label."""
    figures = {}
    for head, logits in answers.items():
        known = torch.from_numpy(data.labels[head][rows])
        asked = known != UNKNOWN
        if bool(asked.any()):
            figures[f"{head}_accuracy"] = float((logits.argmax(1)[asked] == known[asked]).float().mean())
    return figures


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    setup = prepare(arguments)
    run = TrainingRun(
        arguments.out, arguments.minutes, plan_minutes=arguments.plan_minutes or arguments.minutes
    )
    arguments.cache.mkdir(parents=True, exist_ok=True)
    teacher = Teacher(arguments.data).to(setup.device)
    data = load_classification_data(arguments.data, teacher, arguments.cache)
    config = ClassifierConfig(
        data.heads,
        stem=arguments.stem,
        widths=tuple(arguments.widths),
        blocks=tuple(arguments.blocks),
        embedding=EMBEDDING,
        side=arguments.side,
    )
    trainer = ClassifierTrainer(
        config,
        data,
        Batches(data, arguments.batch, setup.generator),
        setup,
        rate=arguments.rate,
        distillation=arguments.distillation,
        early_side=arguments.early_side,
    )
    state = run.restore(setup.device) if arguments.resume else None
    if state is not None:
        trainer.load_state_dict(state)
        setup.reseed(run.step)
    elif arguments.start_from:
        trainer.start_from(SceneClassifier.load(arguments.start_from, setup.device).net)
    run_training(run, trainer)
