"""``python -m workers.training restyle-together``: teach painter and encoder of ``restyle`` as one network.

The first two stages teach the painter from the teacher's codes and the encoder to guess those codes. Here
both go on together from exported weights: a style is only ever known by what the encoder makes of it, as in
the engine, so that the painter learns to live with its guesses. Residual blocks that the weights do not have
yet begin as nothing beside their shortcut.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from workers import device as devices
from workers import images, weights
from workers.nets.style_transfer import Residual, StyleTransferConfig, StyleTransferNet
from workers.training.common import data
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import CHECKPOINT, TrainingRun, seed_everything
from workers.training.style_transfer import export
from workers.training.style_transfer.data import Pictures, picture_tensor
from workers.training.style_transfer.losses import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    content_loss,
    style_loss,
    variation,
)
from workers.training.style_transfer.style_space import Target
from workers.training.style_transfer.train import Tally, fast

SAMPLE_STYLES = (0, 5, 6, 8, 10, 12, 21, 29)

GPU_RECIPE = "On a GPU: --batch 16 --sizes 192 256 --minutes 120."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m workers.training restyle-together``."""
    parser.epilog = f"{__doc__} {GPU_RECIPE}"
    parser.add_argument("--data", type=Path, required=True, help="the training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/restyle-together"), help="run folder")
    parser.add_argument("--start-from", type=Path, help="weights folder of the first stages")
    parser.add_argument("--minutes", type=float, default=60, help="time of this call")
    parser.add_argument("--plan-minutes", type=float, help="length of the schedule (default: --minutes)")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--blocks", type=int, default=8, help="residual blocks of the painter")
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
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--export", type=Path, help="only export the checkpoint to this weights folder")


def begin(folder: Path, blocks: int) -> StyleTransferNet:
    """The network of a weights folder with ``blocks`` residual blocks, the new ones without effect yet."""
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
    """Crops (1, 3, S, S) and what the teacher has to see in them; grows up to ``most``, then renews itself.

    Gram matrices are kept in half precision, 0.9 MB a crop.
    """

    def __init__(self, pictures: Pictures, teacher: Teacher, size: int, famous: float, most: int) -> None:
        self.pictures, self.teacher, self.size, self.famous, self.most = pictures, teacher, size, famous, most
        self.crops: list[torch.Tensor] = []
        self.targets: list[dict[str, Target]] = []
        self._next = 0

    @torch.no_grad()
    def renew(self, count: int) -> None:
        """Take ``count`` crops in, in place of the oldest when it is full."""
        random = self.pictures.random
        for _ in range(count):
            famous = float(torch.rand((), generator=random)) < self.famous
            pool: Any = self.pictures.famous if famous else self.pictures.paintings
            picture = pool[int(torch.randint(len(pool), (), generator=random))]
            if not famous:
                picture = picture_tensor(picture)
            crop = self.pictures.crop(picture, self.size, self.size / min(picture.shape[2:]))
            crop = crop.to(self.teacher.mean.device, memory_format=torch.channels_last)
            target = {}
            for name, features in self.teacher(crop, STYLE_LAYERS).items():
                full = Target.of(features, name)
                target[name] = Target(full.gram.half(), full.mean, full.deviation)
            if len(self.crops) < self.most:
                self.crops.append(crop)
                self.targets.append(target)
            else:
                self.crops[self._next], self.targets[self._next] = crop, target
                self._next = (self._next + 1) % self.most

    def draw(self, count: int) -> tuple[torch.Tensor, dict[str, Target]]:
        """(count, 3, S, S) and their targets."""
        chosen = torch.randint(len(self.crops), (count,), generator=self.pictures.random).tolist()
        wanted = {}
        for name in STYLE_LAYERS:
            entries = [self.targets[number][name] for number in chosen]
            wanted[name] = Target(
                torch.cat([entry.gram for entry in entries]).float(),
                torch.cat([entry.mean for entry in entries]),
                torch.cat([entry.deviation for entry in entries]),
            )
        return torch.cat([self.crops[number] for number in chosen]), wanted


