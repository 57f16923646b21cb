"""``python -m workers.training upscaler``: train the network that doubles pictures.

Pairs are a piece of a picture and the same made small and, half of the time, worse (``degrade``): by two,
or by four, where the network runs twice and learns to live with what it made itself. The losses are the
pixels, the teacher's features and a discriminator of texture; how much the last two count follows the
``texture`` that the network was told. Once ``--painter`` names a generator's checkpoint a quarter of each
batch are its own pictures, which have no large original: there the discriminator judges, and the result
made small again must remain the picture it was. Photographs and large style pictures are learned from too.

On a GPU: ``--minutes 120 --batch 64 --channels 96 --blocks 12 --crop 128``.
"""

from __future__ import annotations

import argparse
import copy
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from workers import device as devices
from workers.images import contact_sheet, to_images
from workers.nets.filters import softened
from workers.nets.generator import Generator, GeneratorConfig, draw_many, without_frame
from workers.nets.upscaler import TEXTURE, Upscaler, UpscalerConfig, draw_noise, enlarge
from workers.training.common.curves import draw_curves
from workers.training.common.data import is_validation, load_squares, paintings
from workers.training.common.perceptual_distance import LAYERS, distance, perceptual_distance
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import TrainingRun, seed_everything
from workers.training.upscaler.degradation import degrade, halved
from workers.training.upscaler.discriminator import TextureJudge
from workers.training.upscaler.grid_loss import pattern, steepness
from workers.training.upscaler.patches import SMALLEST, Pieces, crops

