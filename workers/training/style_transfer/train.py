"""Train the style transfer network against the SqueezeNet teacher (Johnson et al. 2016; Ghiasi et al. 2017).

Style: Gram matrices, means and deviations of six layers; content: fire5; total variation against noise.
Contents are photographs and paintings, styles are paintings and the famous ones, which are drawn more
often. The painter learns from codes of the teacher's style space; ``--encoder`` then teaches the encoder
to predict them from the pictures alone, so that no teacher is needed to paint.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from workers import device as devices
from workers import images
from workers.nets.style_transfer import Restyler, RestylerConfig
from workers.training.common import data
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import CHECKPOINT, TrainingRun, seed_everything
from workers.training.style_transfer.style_space import StyleBank, StyleSpace, Target

Module = TypeVar("Module", bound=nn.Module)

STYLE_LAYERS = ("conv1", "fire2", "fire4", "fire5", "fire6", "fire7")
# Their Gram matrices cost a fifth of a step; fire5 and fire7 are much like their neighbours.
GRAM_LAYERS = ("conv1", "fire2", "fire4", "fire6")
CONTENT_LAYER = "fire5"
OWN_CODES = 0.35  # share of the schedule after which the encoder's codes are painted from too
SAMPLES = ("astronaut", "coffee", "chelsea", "rocket")

GPU_RECIPE = (
    "On a GPU: --width 2 --batch 16 --sizes 128 192 256 --lr 0.0007 --minutes 120. The loop and the "
    "losses are the same; the network runs in bfloat16 there and the losses in float32."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m workers.training restyle``."""
    parser.epilog = GPU_RECIPE
    parser.add_argument("--data", type=Path, required=True, help="the training data folder")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/restyle"), help="run folder; goes on from its checkpoint"
    )
    parser.add_argument("--minutes", type=float, default=60, help="time of this call")
    parser.add_argument("--plan-minutes", type=float, help="length of the schedule (default: --minutes)")
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--bank", type=int, default=900, help="paintings, beside the famous, to learn from")
    parser.add_argument("--views", type=int, default=8, help="crops of each famous painting")
    parser.add_argument("--encoder", action="store_true", help="train the encoder of the run in --out")
    parser.add_argument(
        "--sizes", type=int, nargs=3, default=(96, 128, 192), help="px of content crops, in turn"
    )
    parser.add_argument(
        "--turns", type=float, nargs=2, default=(0.45, 0.85), help="when the size changes, 0..1"
    )
    parser.add_argument(
        "--style-size", type=int, default=144, help="px of style crops: they cost only a look"
    )
    parser.add_argument("--width", type=float, default=1.0, help="multiplies every channel count")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--content-weight", type=float, default=0.25)
    parser.add_argument("--tv-weight", type=float, default=0.15)
    parser.add_argument("--famous", type=float, default=0.5, help="share of famous styles")
    parser.add_argument("--paintings", type=int, default=4000, help="paintings held in memory")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--export", type=Path, help="only export the checkpoint to this weights folder")


class Pictures:
    """Contents and styles in memory, and random crops of them. Everything it returns is in [-1, 1]."""

    def __init__(
        self, folder: Path, count: int, random: torch.Generator, contents: bool = True, short: int = 192
    ) -> None:
        """``count`` paintings of ``short`` px, and the photographs unless there are to be no ``contents``.

        Above 192 px only the large paintings are taken: no others have so many.
        """
        self.random = random
        photos = [entry for entry in data.photos(folder) if not data.is_validation(entry[1])]
        paintings = [p for p in data.paintings(folder) if not data.is_validation(p.file)]
        if short > 192:
            paintings = [p for p in paintings if "large" in p.shard] or paintings
        rows = [(p.shard, p.file) for p in paintings]
        chosen = torch.randperm(len(rows), generator=random)[:count].tolist()
        self.photos = data.load_squares(folder, photos if contents else [], 224)
        self.paintings = data.load_squares(folder, [rows[i] for i in chosen], short)
        self.famous = [famous_tensor(entry.path, max(256, short)) for entry in data.styles(folder)]

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.random))

    def _integer(self, below: int) -> int:
        return int(torch.randint(below, (), generator=self.random))

    def crop(self, picture: torch.Tensor, size: int, least: float) -> torch.Tensor:
        """A random square of (1, 3, H, W), ``least`` to all of its short side, resized to ``size`` px."""
        height, width = picture.shape[2:]
        side = round(min(height, width) * self._uniform(least, 1))
        top, left = self._integer(height - side + 1), self._integer(width - side + 1)
        part = picture[:, :, top : top + side, left : left + side]
        if self._integer(2):
            part = part.flip(3)
        return F.interpolate(part, (size, size), mode="bilinear", antialias=True, align_corners=False)

    def contents(self, count: int, size: int) -> torch.Tensor:
        """(count, 3, size, size): three photographs for each painting."""
        found = []
        for _ in range(count):
            pool = self.photos if self._integer(4) else self.paintings
            picture = _tensor(pool[self._integer(len(pool))])
            # Never enlarged: a blurred content would teach it to draw blurred.
            found.append(self.crop(picture, size, max(0.45, min(0.95, size / picture.shape[2]))))
        return torch.cat(found)

    def style(self, size: int) -> torch.Tensor:
        """(1, 3, size, size): a crop of some painting, one in six of a famous one."""
        famous = self._integer(6) == 0
        if famous:
            return self.crop(self.famous[self._integer(len(self.famous))], size, 0.55)
        return self.crop(_tensor(self.paintings[self._integer(len(self.paintings))]), size, 0.55)


