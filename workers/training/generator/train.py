"""``python -m workers.training gan``: train the painting generator against a projected discriminator.

The generator is conditioned on the matcher's text embedding of a prompt (train and export ``match`` first),
the discriminator on the words themselves. A few pictures mix the styles of two latents of one prompt by depth
(Karras et al. 2019), so that pictures can later be combined level by level, and every other step the matcher
says how well pictures fit their prompts (as in AttnGAN, Xu et al. 2018).
On two CPU cores two hours give composition and colour; start with ``--teacher-size 96`` (the discriminator
sees pictures at 96 px: quick, learns composition) and go on with ``--resume --teacher-size 128``.
``--start-from CHECKPOINT`` takes over a generator and trains a new discriminator, alone at first.
On a GPU take a larger network and batch, for example
``--minutes 600 --batch 64 --teacher-size 128 --average 0.999 --channels 512 384 256 160 96``.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from workers.engines.vision.text_image_matcher import MODEL, MatcherModel
from workers.images import contact_sheet, to_images
from workers.nets.generator import Generator, GeneratorConfig, Latents, draw_many
from workers.nets.matcher import condition
from workers.training.common.feature_metrics import Moments, frechet, pooled
from workers.training.common.optimise import decay_at, take_step, update_average
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import Figures, Progress, Trainer, TrainingRun, run_training
from workers.training.common.setup import Setup, cache_argument, prepare, run_arguments
from workers.training.generator.augmentation import augment
from workers.training.generator.data import MARGIN, Batches, CaptionBatch, mismatched
from workers.training.generator.discriminator import ProjectedDiscriminator
from workers.training.matcher.captions import CaptionedPictures, load_views
from workers.training.matcher.train import contradictions, contrastive_loss

PIXELS = 64
"""Side of the patch that the discriminator's pixel head sees."""
EMBEDDING_RATE = 4.0
"""How much faster the embedding of conditions learns: each word is in few batches. Not tuned."""
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``gan`` command."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/paint", 90, channels_last=False)
    cache_argument(parser)
    parser.add_argument("--batch", type=int, default=16, help="pictures per step, a multiple of 4")
    parser.add_argument(
        "--teacher-size", type=int, default=96, help="side at which the discriminator sees pictures, px"
    )
    parser.add_argument("--channels", type=int, nargs="+", default=[512, 256, 160, 80, 40])
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate of the generator")
    parser.add_argument(
        "--discriminator-rate", type=float, default=5e-4, help="learning rate of the discriminator"
    )
    parser.add_argument("--start-from", type=Path, help="checkpoint.pt of another run: its generator goes on")
    parser.add_argument(
        "--discriminator-first",
        type=int,
        default=200,
        help="steps that the discriminator learns alone after --start-from",
    )
    parser.add_argument(
        "--average", type=float, default=0.996, help="running average's decay per step: short for short runs"
    )
    parser.add_argument("--check-every", type=float, default=12, help="minutes between Frechet distances")


def layout_distance(images: torch.Tensor) -> torch.Tensor:
    """(2N, 3, S, S) -> (N,): how differently the halves are laid out, apart from their mean colour."""
    small = F.adaptive_avg_pool2d(images.float(), 16)
    small = small - small.mean((2, 3), keepdim=True)
    first, second = small.chunk(2)
    return (first - second).abs().mean((1, 2, 3))