class Trainer:
    """Network, averaged weights and the optimiser of everything."""

    def __init__(self, net: StyleTransferNet, lr: float, device: torch.device) -> None:
        self.net = fast(net, device)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.lr = lr
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=lr, betas=(0.9, 0.99))

    def state(self) -> dict[str, Any]:
        """Everything that ``load`` needs."""
        return {
            "config": self.net.config.as_dict(),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        for name, part in (("net", self.net), ("average", self.average), ("optimiser", self.optimiser)):
            part.load_state_dict(state[name])

    def rate(self, done: float) -> None:
        """Learning rate at the share ``done`` of the schedule: a short rise, then linear down to 3 %."""
        rate = self.lr * min(1.0, done / 0.02 + 0.1, max(0.03, (1 - done) / 0.7))
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def follow(self, step: int) -> None:
        """Moving average of the weights, short at first."""
        keep = min(0.998, step / (step + 10))
        ours: list[torch.Tensor] = list(self.average.parameters())
        torch._foreach_lerp_(ours, [p.detach() for p in self.net.parameters()], 1 - keep)

    def step(
        self,
        teacher: Teacher,
        content: torch.Tensor,
        style: torch.Tensor,
        wanted: dict[str, Target],
        arguments: argparse.Namespace,
    ) -> dict[str, float]:
        """Teach one batch; returns the losses."""
        kind = content.device.type
        with torch.no_grad():
            kept = teacher(content, (CONTENT_LAYER,))[CONTENT_LAYER]
        with torch.autocast(kind, torch.bfloat16, enabled=kind == "cuda"):
            painted = self.net(content, self.net.encode(style))
        painted = painted.float()
        found = teacher(painted, STYLE_LAYERS)
        errors = {
            "style": style_loss(found, wanted, STYLE_LAYERS),
            "content": content_loss(found[CONTENT_LAYER], kept),
            "tv": variation(painted),
            "outside": (painted.abs() - 1).clamp_min(0).pow(2).mean(),
        }
        shares = {"content": arguments.content_weight, "tv": arguments.tv_weight, "outside": 10.0}
        loss = torch.stack([shares.get(name, 1.0) * error for name, error in errors.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        return {name: float(error.detach()) for name, error in errors.items()}


@torch.no_grad()
def sheet(net: StyleTransferNet, pictures: Pictures, size: int = 256) -> Image.Image:
    """What the network makes of three photographs in eight famous styles."""
    device = next(net.parameters()).device
    tiles = []
    for picture in data.sample_pictures(512)[:3]:
        content = images.to_tensor(data.square(picture, size)).to(device)
        for number in SAMPLE_STYLES:
            style = pictures.famous[number % len(pictures.famous)].to(device)
            tiles.append(images.to_image(net(content, net.encode(style))))
    return images.contact_sheet(tiles, len(SAMPLE_STYLES))


def train(arguments: argparse.Namespace) -> None:
    """Train until the time is over."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    random = seed_everything(arguments.seed)
    run = TrainingRun(arguments.out, arguments.minutes)
    saved = run.restore(device)
    if saved is not None:
        net = StyleTransferNet(StyleTransferConfig.from_dict(saved["config"]))
    elif arguments.start_from is not None:
        net = begin(arguments.start_from, arguments.blocks)
        run.continues(int(weights.load_card(arguments.start_from)["steps"]), 0.0)
    else:
        raise ValueError("--start-from is needed when the run folder has no checkpoint")
    trainer = Trainer(net, arguments.lr, device)
    if saved is not None:
        trainer.load(saved)
    random.manual_seed(arguments.seed + run.step)
    pictures = Pictures(arguments.data, arguments.paintings, random, short=arguments.style_short)
    teacher = fast(Teacher(arguments.data), device)
    pool = StylePool(pictures, teacher, arguments.style_size, arguments.famous, arguments.pool)
    pool.renew(40 * arguments.batch)
    tally = Tally(run)
    plan = 60 * (arguments.plan_minutes or arguments.minutes)
    while run.running():
        done = run.elapsed / plan
        trainer.rate(done)
        size = arguments.sizes[done >= arguments.turn]
        content = pictures.contents(arguments.batch, size).to(device, memory_format=torch.channels_last)
        pool.renew(1)
        values = trainer.step(teacher, content, *pool.draw(arguments.batch), arguments)
        trainer.follow(run.step)
        run.step += 1
        tally.add(values)
        if run.step == 100 or run.step % 1000 == 0:
            sheet(trainer.average, pictures).save(run.folder / f"sample-{run.step:06d}.jpg", quality=88)
        if run.due():
            run.save(trainer.state())
    run.save(trainer.state())


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