def famous_tensor(path: Path, short: int) -> torch.Tensor:
    """A picture with its short side at ``short`` px: (1, 3, H, W)."""
    with Image.open(path) as picture:
        scale = short / min(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        return images.to_tensor(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def _tensor(picture: np.ndarray[Any, np.dtype[np.uint8]]) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float().div_(127.5).sub_(1)


def _softened(error: torch.Tensor) -> torch.Tensor:
    # Quadratic near the target, linear far from it: one dark style must not drown the others.
    return error / (1 + error).sqrt()


def style_loss(
    found: dict[str, torch.Tensor], wanted: dict[str, Target], pairs: Sequence[str] = GRAM_LAYERS
) -> torch.Tensor:
    """Mean over the batch of the layers' relative errors in mean, deviation and, of ``pairs``, Gram."""
    errors = []
    for name, target in wanted.items():
        ours = Target.of(found[name], name, pairs=name in pairs)
        moments = (ours.mean - target.mean).pow(2).sum(1) + (ours.deviation - target.deviation).pow(2).sum(1)
        errors.append(_softened(moments / (target.mean.pow(2).sum(1) + target.deviation.pow(2).sum(1))))
        if name in pairs:
            products = (ours.gram - target.gram).pow(2).sum((1, 2)) / target.gram.pow(2).sum((1, 2))
            errors.append(_softened(products))
    return torch.stack(errors).sum(0).mean()


def content_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared difference over mean square, per picture, mean over the batch."""
    a, b = found.float(), wanted.float()
    return ((a - b).pow(2).mean((1, 2, 3)) / b.pow(2).mean((1, 2, 3))).mean()


def variation(image: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of neighbours, across and down."""
    return image.diff(dim=2).abs().mean() + image.diff(dim=3).abs().mean()


def fast(module: Module, device: torch.device) -> Module:
    """On ``device``, channels last: a quarter faster than the default layout on a CPU."""
    return module.to(device).to(memory_format=torch.channels_last)


class Trainer:
    """Network, averaged weights, the space of codes, the painter's optimiser."""

    def __init__(self, arguments: argparse.Namespace, device: torch.device) -> None:
        self.device = device
        self.config = scaled_config(arguments.width)
        self.net = fast(Restyler(self.config), device)
        self.average = fast(Restyler(self.config), device)
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


def scaled_config(width: float) -> RestylerConfig:
    """The shipped configuration with every channel count multiplied by ``width``."""
    base = RestylerConfig()

    def scale(value: int) -> int:
        return max(8, round(value * width / 8) * 8)

    half, quarter, eighth = (scale(w) for w in base.widths)
    a, b, c, d = (scale(w) for w in base.style_widths)
    return RestylerConfig(
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
    crops += [pictures.crop(_tensor(picture), size, 0.6) for picture in pictures.paintings[: arguments.bank]]
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


def sample_pictures(longest: int) -> list[Image.Image]:
    """Public-domain sample photographs of scikit-image."""
    import skimage.data

    found = [Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in SAMPLES]
    return [images.shrink(picture, longest) for picture in found]


@torch.no_grad()
def famous_code(net: Restyler, space: StyleSpace, teacher: Teacher, picture: torch.Tensor) -> torch.Tensor:
    """The full code (1, code_size) of a whole style picture (1, 3, H, W), from the teacher's statistics."""
    colours = net.encode(picture)[:, net.config.code :]
    return torch.cat([space(teacher(picture, STYLE_LAYERS)), colours], 1)


@torch.no_grad()
def sample_sheet(trainer: Trainer, teacher: Teacher, pictures: Pictures, size: int = 192) -> Image.Image:
    """What the averaged weights do now: three photographs, eight famous styles, the last three encoded."""
    net, tiles = trainer.average, []
    styles = [pictures.famous[i].to(trainer.device) for i in (0, 5, 6, 8, 10, 0, 12, 21)]
    codes = [famous_code(net, trainer.space, teacher, style) for style in styles[:5]]
    codes += [net.encode(style) for style in styles[5:]]
    for picture in sample_pictures(512)[:3]:
        content = images.to_tensor(data.square(picture, size)).to(trainer.device)
        tiles += [images.to_image(net(content, code)) for code in codes]
    return images.contact_sheet(tiles, 8)


def load_checkpoint(folder: Path) -> tuple[Restyler, StyleSpace, int]:
    """The averaged network, the space of codes and the step of a run folder."""
    saved = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    state: dict[str, Any] = saved["state"]
    net = Restyler(RestylerConfig.from_dict(state["config"]))
    net.load_state_dict(state["average"])
    space = StyleSpace(STYLE_LAYERS, net.config.code)
    space.load_state_dict(state["space"])
    return net.eval().requires_grad_(False), space, int(saved["step"])


def main(arguments: argparse.Namespace) -> None:
    """Train the painter or the encoder, or export the newest checkpoint."""
    if arguments.export is not None:
        from workers.training.style_transfer import export

        export.export(arguments.out, arguments.data, arguments.export)
    elif arguments.encoder:
        from workers.training.style_transfer import train_encoder

        train_encoder.train_encoder(arguments)
    else:
        train(arguments)