ADVERSARY = 0.6
"""Size of the discriminator's pull on the pixels beside that of all other losses, at texture 1."""
PERCEPTUAL = (0.01, 0.1)
"""Weight of the teacher's features where the texture is 0, and how much more it is at 1.

Their pull on a pixel is about 28 times that of the pixels' own loss: more of it, and blocks are sharp enough.
"""
LATTICE = (0.1, 0.05)
"""Weights of the two losses against the small picture's grid; each pulls about as much as the pixels."""
WINDOW = 48
"""Side of the part of each piece that the teacher sees, twice as large: its strides are too long for
brushwork, and what it cannot see, such as steps of four pixels along an edge, would be drawn."""
PLAIN = 1800
"""Steps with nothing but pixels: they are quick, and until edges are followed blocks please the teacher."""
ALONE = 2000
"""Steps without a discriminator; in the next few hundred it comes in."""
COME_IN = 300
DECAY = 0.998
VALIDATION = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``upscaler`` command."""
    parser.epilog = __doc__
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/paint-upscaler"), help="run folder")
    parser.add_argument(
        "--painter", type=Path, help="checkpoint.pt of a generator whose pictures to learn on"
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--batch", type=int, default=8, help="pieces per step, a multiple of 4")
    parser.add_argument("--crop", type=int, default=96, help="side of a piece, px, a multiple of 8")
    parser.add_argument("--channels", type=int, default=UpscalerConfig().channels)
    parser.add_argument("--blocks", type=int, default=UpscalerConfig().blocks)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--pictures", type=int, default=4000, help="how many paintings to hold in memory")
    parser.add_argument("--check-every", type=float, default=5, help="minutes between sheets")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--seed", type=int, default=1)


class Generated:
    """A pool of a generator's pictures, softened as they are before they are enlarged, renewed as we go."""

    def __init__(self, checkpoint: Path, count: int = 256) -> None:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state"]
        self.painter = Generator(GeneratorConfig.from_card(state["config"])).eval().requires_grad_(False)
        self.painter.load_state_dict(state["average"])
        self.conditions = state["conditions"]
        self.pool = torch.cat([self._make(16) for _ in range(count // 16)])

    @torch.no_grad()
    def _make(self, count: int) -> torch.Tensor:
        condition = self.conditions[torch.randint(len(self.conditions), (count,))].float()
        made = without_frame(self.painter(condition, draw_many(self.painter.config, count)))
        if not self.painter.config.soft:
            made = softened(made)
        return made.add(1).mul(127.5).round().to(torch.uint8)

    def renew(self, count: int = 2) -> None:
        """Replace ``count`` pictures of the pool."""
        self.pool[torch.randint(len(self.pool), (count,))] = self._make(count)


class Trainer:
    """The network, its running average, the judge and their optimisers; a ``step`` updates both."""

    def __init__(
        self,
        config: UpscalerConfig,
        teacher: Teacher,
        pieces: Pieces,
        *,
        device: torch.device,
        rate: float = 8e-4,
        batch: int = 8,
        crop: int = 96,
        generated: Generated | None = None,
    ) -> None:
        self.teacher, self.pieces, self.generated = teacher, pieces, generated
        self.device, self.batch, self.crop = device, batch, crop
        self.own = batch // 4 if generated else 0
        self.learned_own = generated is not None
        self.net = Upscaler(config).to(device)
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.judge = TextureJudge().to(device)
        self.of_net = torch.optim.Adam(self.net.parameters(), rate, (0.8, 0.99))
        self.of_judge = torch.optim.Adam(self.judge.parameters(), rate, (0.0, 0.99))
        self.last: tuple[torch.Tensor, torch.Tensor] | None = None

    def parts(self) -> dict[str, Any]:
        """What a checkpoint holds."""
        return {
            "net": self.net,
            "average": self.average,
            "judge": self.judge,
            "of_net": self.of_net,
            "of_judge": self.of_judge,
        }

    def state(self) -> dict[str, Any]:
        """For :meth:`load`; ``config`` rebuilds the network, ``own``: it has seen a generator's pictures."""
        states = {name: part.state_dict() for name, part in self.parts().items()}
        return states | {"config": self.net.config.to_card(), "own": self.learned_own}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state`."""
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.learned_own |= bool(state.get("own"))

    def calibrate(self, generator: torch.Generator) -> None:
        """Fit the judge's scales to real pieces, once before the first step."""
        self.judge.calibrate(self.seen(self._real(self.batch, generator)))

    def _real(self, count: int, generator: torch.Generator) -> torch.Tensor:
        return self.pieces.draw(count, self.crop, generator).to(self.device)

    def _double(self, x: torch.Tensor, texture: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        noise = torch.randn(len(x), 1, *x.shape[-2:], generator=generator).to(x.device)
        doubled: torch.Tensor = self.net(x, noise, texture)
        return doubled

    def _sources(self, target: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """What the network gets: pieces a quarter as large as ``target`` (first half) and half as large.

        Behind the pairs of each kind come the generator's own pieces.
        """
        pairs = len(target) // 2
        quarter = degrade(target[:pairs], generator, 4)
        half = degrade(target[pairs:], generator, 2)
        if self.generated is None:
            return quarter, half
        self.generated.renew()
        few = self.own // 2
        small = crops(self.generated.pool, few, self.crop // 4, generator).to(self.device)
        large = crops(self.generated.pool, self.own - few, self.crop // 2, generator).to(self.device)
        return torch.cat([quarter, small]), torch.cat([half, large])

    def step(self, step: int, generator: torch.Generator) -> dict[str, float]:
        """One update of the judge and of the network; returns the losses."""
        count = self.batch - self.own
        target = self._real(count, generator)
        quarter, half = self._sources(target, generator)
        pairs, own = count // 2, self.own // 2
        texture = torch.rand(self.batch, generator=generator) * 1.25 - 0.25
        texture = texture.clamp_min(0).to(self.device)
        middle = self._double(quarter, texture[: len(quarter)], generator)
        made = self._double(torch.cat([middle, half]), texture, generator)
        # Pairs first and in the target's order, then the generator's own.
        order = [*range(pairs), *range(pairs + own, pairs + own + count - pairs)]
        order += [*range(pairs, pairs + own), *range(own + count, self.batch)]
        made, texture = made[order], texture[order]

        of_middle = 0.5 * (middle[:pairs] - halved(target[:pairs])).abs().mean()
        pixels = (made[:count] - target).abs().mean()
        kept = self._kept(made[count:], quarter[pairs:], half[count - pairs :])
        steps, cells = steepness(made), pattern(made)
        values = {"pixels": pixels, "kept": kept, "steps": steps, "cells": cells}
        loss = pixels + kept + LATTICE[0] * steps + LATTICE[1] * cells
        pull = torch.zeros_like(made)
        if step >= PLAIN:
            window, true = self._windows(made, target, generator)
            found = self.seen(window)
            with torch.no_grad():
                known = self.seen(true)
            apart = distance({layer: x[:count] for layer, x in found.items()}, known)
            weight = PERCEPTUAL[0] + PERCEPTUAL[1] * texture[:count]
            loss = loss + (weight * apart).mean()
            values["apart"] = apart.mean()
            if step >= ALONE:
                real, real_pixels = self._others(known, true, generator)
                values |= self._teach_judge(real, real_pixels, found, window, texture)
                pull = self._pull(found, window, made, texture)
        (wanted,) = torch.autograd.grad(loss, made)
        # The judge's gradients grow and shrink as it learns: what counts is their share (Esser et al. 2021).
        share = ADVERSARY * min(1.0, max(0.0, (step - ALONE) / COME_IN))
        pull = pull * (share * wanted.norm() / pull.norm().clamp_min(1e-12))
        self.of_net.zero_grad(set_to_none=True)
        torch.autograd.backward([made, of_middle], [wanted + pull, None])
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.of_net.step()
        self._follow(min(DECAY, (step + 1) / (step + 20)))
        return {name: float(value.detach()) for name, value in values.items()}

    def _pull(
        self, found: dict[str, torch.Tensor], window: torch.Tensor, made: torch.Tensor, texture: torch.Tensor
    ) -> torch.Tensor:
        """Where the judge would like each pixel of ``made`` to go."""
        self.judge.requires_grad_(False)
        score = torch.stack([logits.mean(1) for logits in self.judge(found, window)]).mean(0)
        # The teacher's pass is needed once more, for its own loss.
        (pull,) = torch.autograd.grad(-(texture * score).mean(), made, retain_graph=True)
        return pull

    def _windows(
        self, made: torch.Tensor, target: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The same random window of both."""
        side = min(WINDOW, self.crop)
        down, across = torch.randint(self.crop - side + 1, (2,), generator=generator).tolist()
        rows, columns = slice(down, down + side), slice(across, across + side)
        return made[..., rows, columns], target[..., rows, columns]

    def seen(self, window: torch.Tensor) -> dict[str, torch.Tensor]:
        """Teacher features of pictures (N, 3, H, W), looked at from near: at twice their size."""
        near = F.interpolate(window, scale_factor=2.0, mode="bicubic", align_corners=False)
        found: dict[str, torch.Tensor] = self.teacher(
            near.contiguous(memory_format=torch.channels_last), LAYERS
        )
        return found

    def _others(
        self, known: dict[str, torch.Tensor], true: torch.Tensor, generator: torch.Generator
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The real side of the judge's batch: the targets, and others opposite the generator's own."""
        if not self.own:
            return known, true
        others = self._real(self.own, generator)[..., : true.shape[-2], : true.shape[-1]]
        with torch.no_grad():
            found = self.seen(others)
        return {layer: torch.cat([known[layer], found[layer]]) for layer in LAYERS}, torch.cat([true, others])

    def _teach_judge(
        self,
        real: dict[str, torch.Tensor],
        real_pixels: torch.Tensor,
        found: dict[str, torch.Tensor],
        window: torch.Tensor,
        texture: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """One hinge update; pictures that were to invent nothing are not held against the network."""
        self.judge.requires_grad_(True)
        made = {layer: x.detach() for layer, x in found.items()}
        counts = (texture > 0).to(window)[:, None] / (texture > 0).sum().clamp_min(1)
        rights, falses, loss = [], [], window.new_zeros(())
        for right, false in zip(
            self.judge(real, real_pixels), self.judge(made, window.detach()), strict=True
        ):
            loss = loss + F.relu(1 - right).mean() + (F.relu(1 + false).mean(1, keepdim=True) * counts).sum()
            rights.append(right.detach().mean())
            falses.append((false.detach().mean(1, keepdim=True) * counts).sum())
        self.of_judge.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.of_judge.step()
        return {"right": torch.stack(rights).mean(), "false": torch.stack(falses).mean()}

    @staticmethod
    def _kept(made: torch.Tensor, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """How far the generator's own pictures are from what they were, the finest scale aside."""
        if not len(made):
            return made.new_zeros(())
        few = len(small)
        four = (F.avg_pool2d(made[:few], 8) - halved(small)).abs().mean()
        return four + (F.avg_pool2d(made[few:], 4) - halved(large)).abs().mean()

    @torch.no_grad()
    def _follow(self, decay: float) -> None:
        for kept, new in zip(self.average.parameters(), self.net.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)


@torch.no_grad()
def enlarged(net: Upscaler, small: torch.Tensor, passes: int, texture: float = TEXTURE) -> torch.Tensor:
    """Pictures (N, 3, H, W) doubled ``passes`` times, clamped, with noise that is always the same."""
    for number in range(passes):
        streams = [devices.generator(number, index) for index in range(len(small))]
        noise = draw_noise((small.shape[-2], small.shape[-1]), streams).to(small.device)
        small = enlarge(net, small, noise, texture).clamp(-1, 1)
    return small


class Check:
    """Some validation paintings at 4x: the distance as a share of bicubic's, and a sheet to look at."""

    def __init__(
        self, data: Path, teacher: Teacher, device: torch.device, generated: Generated | None
    ) -> None:
        rows = [r for r in paintings(data) if "large" in r.shard and is_validation(r.file)]
        rows = rows[:: max(1, len(rows) // VALIDATION)][:VALIDATION]
        squares = torch.from_numpy(load_squares(data, [(r.shard, r.file) for r in rows], 256))
        self.teacher = teacher
        self.true = squares.permute(0, 3, 1, 2).float().div(127.5).sub(1).to(device)
        self.small = F.avg_pool2d(self.true, 4)
        self.bicubic = bicubic(self.small, 4)
        self.base = perceptual_distance(teacher, self.bicubic, self.true).mean()
        self.own = None if generated is None else generated.pool[:4].float().div(127.5).sub(1).to(device)

    def __call__(self, net: Upscaler, folder: Path) -> float:
        """Draw ``folder/sheet.jpg``; return the share."""
        made = enlarged(net, self.small, 2)
        rows = [
            self.bicubic,
            enlarged(net, self.small, 2, 0.0),
            made,
            enlarged(net, self.small, 2, 1.0),
            self.true,
        ]
        tiles = to_images(torch.cat([row[..., 40:216, 40:216] for row in rows]))
        contact_sheet(tiles, VALIDATION).save(folder / "sheet.jpg", quality=92)
        if self.own is not None:
            pair = torch.cat([bicubic(self.own, 4), enlarged(net, self.own, 2)])
            contact_sheet(to_images(pair), len(self.own)).save(folder / "own.jpg", quality=92)
        return float(perceptual_distance(self.teacher, made, self.true).mean() / self.base)


def bicubic(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Enlarged by the usual filter, clamped: what every measure is compared with."""
    found = F.interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False)
    return found.clamp(-1, 1)


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    run = TrainingRun(arguments.out, arguments.minutes)
    generator = seed_everything(arguments.seed)
    teacher = Teacher(arguments.data).to(device)
    pieces = Pieces(arguments.data, arguments.pictures)
    generated = Generated(arguments.painter) if arguments.painter else None
    trainer = Trainer(
        UpscalerConfig(channels=arguments.channels, blocks=arguments.blocks),
        teacher,
        pieces,
        device=device,
        rate=arguments.rate,
        batch=arguments.batch,
        crop=max(SMALLEST, arguments.crop),
        generated=generated,
    )
    check = Check(arguments.data, teacher, device, generated)
    state = run.restore(device) if arguments.resume else None
    if state is not None:
        trainer.load(state)
        generator.manual_seed(arguments.seed + run.step)
    else:
        trainer.calibrate(generator)
    checked = begun = run.elapsed
    while run.running():
        # The last third of the budget is for settling.
        left = 1 - (run.elapsed - begun) / (arguments.minutes * 60)
        for optimiser in (trainer.of_net, trainer.of_judge):
            optimiser.param_groups[0]["lr"] = arguments.rate * min(1.0, max(0.1, 3 * left))
        losses = trainer.step(run.step, generator)
        run.step += 1
        if run.step % 50 == 0:
            run.log(**losses)
        if run.elapsed - checked > arguments.check_every * 60:
            checked = run.elapsed
            run.log(of_bicubic=check(trainer.average, arguments.out))
            draw_curves(arguments.out)
        if run.due():
            run.save(trainer.state())
    run.save(trainer.state())
    run.log(of_bicubic=check(trainer.average, arguments.out))
    draw_curves(arguments.out)
