"""``python -m workers.training classify``: train the network that sees (kinds: analyse, dream).

From the trunk of the ``judge`` (train it first), on paintings with their labels, photographs and drawn
outliers. Beside the labels each view is told what the teacher makes of the whole picture (knowledge
distillation, Hinton et al. 2015): principal components of its pooled features, which the embedding has to
repeat. Labels are few; the opinion is rich.
On two CPU cores an hour; on a GPU leave the judge out and take
``--minutes 60 --batch 256 --rate 0.003 --stem 48 --widths 96 192 384 --blocks 2 3 4``.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

from workers import device as devices
from workers.engines.vision.classifier import input_size
from workers.nets.classifier import Classifier, ClassifierConfig, Residual
from workers.training.classifier.data import OPINION, Sights, load_sights, views
from workers.training.classifier.labels import UNKNOWN
from workers.training.classifier.scene_classifier import Judge, JudgeNet
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import TrainingRun, seed_everything

SMOOTHING = 0.1
LABELLED = {"style": 1.0, "painter": 1.0, "genre": 1.0, "source": 0.5}
"""How much each head's loss counts."""
OTHERS = 0.12
"""Share of a batch that is no painting."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``classify`` command."""
    parser.epilog = __doc__
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/classify"), help="run folder")
    parser.add_argument("--minutes", type=float, default=60, help="time of this call")
    parser.add_argument("--plan-minutes", type=float, help="length of the schedule (default: --minutes)")
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--batch", type=int, default=48)
    parser.add_argument("--side", type=int, default=144, help="pictures are seen with side**2 pixels")
    parser.add_argument("--early-side", type=int, default=112, help="side during the first half: cheaper")
    parser.add_argument("--start-from", type=Path, help="run folder of a judge: its trunk is the beginning")
    parser.add_argument("--stem", type=int, default=24, help="channels at half the resolution")
    parser.add_argument("--widths", type=int, nargs=3, default=(40, 80, 160))
    parser.add_argument("--blocks", type=int, nargs=3, default=(1, 2, 3))
    parser.add_argument("--rate", type=float, default=1.5e-3, help="highest learning rate")
    parser.add_argument("--opinion", type=float, default=10.0, help="weight of the teacher's opinion")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of decoded pictures")
    parser.add_argument("--seed", type=int, default=1)


class Trainer:
    """Network, averaged weights and the optimiser."""

    def __init__(self, config: ClassifierConfig, device: torch.device, rate: float, opinion: float) -> None:
        self.device, self.rate, self.opinion = device, rate, opinion
        self.net = Classifier(config).to(device)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        decayed = [p for p in self.net.parameters() if p.dim() > 1]
        plain = [p for p in self.net.parameters() if p.dim() <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, rate)

    def state(self) -> dict[str, Any]:
        return {
            "config": self.net.config.to_card(),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        for name, part in (("net", self.net), ("average", self.average), ("optimiser", self.optimiser)):
            part.load_state_dict(state[name])

    @torch.no_grad()
    def begin(self, judge: JudgeNet) -> None:
        """Take the judge's trunk over; blocks that it does not have begin as nothing beside their shortcut.

        Raises ValueError when its sizes are others.
        """
        net = self.net
        if (judge.config.stem, tuple(judge.config.widths)) != (net.config.stem, tuple(net.config.widths)):
            raise ValueError("the judge's trunk has other sizes")
        trunk: Any = judge.trunk
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

    def schedule(self, done: float) -> None:
        """Learning rate at the share ``done`` of the plan: a short rise, a cosine to a hundredth."""
        fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * min(fall, 0.05 + done / 0.03)

    def step(
        self, x: torch.Tensor, labels: dict[str, torch.Tensor], opinion: torch.Tensor, step: int
    ) -> dict[str, float]:
        """One update on views (N, 3, S, S); ``labels`` per head, UNKNOWN where there is none."""
        self.net.train()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            embedded = self.net.embedding(self.net.features(x))
            answers = self.net.answer(embedded)
        losses = {"opinion": F.smooth_l1_loss(embedded.float(), opinion)}
        for head, logits in answers.items():
            if bool((labels[head] != UNKNOWN).any()):
                losses[head] = F.cross_entropy(
                    logits.float(), labels[head], ignore_index=UNKNOWN, label_smoothing=SMOOTHING
                )
        weights = LABELLED | {"opinion": self.opinion}
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 2.0)
        self.optimiser.step()
        keep = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.net.parameters(), strict=True):
                kept.lerp_(new, 1 - keep)
            for own, other in zip(self.average.buffers(), self.net.buffers(), strict=True):
                own.copy_(other)
        return {name: float(loss.detach()) for name, loss in losses.items()}