def mix_styles(styles: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(N, L, S) twice -> the first's coarse levels and the second's fine ones, cut at a random depth."""
    cut = int(torch.randint(1, styles.shape[1], ()))
    return torch.cat([styles[:, :cut], others[:, cut:]], 1)


@torch.no_grad()
def generate(
    net: Generator, conditions: torch.Tensor, latents: Latents, chunk: int = 16
) -> Iterator[torch.Tensor]:
    """Pictures of ``conditions`` (N, K) in chunks (n, 3, S, S), on the network's device."""
    device = conditions.device
    for start in range(0, len(conditions), chunk):
        part = slice(start, start + chunk)
        piece = Latents(latents.z[part], tuple(n[part] for n in latents.noise)).to(device)
        yield net(conditions[part], piece)


class Monitor:
    """Fixed captions and latents for the sheet and for the Frechet distance of 1,000 pictures."""

    def __init__(self, views: CaptionedPictures, batches: Batches, config: GeneratorConfig) -> None:
        stream = torch.Generator().manual_seed(7)
        captions = torch.from_numpy(views.captions)

        def drawn(rows: torch.Tensor) -> tuple[torch.Tensor, Latents]:
            conditions = condition(batches.embedded(captions[rows]).text)
            return conditions, draw_many(config, len(rows), stream)

        self.sheet = drawn(torch.randint(len(captions), (12,), generator=stream).repeat_interleave(4))
        self.conditions, self.latents = drawn(torch.randint(len(captions), (1000,), generator=stream))
        self.reference = Moments.of(views.features)


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
        teacher: Teacher,
        batches: Batches,
        setup: Setup,
        *,
        rates: tuple[float, float],
        teacher_size: int,
        decay: float,
        monitor: Monitor | None = None,
    ) -> None:
        """``rates``: learning rates of generator and discriminator; ``decay`` of the running average."""
        self.matcher, self.teacher, self.batches, self.setup = matcher, teacher, batches, setup
        self.teacher_size, self.decay, self.rates, self.monitor = teacher_size, decay, rates, monitor
        self.generator = setup.place(Generator(config))
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.discriminator = setup.place(ProjectedDiscriminator(teacher, len(matcher.vocabulary)))
        embedding = list(self.generator.embed.parameters())
        others = [p for name, p in self.generator.named_parameters() if not name.startswith("embed.")]
        groups: list[dict[str, Any]] = [{"params": others}, {"params": embedding}]
        # Without momentum, as is usual for GANs with a hinge loss (Brock et al. 2019).
        self.generator_optimiser = torch.optim.Adam(groups, rates[0], (0.0, 0.99))
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
        self._set_rates()
        self.spread = 0.2  # running mean of layout_distance of real pictures

    def _set_rates(self) -> None:
        """Both optimisers at this run's rates, whatever a loaded state said."""
        for group, scale in zip(self.generator_optimiser.param_groups, (1.0, EMBEDDING_RATE), strict=True):
            group["lr"] = self.rates[0] * scale
        for group in self.discriminator_optimiser.param_groups:
            group["lr"] = self.rates[1]

    def state_dict(self) -> dict[str, Any]:
        extra: dict[str, Any] = {"spread": self.spread, "config": self.generator.config.to_card()}
        if self.monitor is not None:
            # So that a checkpoint can generate typical pictures without the data.
            extra["conditions"] = self.monitor.conditions.cpu()
        return super().state_dict() | extra

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.spread = float(state["spread"])
        self._set_rates()

    def load_generator(self, state: Mapping[str, Any]) -> None:
        """Go on with the generator of ``state`` and the discriminator as it is."""
        discriminator = ("discriminator", "discriminator_optimiser")
        self.load_state_dict(
            {
                name: value
                for name, value in state.items()
                if self.OLD_NAMES.get(name, name) not in discriminator
            }
            | {name: self.parts[name].state_dict() for name in discriminator}
        )

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
        return self.discriminator.features(x.contiguous(memory_format=torch.channels_last), pixels)

    def _window(self) -> tuple[int, int] | None:
        """A random window's corner in WINDOWS of the steps, else None."""
        room = self.generator.config.size - self.teacher_size
        if room == 0 or torch.rand(()) > WINDOWS:
            return None
        return int(torch.randint(room + 1, ())), int(torch.randint(room + 1, ()))

    def _generate(self, prompts: CaptionBatch) -> torch.Tensor:
        """Pictures (N, 3, S, S) for ``prompts`` from fresh latents, in MIXING of the steps of two styles."""
        config = self.generator.config
        latents = draw_many(config, len(prompts.text)).to(self.setup.device)
        conditions = condition(prompts.text)
        styles = self.generator.styles(conditions, latents.z)
        if torch.rand(()) < MIXING:
            second = torch.randn(latents.z.shape).to(self.setup.device)
            styles = mix_styles(styles, self.generator.styles(conditions, second))
        return self.generator.synthesise(styles, latents.noise)

    def step(self, progress: Progress) -> Figures:
        """One update of the discriminator, then of the generator."""
        return self.update(progress.step)

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
                generated = self._generate(prompts)
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
        update_average(self.average, self.generator, decay_at(step, self.decay, 20))
        return losses

    def sheet(self, folder: Path, step: int) -> None:
        """Four pictures of each of twelve captions: ``sheet.jpg``."""
        if self.monitor is not None:
            pictures = torch.cat(list(generate(self.average, *self.monitor.sheet)))
            contact_sheet(to_images(pictures), 8).save(folder / "sheet.jpg", quality=90)

    def validate(self, complete: bool = False) -> Figures:
        """Frechet distance of 1,000 pictures to all real ones, in thousands."""
        if self.monitor is None:
            return {}
        pictures = generate(self.average, self.monitor.conditions, self.monitor.latents)
        return {"frechet_1000": frechet(Moments.of(pooled(self.teacher, pictures)), self.monitor.reference)}


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    setup = prepare(arguments)
    run = TrainingRun(arguments.out, arguments.minutes)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    matcher = MatcherModel.load(MODEL, setup.device)
    config = GeneratorConfig(
        condition=matcher.net.config.embedding, channels=tuple(arguments.channels), soft=True
    )
    teacher = Teacher(arguments.data).to(setup.device)
    views = load_views(arguments.data, config.size + MARGIN, teacher, arguments.cache)
    if views.words != matcher.vocabulary.words:
        raise SystemExit("the matcher was trained on other words: train and export `match` again")
    batches = Batches(views, matcher, config.size, arguments.batch, setup.generator)
    trainer = GeneratorTrainer(
        config,
        matcher,
        teacher,
        batches,
        setup,
        rates=(arguments.rate, arguments.discriminator_rate),
        teacher_size=arguments.teacher_size,
        decay=arguments.average,
        monitor=Monitor(views, batches, config),
    )
    state = run.restore(setup.device) if arguments.resume else None
    if state is not None:
        trainer.load_state_dict(state)
        setup.reseed(run.step)
    else:
        trainer.calibrate()
        if arguments.start_from:
            begun = torch.load(arguments.start_from, map_location=setup.device, weights_only=True)
            run.continues(int(begun["step"]), float(begun["elapsed"]))
            trainer.load_generator(begun["state"])
            for number in range(arguments.discriminator_first):
                losses = trainer.update(run.step, train_generator=False)
                if number % 50 == 0:
                    run.log(losses)
    run_training(run, trainer, sheet_every=200, validate_every=arguments.check_every * 60)
