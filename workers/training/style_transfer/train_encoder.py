"""Teach the style encoder to predict the codes of the teacher's style space from a picture alone.

It is a regression of its own, beside the painter's training or after it: only the space has to be
fitted. Codes cost a look of the teacher, so crops and codes are kept and seen again, cut a little
differently each time.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
import torch.nn.functional as F

from workers import device as devices
from workers.nets.style_transfer import StyleEncoder, colour_statistics
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import TrainingRun, seed_everything
from workers.training.style_transfer.checkpoint import ENCODER_FOLDER, load_checkpoint
from workers.training.style_transfer.data import Pictures
from workers.training.style_transfer.losses import STYLE_LAYERS
from workers.training.style_transfer.style_space import StyleSpace
from workers.training.style_transfer.train import Tally, fast

BATCH = 12
FRESH = 2  # new crops in each step


class Pool:
    """Crops (1, 3, S, S) and their codes (1, code), growing."""

    def __init__(self, pictures: Pictures, teacher: Teacher, space: StyleSpace, size: int) -> None:
        self.pictures, self.teacher, self.space, self.size = pictures, teacher, space, size
        self.crops: list[torch.Tensor] = []
        self.codes: list[torch.Tensor] = []

    @torch.no_grad()
    def grow(self, count: int, device: torch.device) -> None:
        """Add random crops of random pictures, one in six of a famous one."""
        crops = torch.cat([self.pictures.style(self.size) for _ in range(count)]).to(device)
        self.crops += crops.split(1)  # type: ignore[no-untyped-call]
        self.codes += self.space(self.teacher(crops, STYLE_LAYERS)).split(1)

    def draw(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch: nine tenths or more of each crop, perhaps mirrored, and the codes."""
        random = self.pictures.random
        chosen = torch.randint(len(self.crops), (count,), generator=random).tolist()
        crops = [self.pictures.crop(self.crops[number], self.size, 0.9) for number in chosen]
        return torch.cat(crops), torch.cat([self.codes[number] for number in chosen])


def train_encoder(arguments: argparse.Namespace) -> None:
    """Train until the time is over; the painter's run folder must hold a checkpoint."""
    device = devices.pick()
    random = seed_everything(arguments.seed + 2)
    net, space, _ = load_checkpoint(arguments.out)
    run = TrainingRun(arguments.out / ENCODER_FOLDER, arguments.minutes)
    encoder = fast(StyleEncoder(net.config), device)
    optimiser = torch.optim.Adam(encoder.parameters(), lr=arguments.lr)
    saved = run.restore(device)
    if saved is not None:
        encoder.load_state_dict(saved["encoder"])
        optimiser.load_state_dict(saved["optimiser"])
    teacher = fast(Teacher(arguments.data), device)
    pictures = Pictures(arguments.data, arguments.paintings, random, contents=False)
    pool = Pool(pictures, teacher, space.to(device), arguments.style_size)
    pool.grow(10 * BATCH, device)
    tally = Tally(run)
    plan = 60 * (arguments.plan_minutes or arguments.minutes)

    def state() -> dict[str, Any]:
        return {"encoder": encoder.state_dict(), "optimiser": optimiser.state_dict()}

    while run.running():
        for group in optimiser.param_groups:
            group["lr"] = arguments.lr * max(0.04, 1 - run.elapsed / plan)
        pool.grow(FRESH, device)
        style, codes = pool.draw(BATCH)
        error = F.mse_loss(encoder(style, colour_statistics(style)), codes)
        # The newest crops were never seen before: their error is an honest one.
        with torch.no_grad():
            fresh = torch.cat(pool.crops[-FRESH:])
            unseen = F.mse_loss(encoder(fresh, colour_statistics(fresh)), torch.cat(pool.codes[-FRESH:]))
        optimiser.zero_grad(set_to_none=True)
        error.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        run.step += 1
        tally.add({"code": float(error.detach()), "unseen": float(unseen)})
        if run.due():
            run.save(state())
    run.save(state())
