"""Train the style transfer network against the SqueezeNet teacher (Johnson et al. 2016; Ghiasi et al. 2017).

Style: Gram matrices, means and deviations of six layers; content: fire5; total variation against noise.
Contents are photographs and paintings, styles are paintings and the famous ones, which are drawn more
often. The transfer network learns from codes of the teacher's style space; ``--encoder`` then trains the
encoder to predict them from the pictures alone, so that inference needs no teacher.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from workers import images
from workers.nets.style_transfer import StyleTransferConfig, StyleTransferNet
from workers.training.common import data
from workers.training.common.optimise import cosine, decay_at, set_rate, take_step, update_average
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, prepare
from workers.training.style_transfer.data import Pictures, picture_tensor
from workers.training.style_transfer.losses import CONTENT_LAYER, STYLE_LAYERS, transfer_losses, weighted
from workers.training.style_transfer.style_space import StyleBank, StyleSpace, famous_code

SHEET_STYLES = (0, 5, 6, 8, 10, 0, 12, 21)
"""Famous styles of the sheet; the codes of the first five are the teacher's, the others the encoder's."""
BY_TEACHER = 5
AVERAGE = 0.995
"""Decay of the running average of weights; not tuned."""
CLIP = 10.0
"""Largest norm of a gradient; not tuned."""


class StyleTransferTrainer(Trainer):
    """The transfer network, its averaged weights and the space of style codes; ``net.painter`` is trained."""

    def __init__(
        self, arguments: argparse.Namespace, setup: Setup, pictures: Pictures, teacher: Teacher
    ) -> None:
        self.arguments, self.setup, self.pictures, self.teacher = arguments, setup, pictures, teacher
        self.config = scaled_config(arguments.width)
        self.net, self.average = (setup.place(StyleTransferNet(self.config)) for _ in range(2))
        self.average.load_state_dict(self.net.state_dict())
        self.average.requires_grad_(False)
        self.space = StyleSpace(STYLE_LAYERS, self.config.code).to(setup.device)
        self.optimiser = torch.optim.Adam(self.net.painter.parameters(), lr=arguments.lr)
        self.parts = {
            "net": self.net,
            "average": self.average,
            "space": self.space,
            "optimiser": self.optimiser,
        }
        self.bank: StyleBank | None = None

    def fill_bank(self, fit: bool) -> None:
        """Show the teacher the styles to learn from; ``fit`` the space of codes to them, once per run."""
        crops, famous = style_crops(self.pictures, self.arguments)
        self.bank = StyleBank(self.space, self._style_features, crops, famous, fit=fit)

    def _style_features(self, crop: torch.Tensor) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = self.teacher(
            crop.to(self.setup.device, memory_format=torch.channels_last), STYLE_LAYERS
        )
        return found

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"config": self.config.as_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.fill_bank(fit=False)

    def step(self, progress: Progress) -> Figures:
        """One batch: crops grow in the course of the schedule, the rate rises shortly and falls to 4 %."""
        arguments, done = self.arguments, progress.share
        set_rate(self.optimiser, arguments.lr * min(1.0, done / 0.01 + 0.05, 0.04 + 0.96 * cosine(done)))
        size = arguments.sizes[sum(done >= turn for turn in arguments.turns)]
        content = self.pictures.contents(arguments.batch, size)
        content = content.to(self.setup.device, memory_format=torch.channels_last)
        assert self.bank is not None, "the bank of styles is filled before the first step"
        code, wanted = self.bank.draw(arguments.batch, arguments.famous, self.pictures.random)
        with torch.no_grad():
            kept = self.teacher(content, (CONTENT_LAYER,))[CONTENT_LAYER]
        with self.setup.autocast():
            painted = self.net(content, code)
        painted = painted.float()
        losses = transfer_losses(painted, self.teacher(painted, STYLE_LAYERS), wanted, kept)
        take_step(weighted(losses, arguments.content_weight, arguments.tv_weight), self.optimiser, CLIP)
        update_average(self.average.painter, self.net.painter, decay_at(progress.step, AVERAGE, 10))
        return losses

    @torch.no_grad()
    def sheet(self, folder: Path, step: int) -> None:
        """Results of the averaged weights: three photographs, eight famous styles, the last three encoded."""
        net, device = self.average, self.setup.device
        styles = [self.pictures.famous[number].to(device) for number in SHEET_STYLES]
        codes = [famous_code(net, self.space, self.teacher, style) for style in styles[:BY_TEACHER]]
        codes += [net.encode(style) for style in styles[BY_TEACHER:]]
        save_samples(
            folder, step, [[net(content, code) for code in codes] for content in contents(192, device)]
        )


def contents(size: int, device: torch.device) -> list[torch.Tensor]:
    """Three sample photographs as squares (1, 3, size, size)."""
    return [images.to_tensor(data.square(one, size)).to(device) for one in data.sample_pictures(512)[:3]]


def save_samples(folder: Path, step: int, rows: list[list[torch.Tensor]]) -> None:
    """Write ``sample-STEP.jpg``: a row for each content, a picture (1, 3, S, S) for each style."""
    tiles: list[Image.Image] = [images.to_image(picture) for row in rows for picture in row]
    images.contact_sheet(tiles, len(rows[0])).save(folder / f"sample-{step:06d}.jpg", quality=88)


def scaled_config(width: float) -> StyleTransferConfig:
    """The shipped configuration with every channel count multiplied by ``width``."""
    base = StyleTransferConfig()

    def scale(value: int) -> int:
        return max(8, round(value * width / 8) * 8)

    half, quarter, eighth = (scale(w) for w in base.widths)
    a, b, c, d = (scale(w) for w in base.style_widths)
    return StyleTransferConfig(
        widths=(half, quarter, eighth), full=scale(base.full), blocks=base.blocks, style_widths=(a, b, c, d)
    )


def style_crops(pictures: Pictures, arguments: argparse.Namespace) -> tuple[list[torch.Tensor], int]:
    """Crops (1, 3, S, S) for the bank, those of the famous paintings first, and how many those are."""
    size = arguments.style_size
    crops = [
        pictures.crop(picture, size, 1 - 0.45 * turn / arguments.views)
        for picture in pictures.famous
        for turn in range(arguments.views)
    ]
    count = len(crops)
    paintings = [picture_tensor(picture) for picture in pictures.paintings[: arguments.bank]]
    return crops + [pictures.crop(picture, size, 0.6) for picture in paintings], count


def train(arguments: argparse.Namespace) -> None:
    """Train the transfer network until the time is over."""
    setup = prepare(arguments)
    run = TrainingRun(
        arguments.out, arguments.minutes, plan_minutes=arguments.plan_minutes or arguments.minutes
    )
    pictures = Pictures(arguments.data, arguments.paintings, setup.generator)
    trainer = StyleTransferTrainer(arguments, setup, pictures, setup.place(Teacher(arguments.data)))
    saved = run.restore(setup.device)
    if saved is not None:
        trainer.load_state_dict(saved)
        setup.reseed(run.step)
    else:
        trainer.fill_bank(fit=True)
    run_training(run, trainer, sheet_every=500)