class Batches:
    """Random views with labels and opinions; paintings in epochs, some outliers beside them."""

    def __init__(self, sights: Sights, batch: int, generator: torch.Generator) -> None:
        self.sights, self.batch, self.generator = sights, batch, generator
        train = torch.from_numpy(sights.of(0))
        is_painting = train < len(sights.rows)
        self.paintings, self.others = train[is_painting], train[~is_painting]
        self.pictures = torch.from_numpy(sights.pictures)
        self.ratio = torch.from_numpy(sights.ratio)
        self.labels = {head: torch.from_numpy(known) for head, known in sights.labels.items()}
        self.opinion = torch.from_numpy(sights.opinion)
        self._queue = torch.empty(0, dtype=torch.int64)

    def next(self, side: int) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        """Views (batch, 3, side, side), labels per head, opinions (batch, OPINION)."""
        others = round(self.batch * OTHERS)
        wanted = self.batch - others
        while len(self._queue) < wanted:
            order = torch.randperm(len(self.paintings), generator=self.generator)
            self._queue = torch.cat([self._queue, self.paintings[order]])
        chosen, self._queue = self._queue[:wanted], self._queue[wanted:]
        drawn = torch.randint(len(self.others), (others,), generator=self.generator)
        index = torch.cat([chosen, self.others[drawn]])
        x = views(self.pictures[index], self.ratio[index], side, self.generator)
        return x, {head: known[index] for head, known in self.labels.items()}, self.opinion[index]


@torch.inference_mode()
def answers_of(
    net: Classifier, sights: Sights, rows: npt.NDArray[np.int64], side: int
) -> dict[str, torch.Tensor]:
    """Logits (n, labels) of whole pictures per head, in their own proportions."""
    device = next(net.parameters()).device
    net.eval()
    found: dict[str, list[torch.Tensor]] = {head: [] for head in net.config.heads}
    for row in rows:  # one by one: each has proportions of its own
        x = whole(sights, int(row), side).to(device)
        for head, logits in net(torch.cat([x, x.flip(3)])).items():
            found[head].append(logits.mean(0, keepdim=True).float().cpu())
    return {head: torch.cat(parts) for head, parts in found.items()}


def whole(sights: Sights, row: int, side: int) -> torch.Tensor:
    """A whole picture as the engine sees it: (1, 3, h, w), area about side**2, multiples of 16."""
    width, height = input_size(float(sights.ratio[row]), 1.0, side)
    x = torch.from_numpy(sights.pictures[row]).permute(2, 0, 1)[None].float().div(127.5).sub(1)
    return F.interpolate(x, (height, width), mode="bilinear", antialias=True, align_corners=False)


def accuracy(
    answers: dict[str, torch.Tensor], sights: Sights, rows: npt.NDArray[np.int64]
) -> dict[str, float]:
    """Share of right first guesses per head, among the rows that have a label."""
    figures = {}
    for head, logits in answers.items():
        known = torch.from_numpy(sights.labels[head][rows])
        asked = known != UNKNOWN
        if bool(asked.any()):
            figures[head] = float((logits.argmax(1)[asked] == known[asked]).float().mean())
    return figures


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    run = TrainingRun(arguments.out, arguments.minutes)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    generator = seed_everything(arguments.seed)
    sights = load_sights(arguments.data, Teacher(arguments.data).to(device), arguments.cache)
    config = ClassifierConfig(
        sights.heads,
        stem=arguments.stem,
        widths=tuple(arguments.widths),
        blocks=tuple(arguments.blocks),
        embedding=OPINION,
        side=arguments.side,
    )
    trainer = Trainer(config, device, arguments.rate, arguments.opinion)
    state = run.restore(device) if arguments.resume else None
    if state is None and arguments.start_from:
        trainer.begin(Judge.load(arguments.start_from, device).net)
    if state is not None:
        trainer.load(state)
        generator.manual_seed(arguments.seed + run.step)
    batches = Batches(sights, arguments.batch, generator)
    held = sights.of(1)
    plan = 60 * (arguments.plan_minutes or arguments.minutes)
    sums: dict[str, float] = {}
    checked = 0.0
    while run.running():
        done = run.elapsed / plan
        trainer.schedule(done)
        side = arguments.early_side if done < 0.5 else arguments.side
        x, labels, opinion = batches.next(side)
        x, opinion = x.to(device), opinion.to(device)
        losses = trainer.step(x, {k: v.to(device) for k, v in labels.items()}, opinion, run.step)
        run.step += 1
        for name, loss in losses.items():
            sums[name] = sums.get(name, 0.0) + loss / 50
        if run.step % 50 == 0:
            run.log(**sums)
            sums.clear()
        if run.due():
            run.save(trainer.state())
        if run.elapsed - checked > 600:
            checked = run.elapsed
            answers = answers_of(trainer.average, sights, held[:400], arguments.side)
            run.log(**accuracy(answers, sights, held[:400]))
    run.save(trainer.state())
