"""The generator's training step: a generator against a projected discriminator.

The generator is conditioned on the matcher's text embedding of a prompt (train and export ``match`` first),
the discriminator on the words themselves. A few pictures mix the styles of two latents of one prompt by depth
(Karras et al. 2019), so that pictures can later be combined level by level, and every other step the matcher
says how well pictures fit their prompts (as in AttnGAN, Xu et al. 2018).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from workers.engines.vision.text_image_matcher import MatcherModel
from workers.nets.generator import Generator, GeneratorConfig, Latents, draw_many
from workers.nets.matcher import condition
from workers.training.common.efficientnet_lite import EfficientNetLite
from workers.training.common.optimise import decay_at, take_step, update_average
from workers.training.common.run import Figures, Progress, Trainer
from workers.training.common.setup import Setup
from workers.training.generator.augmentation import augment
from workers.training.generator.data import Batches, CaptionBatch, mismatched
from workers.training.generator.discriminator import ProjectedDiscriminator
from workers.training.generator.growth import Growth, is_newest, take_over
from workers.training.generator.monitor import Monitor
from workers.training.matcher.train import contradictions, contrastive_loss

PIXELS = 64
"""Side of the patch that the discriminator's pixel head sees."""
EMBEDDING_RATE = 4.0
"""How much faster the embedding of conditions learns: each word is in few batches. Not tuned."""
EARLIER_RATE = 0.25
"""How much slower the layers that were taken over from a smaller generator learn. Not tuned."""
SHARED_LATENTS = 0.5
"""Share of the steps in which different prompts get the same latents, so that the discriminator sees when a
latent alone decides the layout. Not tuned."""
MIXING = 0.3
"""Share of the steps whose pictures mix two styles (Karras et al. 2019 take 0.9). Not tuned."""
MATCH_SCALE = 10.0
"""Sharpness of the matcher loss: far below the matcher's own, which a generator would only exploit."""
MISMATCH_WEIGHT = 0.5
"""Of the discriminator's negatives, the share of real pictures with false captions (Reed et al. 2016)."""
DIVERSITY_WEIGHT = 1.0
"""Not tuned."""
MATCH_WEIGHT = 0.5
"""Not tuned."""
DIVERSITY = 0.8
"""Pictures of one prompt should differ by this share of what real pictures differ by. Not tuned."""
WINDOWS = 0.4
"""Share of the steps in which the discriminator sees a window at full resolution. Not tuned."""


def layout_distance(images: torch.Tensor) -> torch.Tensor:
    """(2N, 3, S, S) -> (N,): how differently the halves are laid out, apart from their mean colour."""
    small = F.adaptive_avg_pool2d(images.float(), 16)
    small = small - small.mean((2, 3), keepdim=True)
    first, second = small.chunk(2)
    return (first - second).abs().mean((1, 2, 3))


def _group(name: str, config: GeneratorConfig) -> str:
    """Which parameters have a learning rate of their own."""
    if name.startswith("embed."):
        return "embedding"
    return "newest" if is_newest(name, config) else "earlier"


