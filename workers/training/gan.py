"""``python -m workers.training gan``: train the painting generator against a projected discriminator.

On two CPU cores about 80 minutes give composition and colour; start with ``--teacher-size 96`` (pictures
are judged at 96 px: quick, learns composition) and go on with ``--resume --teacher-size 128``.
On a GPU take a larger network and batch, for example
``--minutes 600 --batch 64 --teacher-size 128 --channels 768 512 384 256 128``.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from workers import device as devices
from workers.images import contact_sheet, to_images
from workers.nets.painter import Latents, Painter, PainterConfig, draw_many
from workers.training.augment import augment
from workers.training.captions import Captioned, load_views
from workers.training.metrics import Moments, frechet, pooled
from workers.training.projected import ProjectedDiscriminator
from workers.training.run import TrainingRun, seed_everything
from workers.training.teacher import Teacher

PIXELS = 64
"""Side of the piece that the judge looks at pixel by pixel."""
MARGIN = 12
"""Pictures are kept this much larger than the result, for random crops."""
WORDS_RATE = 4.0
AVERAGE = 0.996
"""Decay of the running average per step: a short training cannot afford a long memory."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much the parts of the losses count."""

    mismatch: float = 1.0
    diversity: float = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``gan`` command."""
    parser.epilog = __doc__
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--out", type=Path, default=Path("runs/paint"), help="run folder")
    parser.add_argument("--minutes", type=float, default=90)
    parser.add_argument("--resume", action="store_true", help="go on from the run folder's checkpoint")
    parser.add_argument("--batch", type=int, default=16, help="pictures per step, a multiple of 4")
    parser.add_argument("--teacher-size", type=int, default=96, help="side at which pictures are judged, px")
    parser.add_argument("--channels", type=int, nargs="+", default=[512, 256, 160, 80, 40])
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate of both networks")
    parser.add_argument("--compile", action="store_true", help="compile the painter (slow start)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--check-every", type=float, default=12, help="minutes between Frechet checks")
    parser.add_argument("--seed", type=int, default=1)


class Batches:
    """Endless random batches of training pictures with thinned captions."""

    def __init__(self, views: Captioned, size: int, batch: int, generator: torch.Generator) -> None:
        keep = np.flatnonzero(~views.validation)
        self.pictures = torch.from_numpy(views.pictures[keep])
        self.captions = torch.from_numpy(views.captions[keep])
        self.size, self.batch, self.generator = size, batch, generator

    def _thinned(self, captions: torch.Tensor) -> torch.Tensor:
        # Visitors write few words, captions have many: every share of them must be familiar.
        rates = torch.rand(len(captions), 1, generator=self.generator) ** 1.3
        return captions * (torch.rand(captions.shape, generator=self.generator) >= rates)

    def conditions(self) -> torch.Tensor:
        """Thinned captions (batch, K) for made pictures; the two halves are equal, for the diversity term."""
        chosen = torch.randint(len(self.captions), (self.batch // 2,), generator=self.generator)
        return self._thinned(self.captions[chosen]).repeat(2, 1)

    def real(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (batch, 3, S, S) in [-1, 1], their thinned captions, their whole captions."""
        chosen = torch.randint(len(self.captions), (self.batch,), generator=self.generator)
        top, left, flip = (int(torch.randint(MARGIN + 1, (), generator=self.generator)) for _ in range(3))
        window = self.pictures[chosen][:, top : top + self.size, left : left + self.size]
        x = window.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        whole = self.captions[chosen]
        return x.flip(3) if flip % 2 else x, self._thinned(whole), whole


