"""``python -m workers.training judge``: train the judge, a classifier of scenes that measures fidelity.

A small residual network from scratch that has seen real paintings only. It shares nothing with what the
painter learned from (the teacher's features, the matcher, the guessed words), so a painter cannot have
learned to please it. Titles give the scenes; as a second lesson it names what the row says besides (words of
the title, artist, style, genre), of every painting there is. Never shipped: it lives in its run folder.
On one shared CPU core 20 minutes; with CUDA take ``--minutes 5 --batch 256``.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from workers import device as devices
from workers.training.classifier.scene_classifier import (
    SIZE,
    Judge,
    JudgeConfig,
    JudgeNet,
    reliability,
    tag_areas,
)
from workers.training.classifier.scene_labels import SCENES, UNKNOWN, scene_of, tag_table
from workers.training.common.data import Painting, is_validation, load_squares, paintings
from workers.training.common.feature_metrics import uint8_batches
from workers.training.common.run import TrainingRun, seed_everything
from workers.training.matcher.captions import is_view

MARGIN = 12
EARLY = 64
"""Side during the first half of a training: less than half of the work, and coarse shapes come first."""
AVERAGE = 0.995


class Lessons:
    """Endless batches of training pictures: half with a scene (all equally often), half of any kind."""

    def __init__(
        self,
        pictures: npt.NDArray[np.uint8],
        scenes: npt.NDArray[np.int64],
        tags: npt.NDArray[np.float32],
        batch: int,
        generator: torch.Generator,
    ) -> None:
        self.pictures, self.tags = pictures, torch.from_numpy(tags)
        self.scenes, self.batch, self.generator = torch.from_numpy(scenes), batch, generator
        of_scene = [np.flatnonzero(scenes == number) for number in range(len(SCENES))]
        self.of_scene = [torch.from_numpy(rows) for rows in of_scene if len(rows)]
        # Tags of few pictures count as much as those of many, within reason.
        share = self.tags.mean(0).clamp(1e-3, 0.5)
        self.balance = ((1 - share) / share).sqrt()

    def _int(self, limit: int) -> int:
        return int(torch.randint(limit, (), generator=self.generator))

    def next(self, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (batch, 3, size, size) in [-1, 1], their scenes (UNKNOWN for some), their tags."""
        chosen = [rows[self._int(len(rows))] for _ in range(self.batch // 2) for rows in [self._scene()]]
        others = torch.randint(len(self.pictures), (self.batch - len(chosen),), generator=self.generator)
        rows = torch.cat([torch.stack(chosen), others])
        return self._changed(rows, size), self.scenes[rows], self.tags[rows]

    def _scene(self) -> torch.Tensor:
        return self.of_scene[self._int(len(self.of_scene))]

    def _changed(self, rows: torch.Tensor, size: int) -> torch.Tensor:
        """Random windows, mirrored, in other light, sometimes blurred: what a picture is stays the same."""
        whole = self.pictures.shape[1]
        side = whole - self._int(whole // 3)
        corners = torch.randint(whole - side + 1, (len(rows), 2), generator=self.generator).tolist()
        flips = (torch.rand(len(rows), generator=self.generator) < 0.5).tolist()
        cut = [
            self.pictures[row, top : top + side, left : left + side][:, :: -1 if flip else 1]
            for row, (top, left), flip in zip(rows.tolist(), corners, flips, strict=True)
        ]
        x = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        # A made picture is softer than a scan: sharpness must not decide.
        inner = (size, max(size * 2 // 5, self._int(size) + 1))[self._int(3) == 0]
        for step in dict.fromkeys((inner, size)):
            if x.shape[-1] != step:
                x = F.interpolate(x, size=(step, step), mode="bilinear", antialias=True, align_corners=False)

        def uniform(spread: float) -> torch.Tensor:
            return (torch.rand(len(x), 1, 1, 1, generator=self.generator) * 2 - 1) * spread

        grey = x.mean(1, keepdim=True)
        x = grey + (x - grey) * (1 + uniform(0.4))
        mean = x.mean((1, 2, 3), keepdim=True)
        return mean + (x - mean) * (1 + uniform(0.25)) + uniform(0.25)


def losses_of(
    net: JudgeNet, batch: tuple[torch.Tensor, torch.Tensor, torch.Tensor], balance: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The losses of one batch by name; their sum is what is minimised."""
    device = balance.device
    images, scenes, tags = (part.to(device) for part in batch)
    named, tagged = net(images.contiguous(memory_format=torch.channels_last))
    return {
        "scene": F.cross_entropy(named, scenes, ignore_index=UNKNOWN, label_smoothing=0.1),
        "tags": 8 * F.binary_cross_entropy_with_logits(tagged, tags, pos_weight=balance),
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``judge`` command."""
    parser.epilog = __doc__
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/judge"), help="run folder")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of decoded pictures")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument(
        "--steps", type=int, default=0, help="stop after so many even if time is left (0: no limit)"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate; ends at none")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--seed", type=int, default=1)


def load_pictures(data: Path, rows: Sequence[Painting], cache: Path) -> npt.NDArray[np.uint8]:
    """Centre squares of ``rows``, uint8 (N, 108, 108, 3), kept in ``cache`` between runs."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"judge-{SIZE + MARGIN}-{len(rows)}.npy"
    if path.is_file():
        kept: npt.NDArray[np.uint8] = np.load(path)
        return kept
    made = load_squares(data, [(row.shard, row.file) for row in rows], SIZE + MARGIN)
    np.save(path, made)
    return made


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up, then measure on the held-out titles."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    rows = paintings(arguments.data)
    training = np.array([not is_validation(row.file) for row in rows])
    scenes = np.array([scene_of(row) for row in rows])
    names, tags = tag_table(rows, training)
    pictures = load_pictures(arguments.data, rows, arguments.cache)
    edge = MARGIN // 2
    centres = pictures[:, edge : edge + SIZE, edge : edge + SIZE]
    held = np.flatnonzero(~training & (scenes != UNKNOWN))
    held_views = np.flatnonzero(~training & np.array([is_view(row) for row in rows]))
    generator = seed_everything(arguments.seed)
    net = JudgeNet(JudgeConfig(names)).to(memory_format=torch.channels_last).to(device)
    average = copy.deepcopy(net).requires_grad_(False)
    lessons = Lessons(pictures[training], scenes[training], tags[training], arguments.batch, generator)
    balance = lessons.balance.to(device)
    optimiser = torch.optim.AdamW(net.parameters(), arguments.rate, (0.9, 0.99), weight_decay=0.05)
    parts: dict[str, Any] = {"net": net, "average": average, "optimiser": optimiser}
    run = TrainingRun(arguments.out, arguments.minutes)
    state = run.restore(device) if arguments.resume else None
    if state is not None:
        for name, part in parts.items():
            part.load_state_dict(state[name])
        generator.manual_seed(arguments.seed + run.step)
    began = run.elapsed if state is None else None

    def measured() -> dict[str, Any]:
        judge = Judge(copy.deepcopy(average), {}, device)
        counts = Counter(SCENES[number] for number in scenes[training] if number != UNKNOWN)
        figures = reliability(judge.scenes(uint8_batches(centres[held], 64)), scenes[held])
        areas = tag_areas(judge.tags(uint8_batches(centres[held_views], 64)), tags[held_views], names)
        return figures | {"training_pictures": dict(counts), "steps": run.step, "words_auc": areas}

    def save() -> None:
        states = {name: part.state_dict() for name, part in parts.items()}
        run.save(states | {"config": asdict(net.config), "reliability": measured()})

    first, most = run.step, arguments.steps or math.inf
    while run.running() and run.step - first < most:
        began = run.elapsed if began is None else began
        gone = min(1.0, max((run.elapsed - began) / (arguments.minutes * 60), (run.step - first) / most))
        warm = min(1.0, (run.step + 1) / 50)
        for group in optimiser.param_groups:
            group["lr"] = arguments.rate * warm * (0.5 + 0.5 * math.cos(math.pi * gone))
        losses = losses_of(net, lessons.next(EARLY if gone < 0.5 and state is None else SIZE), balance)
        optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            decay = min(AVERAGE, (run.step + 1) / (run.step + 20))
            for own, other in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
                own.lerp_(other, 1 - decay) if own.is_floating_point() else own.copy_(other)
        run.step += 1
        if run.step % 50 == 0:
            run.log(**{name: float(value.detach()) for name, value in losses.items()})
        if run.due():
            save()
            figures = measured()
            run.log(
                **{key: figures[key] for key in ("first_guess_right", "mean_over_scenes", "among_first_two")}
            )
    save()
    for name, value in measured().items():
        print(name, value)
