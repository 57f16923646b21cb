"""Train the style encoder to predict the codes of the teacher's style space from a picture alone.

It is a regression of its own, beside the transfer network's training or after it: only the space has to be
fitted. Codes cost a forward pass of the teacher, so crops and codes are kept and drawn again, cut a little
differently each time.
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F

from workers.nets.style_transfer import StyleEncoder, StyleTransferConfig, colour_statistics
from workers.training.common.optimise import set_rate, take_step
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, prepare
from workers.training.style_transfer.checkpoint import ENCODER_FOLDER, load_checkpoint
from workers.training.style_transfer.data import Pictures
from workers.training.style_transfer.losses import STYLE_LAYERS
from workers.training.style_transfer.style_space import StyleSpace

BATCH = 12
"""Crops in a step; not tuned."""
FRESH = 2
"""New crops in each step."""


class CodedCrops:
    """Crops (1, 3, S, S) and their codes (1, code) by the teacher, growing."""

    def __init__(self, pictures: Pictures, teacher: Teacher, space: StyleSpace, size: int) -> None:
        self.pictures, self.teacher, self.space, self.size = pictures, teacher, space, size
        self.crops: list[torch.Tensor] = []
        self.codes: list[torch.Tensor] = []

    @torch.no_grad()
    def grow(self, count: int) -> None:
        """Add random crops of random pictures, one in six of a famous one."""
        crops = torch.cat([self.pictures.style(self.size) for _ in range(count)]).to(self.teacher.mean.device)
        self.crops += crops.split(1)  # type: ignore[no-untyped-call]
        self.codes += self.space(self.teacher(crops, STYLE_LAYERS)).split(1)

    def newest(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The crops that were added last, uncut, and their codes."""
        return torch.cat(self.crops[-count:]), torch.cat(self.codes[-count:])

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch: nine tenths or more of each crop, perhaps mirrored, and the codes."""
        random = self.pictures.random
        chosen = torch.randint(len(self.crops), (count,), generator=random).tolist()
        crops = [self.pictures.crop(self.crops[number], self.size, 0.9) for number in chosen]
        return torch.cat(crops), torch.cat([self.codes[number] for number in chosen])


class StyleEncoderTrainer(Trainer):
    """The encoder and its optimiser."""

    def __init__(self, config: StyleTransferConfig, crops: CodedCrops, setup: Setup, rate: float) -> None:
        self.crops, self.rate, self.setup = crops, rate, setup
        self.encoder = setup.place(StyleEncoder(config))
        self.optimiser = torch.optim.Adam(self.encoder.parameters(), lr=rate)
        self.parts = {"encoder": self.encoder, "optimiser": self.optimiser}

    def _error(self, style: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        with self.setup.autocast():
            predicted = self.encoder(style, colour_statistics(style))
        return F.mse_loss(predicted.float(), codes)

    def step(self, progress: Progress) -> Figures:
        """One batch; the rate falls linearly to 4 %. ``unseen``: the error of crops that are new."""
        set_rate(self.optimiser, self.rate * max(0.04, 1 - progress.share))
        self.crops.grow(FRESH)
        error = self._error(*self.crops.draw(BATCH))
        with torch.no_grad():
            unseen = self._error(*self.crops.newest(FRESH))
        take_step(error, self.optimiser)
        return {"code": error, "unseen": unseen}


def train_encoder(arguments: argparse.Namespace) -> None:
    """Train until the time is over; the transfer network's run folder must hold a checkpoint."""
    arguments.seed += 2  # other crops than those that the transfer network learned from
    setup = prepare(arguments)
    net, space, _ = load_checkpoint(arguments.out)
    plan = arguments.plan_minutes or arguments.minutes
    run = TrainingRun(arguments.out / ENCODER_FOLDER, arguments.minutes, plan_minutes=plan)
    teacher = setup.place(Teacher(arguments.data))
    pictures = Pictures(arguments.data, arguments.paintings, setup.generator, contents=False)
    crops = CodedCrops(pictures, teacher, space.to(setup.device), arguments.style_size)
    trainer = StyleEncoderTrainer(net.config, crops, setup, arguments.lr)
    saved = run.restore(setup.device)
    if saved is not None:
        trainer.load_state_dict(saved)
        setup.reseed(run.step)
    crops.grow(10 * BATCH)
    run_training(run, trainer)
