"""Train the style transfer network against the SqueezeNet teacher (Johnson et al. 2016; Ghiasi et al. 2017).

Style: Gram matrices, means and deviations of six layers; content: fire5; total variation against noise.
Contents are photographs and paintings, styles are paintings and the famous ones, which are drawn more
often. The painter learns from codes of the teacher's style space; ``--encoder`` then teaches the encoder
to predict them from the pictures alone, so that no teacher is needed to paint.
"""

from __future__ import annotations

import argparse
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import nn

from workers import device as devices
from workers import images
from workers.nets.style_transfer import StyleTransferConfig, StyleTransferNet
from workers.training.common import data
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import TrainingRun, seed_everything
from workers.training.style_transfer.data import Pictures, picture_tensor
from workers.training.style_transfer.losses import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    content_loss,
    style_loss,
    variation,
)
from workers.training.style_transfer.style_space import StyleBank, StyleSpace, famous_code

Module = TypeVar("Module", bound=nn.Module)


def fast(module: Module, device: torch.device) -> Module:
    """On ``device``, channels last: a quarter faster than the default layout on a CPU."""
    return module.to(device).to(memory_format=torch.channels_last)


class Trainer:
    """Network, averaged weights, the space of codes, the painter's optimiser."""

    def __init__(self, arguments: argparse.Namespace, device: torch.device) -> None:
        self.device = device
        self.config = scaled_config(arguments.width)
        self.net = fast(StyleTransferNet(self.config), device)
        self.average = fast(StyleTransferNet(self.config), device)
        self.average.load_state_dict(self.net.state_dict())
        self.average.requires_grad_(False)
        self.space = StyleSpace(STYLE_LAYERS, self.config.code).to(device)
        self.optimiser = torch.optim.Adam(self.net.painter.parameters(), lr=arguments.lr)
        self.lr = arguments.lr

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {
            "config": self.config.as_dict(),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "space": self.space.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.space.load_state_dict(state["space"])
        self.optimiser.load_state_dict(state["optimiser"])

    def rate(self, done: float) -> None:
        """Set the learning rate for the share ``done`` of the schedule: a short rise, a cosine to 4 %."""
        rise = min(1.0, done / 0.01 + 0.05)
        fall = 0.04 + 0.96 * 0.5 * (1 + float(np.cos(np.pi * min(done, 1.0))))
        for group in self.optimiser.param_groups:
            group["lr"] = self.lr * min(rise, fall)

    def average_weights(self, step: int) -> None:
        """Moving average of the painter's weights, short at first."""
        keep = min(0.995, step / (step + 10))
        ours: list[torch.Tensor] = list(self.average.painter.parameters())
        torch._foreach_lerp_(ours, [p.detach() for p in self.net.painter.parameters()], 1 - keep)


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


def train(arguments: argparse.Namespace) -> None:
    """Train until the time is over."""
    device = devices.pick()
    random = seed_everything(arguments.seed)
    run = TrainingRun(arguments.out, arguments.minutes)
    pictures = Pictures(arguments.data, arguments.paintings, random)
    teacher = fast(Teacher(arguments.data), device)
    trainer = Trainer(arguments, device)
    saved = run.restore(device)
    if saved is not None:
        trainer.load(saved)
    crops, famous = style_crops(pictures, arguments)
    tally = Tally(run)

    def teach(crop: torch.Tensor) -> dict[str, torch.Tensor]:
        found: dict[str, torch.Tensor] = teacher(
            crop.to(device, memory_format=torch.channels_last), STYLE_LAYERS
        )
        return found

    bank = StyleBank(trainer.space, teach, crops, famous, fit=saved is None)
    random.manual_seed(arguments.seed + run.step)
    plan = 60 * (arguments.plan_minutes or arguments.minutes)
    while run.running():
        done = run.elapsed / plan
        trainer.rate(done)
        size = arguments.sizes[sum(done >= turn for turn in arguments.turns)]
        values = one_step(trainer, teacher, pictures, bank, arguments, size)
        trainer.average_weights(run.step)
        run.step += 1
        tally.add(values)
        if run.step in (100, 250) or run.step % 500 == 0:
            sample_sheet(trainer, teacher, pictures).save(
                run.folder / f"sample-{run.step:06d}.jpg", quality=88
            )
        if run.due():
            run.save(trainer.state())
    run.save(trainer.state())


def style_crops(pictures: Pictures, arguments: argparse.Namespace) -> tuple[list[torch.Tensor], int]:
    """Crops (1, 3, S, S) for the bank, those of the famous paintings first, and how many those are."""
    size = arguments.style_size
    crops = [
        pictures.crop(picture, size, 1 - 0.45 * turn / arguments.views)
        for picture in pictures.famous
        for turn in range(arguments.views)
    ]
    count = len(crops)
    crops += [
        pictures.crop(picture_tensor(picture), size, 0.6) for picture in pictures.paintings[: arguments.bank]
    ]
    return crops, count


class Tally:
    """Writes the mean of fifty steps to the run's log."""

    def __init__(self, run: TrainingRun, every: int = 50) -> None:
        self.run, self.every = run, every
        self.sums: dict[str, float] = {}

    def add(self, values: dict[str, float]) -> None:
        """Count one step."""
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + value / self.every
        if self.run.step % self.every == 0:
            self.run.log(**self.sums)
            self.sums.clear()


def one_step(
    trainer: Trainer,
    teacher: Teacher,
    pictures: Pictures,
    bank: StyleBank,
    arguments: argparse.Namespace,
    size: int,
) -> dict[str, float]:
    """Teach the painter one batch; returns the losses."""
    device = trainer.device
    content = pictures.contents(arguments.batch, size).to(device, memory_format=torch.channels_last)
    code, wanted = bank.draw(arguments.batch, arguments.famous, pictures.random)
    with torch.no_grad():
        kept = teacher(content, (CONTENT_LAYER,))[CONTENT_LAYER]
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        painted = trainer.net(content, code)
    painted = painted.float()
    found = teacher(painted, STYLE_LAYERS)
    style_error = style_loss(found, wanted)
    content_error = content_loss(found[CONTENT_LAYER], kept)
    rough = variation(painted)
    outside = (painted.abs() - 1).clamp_min(0).pow(2).mean()
    loss = style_error + arguments.content_weight * content_error + arguments.tv_weight * rough + 10 * outside
    trainer.optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(trainer.net.painter.parameters(), 10.0)
    trainer.optimiser.step()
    return {
        "style": float(style_error.detach()),
        "content": float(content_error.detach()),
        "tv": float(rough.detach()),
        "outside": float(outside.detach()),
    }


@torch.no_grad()
def sample_sheet(trainer: Trainer, teacher: Teacher, pictures: Pictures, size: int = 192) -> Image.Image:
    """What the averaged weights do now: three photographs, eight famous styles, the last three encoded."""
    net, tiles = trainer.average, []
    styles = [pictures.famous[i].to(trainer.device) for i in (0, 5, 6, 8, 10, 0, 12, 21)]
    codes = [famous_code(net, trainer.space, teacher, style) for style in styles[:5]]
    codes += [net.encode(style) for style in styles[5:]]
    for picture in data.sample_pictures(512)[:3]:
        content = images.to_tensor(data.square(picture, size)).to(trainer.device)
        tiles += [images.to_image(net(content, code)) for code in codes]
    return images.contact_sheet(tiles, 8)
