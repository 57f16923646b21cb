"""``python -m workers.training scene-classifier``: train the classifier that measures prompt fidelity.

A small residual network from scratch that has seen real paintings only. It shares nothing with what the
generator learned from (the teacher's features, the matcher, the pseudo-labels), so a generator cannot have
been optimised towards it. Titles give the scenes; as an auxiliary task it names what the row says besides
(words of the title, artist, style, genre), of every painting there is. Never shipped: it lives in its run
folder. On one shared CPU core 20 minutes; with CUDA take ``--minutes 5 --batch 256``.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from workers.training.classifier.scene_classifier import (
    SIZE,
    SceneClassifier,
    SceneClassifierConfig,
    SceneClassifierNet,
    reliability,
    tag_aucs,
)
from workers.training.classifier.scene_labels import SCENES, UNKNOWN, scene_of, tag_table
from workers.training.common.data import Painting, is_validation, load_squares, paintings
from workers.training.common.feature_metrics import uint8_batches
from workers.training.common.optimise import cosine, decay_at, set_rate, take_step, update_average
from workers.training.common.run import Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, cache_argument, prepare, run_arguments
from workers.training.matcher.captions import is_view

MARGIN = 12
"""Pictures are kept this much larger than they are seen, for random crops."""
EARLY = 64
"""Side during the first half of a training: less than half of the work, and coarse shapes come first."""
AVERAGE = 0.995
"""Decay of the running average of weights; not tuned."""
WARM_UP = 50
"""Steps in which the rate rises; not tuned."""
TAGS_WEIGHT = 8.0
"""Of the auxiliary task, whose mean over hundreds of tags is small; not tuned."""
LOGGED = ("first_guess_right", "mean_over_scenes", "among_first_two")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``scene-classifier`` command."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/scene-classifier", 20)
    cache_argument(parser)
    parser.add_argument(
        "--steps", type=int, default=0, help="stop after so many even if time is left (0: no limit)"
    )
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=2e-3, help="highest learning rate; ends at none")


@dataclass(frozen=True, slots=True)
class SceneData:
    """Rows of paintings.csv with what is known of each; N pictures, T tags."""

    rows: Sequence[Painting]
    pictures: npt.NDArray[np.uint8]
    """(N, SIZE + MARGIN, SIZE + MARGIN, 3)."""
    training: npt.NDArray[np.bool_]
    scenes: npt.NDArray[np.int64]
    """(N,): UNKNOWN where the title names none or several."""
    tag_names: tuple[str, ...]
    tags: npt.NDArray[np.float32]
    """(N, T): 1 where a row carries the tag."""

    @classmethod
    def load(cls, data: Path, cache: Path) -> SceneData:
        """All paintings; decoded pictures are kept in ``cache``."""
        rows = paintings(data)
        training = np.array([not is_validation(row.file) for row in rows])
        names, tags = tag_table(rows, training)
        scenes = np.array([scene_of(row) for row in rows])
        return cls(rows, load_pictures(data, rows, cache), training, scenes, names, tags)

    def centres(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """(n, SIZE, SIZE, 3) of some rows."""
        edge = MARGIN // 2
        return self.pictures[rows, edge : edge + SIZE, edge : edge + SIZE]


def load_pictures(data: Path, rows: Sequence[Painting], cache: Path) -> npt.NDArray[np.uint8]:
    """Centre squares of ``rows``, uint8 (N, 108, 108, 3), kept in ``cache`` between runs."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"squares-{SIZE + MARGIN}-{len(rows)}.npy"
    if path.is_file():
        kept: npt.NDArray[np.uint8] = np.load(path)
        return kept
    made = load_squares(data, [(row.shard, row.file) for row in rows], SIZE + MARGIN)
    np.save(path, made)
    return made


