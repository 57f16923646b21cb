"""``python -m workers.training restyle-together``: train transfer network and encoder of ``restyle`` as one.

The first two stages train the transfer network from the teacher's codes and the encoder to predict those
codes. Here both go on together from exported weights: a style is only ever known by what the encoder makes
of it, as in the engine, so that the transfer network adapts to the encoder's errors. Residual blocks that the
weights do not have yet begin close to the identity.

On a GPU: ``--batch 16 --sizes 192 256 --minutes 120``.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from workers import weights
from workers.nets.style_transfer import Residual, StyleTransferConfig, StyleTransferNet
from workers.training.common import data
from workers.training.common.optimise import decay_at, set_rate, take_step, update_average
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import CHECKPOINT, Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, prepare, run_arguments
from workers.training.style_transfer import export
from workers.training.style_transfer.data import Pictures, picture_tensor
from workers.training.style_transfer.losses import CONTENT_LAYER, STYLE_LAYERS, transfer_losses, weighted
from workers.training.style_transfer.style_space import StyleStatistics, stacked
from workers.training.style_transfer.train import contents, save_samples

SHEET_STYLES = (0, 5, 6, 8, 10, 12, 21, 29)
AVERAGE = 0.998
"""Decay of the running average of weights; not tuned."""
CLIP = 5.0
"""Largest norm of a gradient; not tuned."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m workers.training restyle-together``."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/restyle-together", 60, seed=11, plan=True, always_resumes=True)
    parser.add_argument("--start-from", type=Path, help="weights folder of the first stages")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=8, help="residual blocks of the transfer network")
    parser.add_argument("--sizes", type=int, nargs=2, default=(112, 160), help="px of content crops")
    parser.add_argument("--turn", type=float, default=0.6, help="when the size changes, 0..1")
    parser.add_argument("--style-size", type=int, default=192, help="px of style crops")
    parser.add_argument("--style-short", type=int, default=256, help="short side of the styles, px")
    parser.add_argument("--lr", type=float, default=1.2e-3)
    parser.add_argument("--content-weight", type=float, default=0.25)
    parser.add_argument("--tv-weight", type=float, default=0.15)
    parser.add_argument("--famous", type=float, default=0.3, help="share of famous styles")
    parser.add_argument("--paintings", type=int, default=4500, help="paintings held in memory")
    parser.add_argument("--pool", type=int, default=2500, help="style crops held in memory")
    parser.add_argument("--export", type=Path, help="only export the checkpoint to this weights folder")


def begin(folder: Path, blocks: int) -> StyleTransferNet:
    """The network of a weights folder with ``blocks`` residual blocks, the new ones close to the identity.

    Raises ValueError or RuntimeError for weights of other sizes.
    """
    config = dict(weights.load_card(folder)["config"])
    config.pop("styles")
    net = StyleTransferNet(
        StyleTransferConfig.from_dict(config | {"blocks": max(blocks, int(config["blocks"]))})
    )
    tensors = load_file(folder / weights.MODEL_FILE)
    del tensors["style_codes"]
    missing, unexpected = net.load_state_dict(tensors, strict=False)
    if unexpected or any(not name.startswith("painter.blocks.") for name in missing):
        raise ValueError(f"{folder}: not a style transfer network of these sizes")
    for block in list(net.painter.blocks)[int(config["blocks"]) :]:
        assert isinstance(block, Residual)
        with torch.no_grad():
            affine = block.second.norm.affine
            affine.weight.mul_(0.1)
            affine.bias[: block.second.norm.channels].fill_(-1)  # a scale of 1 + -1
    return net


class StylePool:
    """Crops (1, 3, S, S) and their statistics; grows up to ``most``, then replaces the oldest."""

    def __init__(self, pictures: Pictures, teacher: Teacher, size: int, famous: float, most: int) -> None:
        self.pictures, self.teacher, self.size, self.famous, self.most = pictures, teacher, size, famous, most
        self.crops: list[torch.Tensor] = []
        self.targets: list[dict[str, StyleStatistics]] = []
        self._next = 0

    def _crop(self) -> torch.Tensor:
        random = self.pictures.random
        famous = float(torch.rand((), generator=random)) < self.famous
        pool: Any = self.pictures.famous if famous else self.pictures.paintings
        picture = pool[int(torch.randint(len(pool), (), generator=random))]
        if not famous:
            picture = picture_tensor(picture)
        crop = self.pictures.crop(picture, self.size, self.size / min(picture.shape[2:]))
        return crop.to(self.teacher.mean.device, memory_format=torch.channels_last)

    @torch.no_grad()
    def renew(self, count: int) -> None:
        """Take ``count`` crops in, in place of the oldest when it is full."""
        for _ in range(count):
            crop = self._crop()
            target = {
                name: StyleStatistics.of(features, name).halved()
                for name, features in self.teacher(crop, STYLE_LAYERS).items()
            }
            if len(self.crops) < self.most:
                self.crops.append(crop)
                self.targets.append(target)
            else:
                self.crops[self._next], self.targets[self._next] = crop, target
                self._next = (self._next + 1) % self.most

    def draw(self, count: int) -> tuple[torch.Tensor, dict[str, StyleStatistics]]:
        """(count, 3, S, S) and their statistics by layer."""
        chosen = torch.randint(len(self.crops), (count,), generator=self.pictures.random).tolist()
        targets = {name: stacked([self.targets[number][name] for number in chosen]) for name in STYLE_LAYERS}
        return torch.cat([self.crops[number] for number in chosen]), targets