def mix_styles(styles: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(N, L, S) twice -> the first's coarse levels and the second's fine ones, cut at a random depth."""
    cut = int(torch.randint(1, styles.shape[1], ()))
    return torch.cat([styles[:, :cut], others[:, cut:]], 1)


class GeneratorTrainer(Trainer):
    """The two networks, their optimisers and the running average; a step updates both networks."""

    OLD_NAMES = {
        "painter": "generator",
        "judge": "discriminator",
        "of_painter": "generator_optimiser",
        "of_judge": "discriminator_optimiser",
    }

    def __init__(
        self,
        config: GeneratorConfig,
        matcher: MatcherModel,
        network: EfficientNetLite,
        batches: Batches,
        setup: Setup,
        *,
        rates: tuple[float, float],
        teacher_size: int,
        decay: float,
        monitor: Monitor | None = None,
    ) -> None:
        """``rates``: learning rates of generator and discriminator; ``decay`` of the running average."""
        self.matcher, self.batches, self.setup = matcher, batches, setup
        self.teacher_size, self.decay, self.rates, self.monitor = teacher_size, decay, rates, monitor
        self.generator = setup.place(Generator(config))
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.discriminator = setup.place(ProjectedDiscriminator(network, len(matcher.vocabulary)))
        groups: dict[str, list[nn.Parameter]] = {"newest": [], "earlier": [], "embedding": []}
        for name, parameter in self.generator.named_parameters():
            groups[_group(name, config)].append(parameter)
        # Without momentum, as is usual for GANs with a hinge loss (Brock et al. 2019).
        self.generator_optimiser = torch.optim.Adam(
            [{"params": parameters} for parameters in groups.values()], rates[0], (0.0, 0.99)
        )
        self.discriminator_optimiser = torch.optim.Adam(
            self.discriminator.heads.parameters(), rates[1], (0.0, 0.99)
        )
        self.parts = {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "generator_optimiser": self.generator_optimiser,
            "discriminator_optimiser": self.discriminator_optimiser,
        }
        self.spread = 0.2  # running mean of layout_distance of real pictures
        self.growth: Growth | None = None
        self.grown_at: int | None = None

    def _set_rates(self) -> None:
        """Both optimisers at the rates of this stage, whatever a loaded state said."""
        scales = (1.0, 1.0, EMBEDDING_RATE)
        if self.growth is not None:
            scales = (1.0, 0.0, 0.0)
        elif self.grown_at is not None:
            scales = (1.0, EARLIER_RATE, EARLIER_RATE * EMBEDDING_RATE)
        for group, scale in zip(self.generator_optimiser.param_groups, scales, strict=True):
            group["lr"] = self.rates[0] * scale
        for group in self.discriminator_optimiser.param_groups:
            group["lr"] = self.rates[1]

    def state_dict(self) -> dict[str, Any]:
        extra: dict[str, Any] = {
            "spread": self.spread,
            "config": self.generator.config.to_card(),
            "grown_at": self.grown_at,
            "growth": None if self.growth is None else self.growth.state_dict(),
        }
        if self.monitor is not None:
            # So that a checkpoint can generate typical pictures without the data.
            extra["conditions"] = self.monitor.conditions.cpu()
        return super().state_dict() | extra

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.spread = float(state["spread"])
        self.grown_at = state["grown_at"]
        growth = state["growth"]
        self.growth = None if growth is None else self._placed(Growth.from_state(growth))

    def load_generator(self, state: Mapping[str, Any]) -> None:
        """Go on with the generator of ``state``, of the same sizes, and the discriminator as it is."""
        known = {self.OLD_NAMES.get(name, name): value for name, value in state.items()}
        self.generator.load_state_dict(known["generator"])
        self.average.load_state_dict(known["average"])
        self.spread = float(state["spread"])

    def grow(self, state: Mapping[str, Any], step: int) -> None:
        """Take over both networks of a run at half the size, of which this is ``step``.

        Raises ValueError when that generator is not this one without its last block.
        """
        small = Generator(GeneratorConfig.from_card(state["config"]))
        small.load_state_dict(state["average"])
        for net in (self.generator, self.average):
            take_over(net, small)
        self.discriminator.load_state_dict(state["discriminator"])
        self.spread = float(state["spread"])
        self.growth, self.grown_at = self._placed(Growth(small, step)), step

    def _placed(self, growth: Growth) -> Growth:
        self.setup.place(growth.small)
        return growth

    def calibrate(self) -> None:
        """Fit the scales of the discriminator's projections to real pictures, once before the first step."""
        self.discriminator.calibrate(self.batches.real()[0].to(self.setup.device))

    def _features(self, images: torch.Tensor, window: tuple[int, int] | None) -> list[torch.Tensor]:
        """The discriminator's features of augmented pictures at ``teacher_size`` px: the whole or a window.

        Whole pictures teach composition, windows the finest texture, at the price of the smaller size.
        """
        x, side = augment(images), self.teacher_size
        top, left = torch.randint(x.shape[-1] - PIXELS + 1, (2,)).tolist()
        pixels = x[:, :, top : top + PIXELS, left : left + PIXELS]
        if window is not None:
            x = x[:, :, window[0] : window[0] + side, window[1] : window[1] + side]
        elif x.shape[-1] != side:
            x = F.interpolate(x, size=(side, side), mode="bilinear", antialias=True, align_corners=False)
        return self.discriminator.features(x, pixels, self.setup.precision)

    def _window(self) -> tuple[int, int] | None:
        """A random window's corner in WINDOWS of the steps, else None."""
        room = self.generator.config.size - self.teacher_size
        if room == 0 or torch.rand(()) > WINDOWS:
            return None
        return int(torch.randint(room + 1, ())), int(torch.randint(room + 1, ()))

    def _latents(self, count: int) -> Latents:
        """Fresh latents for ``count`` prompts, a multiple of 4, of which the two halves are the same.

        In SHARED_LATENTS of the steps the quarters of each half share theirs: two prompts, one seed. A prompt
        never meets the same latents twice, for the diversity loss compares its two pictures.
        """
        latents = draw_many(self.generator.config, count).to(self.setup.device)
        if torch.rand(()) >= SHARED_LATENTS:
            return latents
        quarter = torch.arange(count // 4)
        rows = torch.cat([quarter, quarter, quarter + count // 4, quarter + count // 4])
        return Latents(latents.z[rows], tuple(noise[rows] for noise in latents.noise))

    def _generate(self, prompts: CaptionBatch, step: int) -> torch.Tensor:
        """Pictures (N, 3, S, S) for ``prompts`` from fresh latents, in MIXING of the steps of two styles."""
        latents = self._latents(len(prompts.text))
        conditions = condition(prompts.text)
        styles = self.generator.styles(conditions, latents.z)
        if torch.rand(()) < MIXING:
            second = torch.randn(latents.z.shape).to(self.setup.device)
            styles = mix_styles(styles, self.generator.styles(conditions, second))
        colours = self.generator.colours(styles, latents.noise)
        if self.growth is not None:
            enlarged = self.growth.enlarged(styles.detach(), latents.noise)
            colours = torch.lerp(enlarged, colours.float(), self.growth.share(step))
        return torch.tanh(colours)

    def step(self, progress: Progress) -> Figures:
        """One update of the discriminator, then of the generator; of a new block alone while it is fitted."""
        if self.growth is not None and self.growth.finished(progress.step):
            self.growth = None
        self._set_rates()
        if self.growth is not None and self.growth.fitting(progress.step):
            return self._fit(self.growth, progress.step)
        return self.update(progress.step)

    def _fit(self, growth: Growth, step: int) -> dict[str, torch.Tensor]:
        """Bring the new block's pictures nearer to the smaller generator's, enlarged."""
        prompts = self.batches.prompts()
        latents = self._latents(len(prompts.text))
        with self.setup.autocast():
            styles = self.generator.styles(condition(prompts.text), latents.z)
            colours = self.generator.colours(styles, latents.noise)
            wanted = growth.enlarged(styles.detach(), latents.noise)
        loss = F.mse_loss(torch.tanh(colours.float()), torch.tanh(wanted))
        take_step(loss, self.generator_optimiser)
        update_average(self.average, self.generator, self._decay(step))
        return {"fit": loss.detach()}

    def _decay(self, step: int) -> float:
        """Of the running average: short at first, and again after growing."""
        return decay_at(step - (self.grown_at or 0), self.decay, 20)

    def update(self, step: int, train_generator: bool = True) -> dict[str, torch.Tensor]:
        """Generated pictures pass through the teacher once; the features serve both losses.

        Without ``train_generator`` the generator stays as it is.
        """
        real, captions, whole = (x.to(self.setup.device) for x in self.batches.real())
        wrong, counts = mismatched(captions, whole)
        prompts = self.batches.prompts()
        window = self._window()
        with self.setup.autocast():
            with torch.set_grad_enabled(train_generator):
                generated = self._generate(prompts, step)
                features = self._features(generated, window)
            with torch.no_grad():
                real_features = self._features(real, window)
            self.discriminator.heads.requires_grad_(True)
            of_real, of_mismatched = self.discriminator(real_features, [captions, wrong])
            (of_generated,) = self.discriminator([x.detach() for x in features], [prompts.words])
        mismatch = (F.relu(1 + of_mismatched.float()).mean(1) * counts).sum() / counts.sum().clamp(min=1)
        negatives = (1 - MISMATCH_WEIGHT) * F.relu(
            1 + of_generated.float()
        ).mean() + MISMATCH_WEIGHT * mismatch
        loss = F.relu(1 - of_real.float()).mean() + negatives
        take_step(loss, self.discriminator_optimiser)
        losses = {
            "discriminator": loss.detach(),
            "real": of_real.detach().float().mean(),
            "generated": of_generated.detach().float().mean(),
            "mismatched": of_mismatched.detach().float().mean(),
        }
        if train_generator:
            losses |= self._update_generator(real, generated, features, prompts, step)
        return losses

    def _update_generator(
        self,
        real: torch.Tensor,
        generated: torch.Tensor,
        features: list[torch.Tensor],
        prompts: CaptionBatch,
        step: int,
    ) -> dict[str, torch.Tensor]:
        self.discriminator.heads.requires_grad_(False)
        with self.setup.autocast():
            (score,) = self.discriminator(features, [prompts.words])
        with torch.no_grad():
            self.spread += 0.02 * (float(layout_distance(real).mean()) - self.spread)
        diversity = F.relu(1 - layout_distance(generated) / (DIVERSITY * self.spread)).mean()
        loss = -score.float().mean() + DIVERSITY_WEIGHT * diversity
        losses = {"generator": loss.detach(), "diversity": diversity.detach()}
        if step % 2 == 0:
            # A prompt that says no more than the picture's own is no mistake: only contradictions count.
            wrong = contradictions(prompts.words, prompts.words)
            seen = self.matcher.pictures(generated.float())
            scale = torch.tensor(MATCH_SCALE, device=self.setup.device)
            match = contrastive_loss(seen, prompts.text, wrong, scale)
            # Twice the weight, for it is there in every other step.
            loss = loss + 2 * MATCH_WEIGHT * match
            losses["match"] = match.detach()
        take_step(loss, self.generator_optimiser)
        update_average(self.average, self.generator, self._decay(step))
        return losses

    def sheet(self, folder: Path, step: int) -> None:
        """Samples of twelve captions: ``sheet.jpg``."""
        if self.monitor is not None:
            self.monitor.draw_sheet(self.average, folder / "sheet.jpg")

    def validate(self, complete: bool = False) -> Figures:
        """Frechet distance of 1,000 pictures to all real ones, in thousands."""
        return {} if self.monitor is None else {"frechet_1000": self.monitor.distance(self.average)}