def mismatched(thinned: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Other pictures' captions, and 1 where such a caption says something that the picture is not, else 0."""
    wrong = thinned.roll(1, 0)
    return wrong, ((wrong * (1 - whole)).sum(1) > 0).to(thinned.dtype)


def layout_distance(images: torch.Tensor) -> torch.Tensor:
    """(2N, 3, S, S) -> (N,): how differently the halves are laid out, apart from their mean colour."""
    small = F.adaptive_avg_pool2d(images.float(), 16)
    small = small - small.mean((2, 3), keepdim=True)
    first, second = small.chunk(2)
    return (first - second).abs().mean((1, 2, 3))


class Trainer:
    """The two networks, their optimisers and the running average; one ``step`` is one update of both."""

    def __init__(
        self,
        config: PainterConfig,
        teacher: Teacher,
        device: torch.device,
        rate: float,
        teacher_size: int,
        compiled: bool = False,
    ) -> None:
        self.device, self.teacher_size, self.weights = device, teacher_size, Weights()
        self.painter = Painter(config).to(device)
        self.run_painter: Callable[..., torch.Tensor] = self.painter
        if compiled:
            self.run_painter = torch.compile(self.painter)
        self.average = copy.deepcopy(self.painter).eval().requires_grad_(False)
        self.judge = ProjectedDiscriminator(teacher, len(config.words)).to(device)
        words = list(self.painter.embed.parameters())
        others = [p for name, p in self.painter.named_parameters() if not name.startswith("embed.")]
        # A word is seen in few batches: its embedding moves in larger steps.
        groups = [{"params": others, "lr": rate}, {"params": words, "lr": rate * WORDS_RATE}]
        self.of_painter = torch.optim.Adam(groups, rate, (0.0, 0.99))
        self.of_judge = torch.optim.Adam(self.judge.heads.parameters(), rate, (0.0, 0.99))
        self.spread = 0.2

    def parts(self) -> dict[str, Any]:
        return {
            "painter": self.painter,
            "average": self.average,
            "judge": self.judge,
            "of_painter": self.of_painter,
            "of_judge": self.of_judge,
        }

    def state(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self.parts().items()} | {"spread": self.spread}

    def load(self, state: dict[str, Any]) -> None:
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        self.spread = float(state["spread"])

    def features(self, images: torch.Tensor, window: tuple[int, int] | None) -> list[torch.Tensor]:
        """What the judge sees of augmented pictures at ``teacher_size`` px: the whole or a window.

        Whole pictures teach composition, windows the finest texture, at the price of the smaller size.
        """
        x, side = augment(images), self.teacher_size
        top, left = torch.randint(x.shape[-1] - PIXELS + 1, (2,)).tolist()
        pixels = x[:, :, top : top + PIXELS, left : left + PIXELS]
        if window is not None:
            x = x[:, :, window[0] : window[0] + side, window[1] : window[1] + side]
        elif x.shape[-1] != side:
            x = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        return self.judge.features(x.contiguous(memory_format=torch.channels_last), pixels)

    def window(self) -> tuple[int, int] | None:
        """A random window's corner in two steps of five, else None."""
        room = self.painter.config.size - self.teacher_size
        if room == 0 or torch.rand(()) > 0.4:
            return None
        return int(torch.randint(room + 1, ())), int(torch.randint(room + 1, ()))

    def step(self, batches: Batches, step: int) -> dict[str, float]:
        """One update of the judge, then of the painter; made pictures pass through the teacher once."""
        to = self.device
        real, thinned, whole = (x.to(to) for x in batches.real())
        wrong, counts = mismatched(thinned, whole)
        condition = batches.conditions().to(to)
        latents = draw_many(self.painter.config, len(condition)).to(to)
        window = self.window()
        with torch.autocast(to.type, torch.bfloat16, enabled=to.type == "cuda"):
            made = self.run_painter(condition, latents)
            with torch.no_grad():
                real_features = self.features(real, window)
            made_features = self.features(made, window)
            self.judge.heads.requires_grad_(True)
            right, other = self.judge(real_features, [thinned, wrong])
            (false,) = self.judge([x.detach() for x in made_features], [condition])
        loss_other = (F.relu(1 + other.float()).mean(1) * counts).sum() / counts.sum().clamp(min=1)
        loss_false = F.relu(1 + false.float()).mean()
        loss_judge = F.relu(1 - right.float()).mean() + loss_false + self.weights.mismatch * loss_other
        self.of_judge.zero_grad(set_to_none=True)
        loss_judge.backward()  # type: ignore[no-untyped-call]
        self.of_judge.step()
        self.judge.heads.requires_grad_(False)
        with torch.autocast(to.type, torch.bfloat16, enabled=to.type == "cuda"):
            (score,) = self.judge(made_features, [condition])
        # Two pictures of one prompt should differ about as much as real pictures do, not more.
        with torch.no_grad():
            self.spread += 0.02 * (float(layout_distance(real).mean()) - self.spread)
        alike = F.relu(1 - layout_distance(made) / (0.8 * self.spread)).mean()
        loss_painter = -score.float().mean() + self.weights.diversity * alike
        self.of_painter.zero_grad(set_to_none=True)
        loss_painter.backward()
        self.of_painter.step()
        self._average(min(AVERAGE, (step + 1) / (step + 20)))
        return {
            "judge": float(loss_judge.detach()),
            "painter": float(loss_painter.detach()),
            "right": float(right.detach().mean()),
            "false": float(false.detach().mean()),
            "other": float(other.detach().mean()),
            "alike": float(alike.detach()),
        }

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        for kept, new in zip(self.average.parameters(), self.painter.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)
        for own, other in zip(self.average.buffers(), self.painter.buffers(), strict=True):
            if other.is_floating_point():
                own.lerp_(other, 1 - decay)
            else:
                own.copy_(other)


@torch.no_grad()
def paint(
    painter: nn.Module, conditions: torch.Tensor, latents: Latents, chunk: int = 16
) -> Iterator[torch.Tensor]:
    """Pictures of ``conditions`` (N, K) in chunks (n, 3, S, S), on the painter's device."""
    device = conditions.device
    for start in range(0, len(conditions), chunk):
        part = slice(start, start + chunk)
        piece = Latents(latents.z[part], tuple(n[part] for n in latents.noise)).to(device)
        made: torch.Tensor = painter(conditions[part], piece)
        yield made


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    run = TrainingRun(arguments.out, arguments.minutes)
    config = PainterConfig(words=("landscape",), channels=tuple(arguments.channels))
    teacher = Teacher(arguments.data).to(device)
    views = load_views(arguments.data, config.size + MARGIN, teacher, arguments.out)
    config = replace(config, words=views.words)
    generator = seed_everything(arguments.seed)
    reference = Moments.of(views.features)
    trainer = Trainer(config, teacher, device, arguments.rate, arguments.teacher_size, arguments.compile)
    batches = Batches(views, config.size, arguments.batch, generator)
    state = run.restore(device) if arguments.resume else None
    if state is not None:
        trainer.load(state)
        generator.manual_seed(arguments.seed + run.step)
        torch.manual_seed(arguments.seed + run.step)
        for optimiser in (trainer.of_painter, trainer.of_judge):
            for number, group in enumerate(optimiser.param_groups):
                group["lr"] = arguments.rate * (WORDS_RATE if number else 1.0)
    else:
        trainer.judge.calibrate(batches.real()[0].to(device))
    sheet_stream = torch.Generator().manual_seed(7)
    sheet_rows = torch.randint(len(views.captions), (12,), generator=sheet_stream).repeat_interleave(4)
    sheet_words = torch.from_numpy(views.captions)[sheet_rows].to(device)
    sheet_latents = draw_many(config, len(sheet_rows), sheet_stream)
    test_rows = torch.randint(len(views.captions), (1000,), generator=sheet_stream)
    test_words = torch.from_numpy(views.captions)[test_rows].to(device)
    test_latents = draw_many(config, len(test_rows), sheet_stream)

    def save() -> None:
        # The captions go along so that a checkpoint can paint typical pictures without the data.
        run.save(trainer.state() | {"config": config.to_card(), "captions": batches.captions})

    checked = -1.0
    while run.running():
        losses = trainer.step(batches, run.step)
        run.step += 1
        if run.step % 50 == 0:
            run.log(**losses)
        if run.step % 200 == 0:
            pictures = torch.cat(list(paint(trainer.average, sheet_words, sheet_latents)))
            contact_sheet(to_images(pictures), 8).save(arguments.out / "sheet.jpg", quality=90)
        if run.due():
            save()
        if checked < 0:
            checked = run.elapsed
        if run.elapsed - checked > arguments.check_every * 60:
            checked = run.elapsed
            made = pooled(teacher, paint(trainer.average, test_words, test_latents))
            run.log(frechet_1000=frechet(Moments.of(made), reference))
    save()