class Batches:
    """Endless batches of training pictures: half with a scene (all equally often), half of any kind."""

    def __init__(self, data: SceneData, batch: int, generator: torch.Generator) -> None:
        self.pictures, self.tags = data.pictures[data.training], torch.from_numpy(data.tags[data.training])
        self.scenes, self.batch, self.generator = (
            torch.from_numpy(data.scenes[data.training]),
            batch,
            generator,
        )
        of_scene = [(self.scenes == number).nonzero().flatten() for number in range(len(SCENES))]
        self.of_scene = [rows for rows in of_scene if len(rows)]
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
        return self._augmented(rows, size), self.scenes[rows], self.tags[rows]

    def _scene(self) -> torch.Tensor:
        return self.of_scene[self._int(len(self.of_scene))]

    def _augmented(self, rows: torch.Tensor, size: int) -> torch.Tensor:
        """Random crops, mirrored, with other brightness, contrast and saturation, sometimes blurred."""
        whole = self.pictures.shape[1]
        side = whole - self._int(whole // 3)
        corners = torch.randint(whole - side + 1, (len(rows), 2), generator=self.generator).tolist()
        flips = (torch.rand(len(rows), generator=self.generator) < 0.5).tolist()
        cut = [
            self.pictures[row, top : top + side, left : left + side][:, :: -1 if flip else 1]
            for row, (top, left), flip in zip(rows.tolist(), corners, flips, strict=True)
        ]
        x = torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        # A generated picture is softer than a scan: sharpness must not decide.
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


class SceneClassifierTrainer(Trainer):
    """Network, averaged weights and the optimiser; a checkpoint holds how reliable the network is."""

    def __init__(self, data: SceneData, batches: Batches, setup: Setup, rate: float) -> None:
        self.data, self.batches, self.setup, self.rate = data, batches, setup, rate
        self.net = setup.place(SceneClassifierNet(SceneClassifierConfig(data.tag_names)))
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.balance = batches.balance.to(setup.device)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), rate, (0.9, 0.99), weight_decay=0.05)
        self.parts = {"net": self.net, "average": self.average, "optimiser": self.optimiser}
        self.resumed = False
        self.steps = 0
        self._measured: tuple[int, dict[str, Any]] | None = None

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"config": asdict(self.net.config), "reliability": self.measure()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.resumed = True
        self.steps = int(state["reliability"]["steps"])

    def losses(self, size: int) -> dict[str, torch.Tensor]:
        """The losses of one batch of pictures of ``size`` px; their sum is what is minimised."""
        images, scenes, tags = (part.to(self.setup.device) for part in self.batches.next(size))
        with self.setup.autocast():
            scene_logits, tag_logits = self.net(images.contiguous(memory_format=torch.channels_last))
        of_tags = F.binary_cross_entropy_with_logits(tag_logits.float(), tags, pos_weight=self.balance)
        return {
            "scene": F.cross_entropy(scene_logits.float(), scenes, ignore_index=UNKNOWN, label_smoothing=0.1),
            "tags": TAGS_WEIGHT * of_tags,
        }

    def step(self, progress: Progress) -> Figures:
        """One batch; the rate rises over WARM_UP steps and falls on a cosine to nothing."""
        warm = min(1.0, (progress.step + 1) / WARM_UP)
        set_rate(self.optimiser, self.rate * warm * cosine(progress.share))
        losses = self.losses(EARLY if progress.share < 0.5 and not self.resumed else SIZE)
        take_step(torch.stack(list(losses.values())).sum(), self.optimiser)
        update_average(self.average, self.net, decay_at(progress.step, AVERAGE, 20))
        self.steps = progress.step + 1
        return losses

    def measure(self) -> dict[str, Any]:
        """:func:`reliability` on the held-out titles, and the area under the curve of each tag."""
        if self._measured is None or self._measured[0] != self.steps:
            data = self.data
            scenes = SceneClassifier(copy.deepcopy(self.average), {}, self.setup.device)
            counts = Counter(SCENES[number] for number in data.scenes[data.training] if number != UNKNOWN)
            held = np.flatnonzero(~data.training & (data.scenes != UNKNOWN))
            views = np.flatnonzero(~data.training & np.array([is_view(row) for row in data.rows]))
            figures = reliability(scenes.scenes(uint8_batches(data.centres(held), 64)), data.scenes[held])
            scores = scenes.tags(uint8_batches(data.centres(views), 64))
            figures |= {
                "training_pictures": dict(counts),
                "steps": self.steps,
                "words_auc": tag_aucs(scores, data.tags[views], data.tag_names),
            }
            self._measured = self.steps, figures
        return self._measured[1]

    def validate(self, complete: bool = False) -> Figures:
        figures = self.measure()
        return {name: figures[name] for name in LOGGED}


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up, then measure on the held-out titles."""
    setup = prepare(arguments)
    data = SceneData.load(arguments.data, arguments.cache)
    batches = Batches(data, arguments.batch, setup.generator)
    trainer = SceneClassifierTrainer(data, batches, setup, arguments.rate)
    run = TrainingRun(arguments.out, arguments.minutes)
    state = run.restore(setup.device) if arguments.resume else None
    if state is not None:
        trainer.load_state_dict(state)
        setup.reseed(run.step)
    if arguments.steps:
        run.limit_steps(run.step, run.step + arguments.steps)
    run_training(run, trainer, validate_every=run.save_every)
    for name, value in trainer.measure().items():
        print(name, value)
