"""``python -m workers.training upscaler``: train the network that doubles pictures.

Pairs are a patch of a picture and the same made small and, half of the time, degraded: by two, or by four,
where the network runs twice and learns from its own first result. The losses are the pixels, the teacher's
features and a discriminator of texture; how much the last two count follows the ``texture`` that the network
is conditioned on. Once ``--painter`` names a generator's checkpoint a quarter of each batch are its pictures,
which have no large original: there the discriminator counts, and the result made small again must remain the
picture it was. Photographs and large style pictures are learned from too.

On a GPU: ``--minutes 120 --batch 64 --channels 96 --blocks 12 --crop 128``.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from workers.nets.upscaler import Upscaler, UpscalerConfig
from workers.training.common.optimise import decay_at, set_rate, take_step, update_average
from workers.training.common.perceptual_distance import LAYERS, distance
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, prepare, run_arguments
from workers.training.upscaler.degradation import degrade, halved
from workers.training.upscaler.discriminator import TextureDiscriminator
from workers.training.upscaler.grid_loss import grid_gradient_loss, grid_pattern_loss
from workers.training.upscaler.patches import SMALLEST, GeneratedPool, PatchSource, random_patches
from workers.training.upscaler.validation import Validation

ADVERSARIAL_SHARE = 0.6
"""Norm of the adversarial gradient at the pixels over that of all other losses, at texture 1. Not tuned."""
PERCEPTUAL = (0.01, 0.1)
"""Weight of the teacher's features where the texture is 0, and how much more it is at 1.

Their gradient at a pixel is about 28 times that of the pixels' own loss: with larger weights the network
learned to draw the small picture's pixels as sharp blocks.
"""
GRID = (0.1, 0.05)
"""Weights of the two grid losses: the gradient of each is about as large as that of the pixels."""
WINDOW = 48
"""Side of the part of each patch that the teacher sees, at twice its size: its strides are too long for
brushwork, and what it has no features for, such as steps of four pixels along an edge, would cost nothing."""
PIXELS_ONLY = 1800
"""Steps with nothing but the losses of pixels: they are quick, and features come too early reward blocks."""
ADVERSARIAL_START = 2000
"""Steps without a discriminator; not tuned."""
ADVERSARIAL_RAMP = 300
"""Steps in which its share then grows; not tuned."""
AVERAGE = 0.998
"""Decay of the running average of weights; not tuned."""
CLIP = 1.0
"""Largest norm of a gradient; not tuned."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``upscaler`` command."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/paint-upscaler", 60)
    parser.add_argument(
        "--painter", type=Path, help="checkpoint.pt of a generator whose pictures to learn on"
    )
    parser.add_argument("--batch", type=int, default=8, help="patches per step, a multiple of 4")
    parser.add_argument("--crop", type=int, default=96, help="side of a patch, px, a multiple of 8")
    parser.add_argument("--channels", type=int, default=UpscalerConfig().channels)
    parser.add_argument("--blocks", type=int, default=UpscalerConfig().blocks)
    parser.add_argument("--rate", type=float, default=8e-4)
    parser.add_argument("--pictures", type=int, default=4000, help="how many paintings to hold in memory")
    parser.add_argument("--check-every", type=float, default=5, help="minutes between validations")