class JointTrainer(Trainer):
    """The whole network, averaged weights and the optimiser of everything."""

    def __init__(
        self,
        net: StyleTransferNet,
        arguments: argparse.Namespace,
        setup: Setup,
        pictures: Pictures,
        teacher: Teacher,
    ) -> None:
        self.arguments, self.setup, self.pictures, self.teacher = arguments, setup, pictures, teacher
        self.net = setup.place(net)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=arguments.lr, betas=(0.9, 0.99))
        self.parts = {"net": self.net, "average": self.average, "optimiser": self.optimiser}
        self.pool = StylePool(pictures, teacher, arguments.style_size, arguments.famous, arguments.pool)
        self.pool.renew(40 * arguments.batch)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"config": self.net.config.as_dict()}

    def step(self, progress: Progress) -> Figures:
        """One batch; the rate rises shortly and falls linearly to 3 %."""
        arguments, done = self.arguments, progress.share
        set_rate(self.optimiser, arguments.lr * min(1.0, done / 0.02 + 0.1, max(0.03, (1 - done) / 0.7)))
        content = self.pictures.contents(arguments.batch, arguments.sizes[done >= arguments.turn])
        content = content.to(self.setup.device, memory_format=torch.channels_last)
        self.pool.renew(1)
        style, wanted = self.pool.draw(arguments.batch)
        with torch.no_grad():
            kept = self.teacher(content, (CONTENT_LAYER,))[CONTENT_LAYER]
        with self.setup.autocast():
            painted = self.net(content, self.net.encode(style))
        painted = painted.float()
        losses = transfer_losses(painted, self.teacher(painted, STYLE_LAYERS), wanted, kept, STYLE_LAYERS)
        take_step(weighted(losses, arguments.content_weight, arguments.tv_weight), self.optimiser, CLIP)
        update_average(self.average, self.net, decay_at(progress.step, AVERAGE, 10))
        return losses

    @torch.no_grad()
    def sheet(self, folder: Path, step: int) -> None:
        """What the averaged network makes of three photographs in eight famous styles."""
        famous = self.pictures.famous
        styles = [famous[number % len(famous)].to(self.setup.device) for number in SHEET_STYLES]
        codes = [self.average.encode(style) for style in styles]
        rows = [[self.average(one, code) for code in codes] for one in contents(256, self.setup.device)]
        save_samples(folder, step, rows)


def train(arguments: argparse.Namespace) -> None:
    """Train until the time is over. Raises ValueError when there is nothing to begin with."""
    setup = prepare(arguments)
    run = TrainingRun(
        arguments.out, arguments.minutes, plan_minutes=arguments.plan_minutes or arguments.minutes
    )
    saved = run.restore(setup.device)
    if saved is not None:
        net = StyleTransferNet(StyleTransferConfig.from_dict(saved["config"]))
    elif arguments.start_from is not None:
        net = begin(arguments.start_from, arguments.blocks)
        run.continues(int(weights.load_card(arguments.start_from)["steps"]), 0.0)
    else:
        raise ValueError("--start-from is needed when the run folder has no checkpoint")
    setup.reseed(run.step)
    pictures = Pictures(arguments.data, arguments.paintings, setup.generator, short=arguments.style_short)
    trainer = JointTrainer(net, arguments, setup, pictures, setup.place(Teacher(arguments.data)))
    if saved is not None:
        trainer.load_state_dict(saved)
    run_training(run, trainer, sheet_every=1000)


def load_average(folder: Path) -> tuple[StyleTransferNet, int]:
    """The averaged network and the step of a run folder."""
    saved = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    net = StyleTransferNet(StyleTransferConfig.from_dict(saved["state"]["config"]))
    net.load_state_dict(saved["state"]["average"])
    return net.eval().requires_grad_(False), int(saved["step"])


def main(arguments: argparse.Namespace) -> None:
    """Train, or export the newest checkpoint."""
    if arguments.export is not None:
        net, step = load_average(arguments.out)
        codes = export.encoded_codes(net, data.styles(arguments.data))
        export.write(net, codes, step, arguments.data, arguments.export)
    else:
        train(arguments)