class UpscalerTrainer(Trainer):
    """The network, its running average, the discriminator and their optimisers; a step updates both."""

    OLD_NAMES = {"judge": "discriminator", "of_net": "optimiser", "of_judge": "discriminator_optimiser"}

    def __init__(
        self,
        config: UpscalerConfig,
        teacher: Teacher,
        patches: PatchSource,
        setup: Setup,
        *,
        rate: float = 8e-4,
        batch: int = 8,
        crop: int = 96,
        generated: GeneratedPool | None = None,
        validation: Validation | None = None,
    ) -> None:
        """``generated``: a pool whose pictures are a quarter of each batch."""
        self.teacher, self.patches, self.setup = teacher, patches, setup
        self.rate, self.batch, self.crop = rate, batch, crop
        self.pool, self.validation = generated, validation
        self.generated = batch // 4 if generated else 0
        self.saw_generated = generated is not None
        self.net = setup.place(Upscaler(config))
        self.average = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.discriminator = setup.place(TextureDiscriminator())
        self.optimiser = torch.optim.Adam(self.net.parameters(), rate, (0.8, 0.99))
        self.discriminator_optimiser = torch.optim.Adam(self.discriminator.parameters(), rate, (0.0, 0.99))
        self.parts = {
            "net": self.net,
            "average": self.average,
            "discriminator": self.discriminator,
            "optimiser": self.optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
        }

    def state_dict(self) -> dict[str, Any]:
        """``config`` rebuilds the network; ``generated``: whether it ever saw a generator's pictures."""
        extra = {"config": self.net.config.to_card(), "generated": self.saw_generated}
        return super().state_dict() | extra

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.saw_generated |= bool(state.get("generated", state.get("own")))

    def calibrate(self) -> None:
        """Fit the discriminator's scales to real patches, once before the first step."""
        self.discriminator.calibrate(self._features(self._real(self.batch)))

    def _real(self, count: int) -> torch.Tensor:
        return self.patches.draw(count, self.crop, self.setup.generator).to(self.setup.device)

    def _double(self, x: torch.Tensor, texture: torch.Tensor) -> torch.Tensor:
        noise = torch.randn(len(x), 1, *x.shape[-2:], generator=self.setup.generator).to(x.device)
        with self.setup.autocast():
            doubled: torch.Tensor = self.net(x, noise, texture)
        return doubled.float()

    def _sources(self, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs: patches a quarter as large as ``target`` (its first half) and half as large (its second).

        Behind the pairs of each kind come the generator's patches.
        """
        stream, device = self.setup.generator, self.setup.device
        pairs = len(target) // 2
        quarter, half = degrade(target[:pairs], stream, 4), degrade(target[pairs:], stream, 2)
        if self.pool is None:
            return quarter, half
        self.pool.renew()
        few = self.generated // 2
        small = random_patches(self.pool.pictures, few, self.crop // 4, stream).to(device)
        large = random_patches(self.pool.pictures, self.generated - few, self.crop // 2, stream).to(device)
        return torch.cat([quarter, small]), torch.cat([half, large])

    def step(self, progress: Progress) -> Figures:
        """One update of both networks; the rates fall in the last third of the schedule."""
        for optimiser in (self.optimiser, self.discriminator_optimiser):
            set_rate(optimiser, self.rate * min(1.0, max(0.1, 3 * (1 - progress.share))))
        return self.update(progress.step)

    def update(self, step: int) -> dict[str, torch.Tensor]:
        """One update at the rates at hand; returns the losses."""
        count, stream = self.batch - self.generated, self.setup.generator
        target = self._real(count)
        quarter, half = self._sources(target)
        pairs, few = count // 2, self.generated // 2
        # One in five has texture 0, the most faithful result.
        texture = torch.rand(self.batch, generator=stream) * 1.25 - 0.25
        texture = texture.clamp_min(0).to(self.setup.device)
        middle = self._double(quarter, texture[: len(quarter)])
        made = self._double(torch.cat([middle, half]), texture)
        # Pairs first and in the target's order, then the generator's.
        order = [*range(pairs), *range(pairs + few, pairs + few + count - pairs)]
        order += [*range(pairs, pairs + few), *range(few + count, self.batch)]
        made, texture = made[order], texture[order]

        first_pass = 0.5 * (middle[:pairs] - halved(target[:pairs])).abs().mean()
        losses = {
            "pixels": (made[:count] - target).abs().mean(),
            "consistency": self._consistency(made[count:], quarter[pairs:], half[count - pairs :]),
            "grid_gradient": grid_gradient_loss(made),
            "grid_pattern": grid_pattern_loss(made),
        }
        loss = losses["pixels"] + losses["consistency"]
        loss = loss + GRID[0] * losses["grid_gradient"] + GRID[1] * losses["grid_pattern"]
        adversarial = torch.zeros_like(made)
        if step >= PIXELS_ONLY:
            window, true = self._windows(made, target)
            found = self._features(window)
            with torch.no_grad():
                known = self._features(true)
            apart = distance({layer: x[:count] for layer, x in found.items()}, known)
            weight = PERCEPTUAL[0] + PERCEPTUAL[1] * texture[:count]
            loss = loss + (weight * apart).mean()
            losses["perceptual"] = apart.mean()
            if step >= ADVERSARIAL_START:
                real, real_pixels = self._real_side(known, true)
                losses |= self._update_discriminator(real, real_pixels, found, window, texture)
                adversarial = self._adversarial_gradient(found, window, made, texture)
        (gradient,) = torch.autograd.grad(loss, made)
        # Adversarial gradients grow and shrink as the discriminator learns: their share is what is fixed
        # (Esser et al. 2021).
        share = ADVERSARIAL_SHARE * min(1.0, max(0.0, (step - ADVERSARIAL_START) / ADVERSARIAL_RAMP))
        adversarial = adversarial * (share * gradient.norm() / adversarial.norm().clamp_min(1e-12))
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward([made, first_pass], [gradient + adversarial, None])
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimiser.step()
        update_average(self.average, self.net, decay_at(step, AVERAGE, 20))
        return {name: value.detach() for name, value in losses.items()}

    def _adversarial_gradient(
        self, found: dict[str, torch.Tensor], window: torch.Tensor, made: torch.Tensor, texture: torch.Tensor
    ) -> torch.Tensor:
        """Gradient at ``made`` of the discriminator's verdict, each picture weighted by its texture."""
        self.discriminator.requires_grad_(False)
        score = torch.stack([logits.mean(1) for logits in self.discriminator(found, window)]).mean(0)
        # The teacher's pass is needed once more, for its own loss.
        (gradient,) = torch.autograd.grad(-(texture * score).mean(), made, retain_graph=True)
        return gradient

    def _windows(self, made: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same random window of both."""
        side = min(WINDOW, self.crop)
        down, across = torch.randint(self.crop - side + 1, (2,), generator=self.setup.generator).tolist()
        rows, columns = slice(down, down + side), slice(across, across + side)
        return made[..., rows, columns], target[..., rows, columns]

    def _features(self, window: torch.Tensor) -> dict[str, torch.Tensor]:
        """Teacher features of pictures (N, 3, H, W) at twice their size."""
        near = F.interpolate(window, scale_factor=2.0, mode="bicubic", align_corners=False)
        found: dict[str, torch.Tensor] = self.teacher(
            near.contiguous(memory_format=torch.channels_last), LAYERS
        )
        return found

    def _real_side(
        self, known: dict[str, torch.Tensor], true: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """The real half of the discriminator's batch: the targets, and others opposite the generator's."""
        if not self.generated:
            return known, true
        others = self._real(self.generated)[..., : true.shape[-2], : true.shape[-1]]
        with torch.no_grad():
            found = self._features(others)
        return {layer: torch.cat([known[layer], found[layer]]) for layer in LAYERS}, torch.cat([true, others])

    def _update_discriminator(
        self,
        real: dict[str, torch.Tensor],
        real_pixels: torch.Tensor,
        found: dict[str, torch.Tensor],
        window: torch.Tensor,
        texture: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """One update with the hinge loss; results at texture 0 do not count, as they need no detail."""
        self.discriminator.requires_grad_(True)
        made = {layer: x.detach() for layer, x in found.items()}
        counts = (texture > 0).to(window)[:, None] / (texture > 0).sum().clamp_min(1)
        real_scores, made_scores, loss = [], [], window.new_zeros(())
        for of_real, of_made in zip(
            self.discriminator(real, real_pixels), self.discriminator(made, window.detach()), strict=True
        ):
            loss = loss + F.relu(1 - of_real).mean()
            loss = loss + (F.relu(1 + of_made).mean(1, keepdim=True) * counts).sum()
            real_scores.append(of_real.detach().mean())
            made_scores.append((of_made.detach().mean(1, keepdim=True) * counts).sum())
        take_step(loss, self.discriminator_optimiser)
        return {"real": torch.stack(real_scores).mean(), "enlarged": torch.stack(made_scores).mean()}

    @staticmethod
    def _consistency(made: torch.Tensor, small: torch.Tensor, large: torch.Tensor) -> torch.Tensor:
        """How far enlarged pictures of the generator are from their sources at half the sources' size."""
        if not len(made):
            return made.new_zeros(())
        few = len(small)
        four = (F.avg_pool2d(made[:few], 8) - halved(small)).abs().mean()
        return four + (F.avg_pool2d(made[few:], 4) - halved(large)).abs().mean()

    def sheet(self, folder: Path, step: int) -> None:
        """The sheets of :class:`Validation`."""
        if self.validation is not None:
            self.validation.sheet(self.average, folder)

    def validate(self, complete: bool = False) -> Figures:
        """``of_bicubic``: the perceptual distance as a share of bicubic interpolation's."""
        return {} if self.validation is None else {"of_bicubic": self.validation.of_bicubic(self.average)}


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    setup = prepare(arguments)
    run = TrainingRun(arguments.out, arguments.minutes)
    teacher = Teacher(arguments.data).to(setup.device)
    generated = GeneratedPool(arguments.painter) if arguments.painter else None
    trainer = UpscalerTrainer(
        UpscalerConfig(channels=arguments.channels, blocks=arguments.blocks),
        teacher,
        PatchSource(arguments.data, arguments.pictures),
        setup,
        rate=arguments.rate,
        batch=arguments.batch,
        crop=max(SMALLEST, arguments.crop),
        generated=generated,
        validation=Validation(arguments.data, teacher, setup.device, generated),
    )
    state = run.restore(setup.device) if arguments.resume else None
    if state is not None:
        trainer.load_state_dict(state)
        setup.reseed(run.step)
    else:
        trainer.calibrate()
    run_training(run, trainer, sheet_every=250, validate_every=arguments.check_every * 60)
