"""``python -m workers.training gan``: train the painting generator against a projected discriminator.

The generator hears a prompt as the matcher's text embedding (train and export ``match`` first); the
discriminator is told the words themselves. A few pictures are mixed by depth from two latents of one prompt
(Karras et al. 2019), so that works can be bred level by level, and every other step the matcher says how
well pictures fit their prompts (as in AttnGAN, Xu et al. 2018).
On two CPU cores two hours give composition and colour; start with ``--teacher-size 96`` (pictures
are judged at 96 px: quick, learns composition) and go on with ``--resume --teacher-size 128``.
``--start-from CHECKPOINT`` takes over a painter and teaches a new judge, alone at first.
On a GPU take a larger network and batch, for example
``--minutes 600 --batch 64 --teacher-size 128 --average 0.999 --channels 512 384 256 160 96``.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from workers import device as devices
from workers.engines.vision.text_image_matcher import MODEL, MatcherModel
from workers.images import contact_sheet, to_images
from workers.nets.generator import Generator, GeneratorConfig, Latents, draw_many
from workers.nets.matcher import condition
from workers.training.common.feature_metrics import Moments, frechet, pooled
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.run import TrainingRun, seed_everything
from workers.training.generator.augmentation import augment
from workers.training.generator.discriminator import ProjectedDiscriminator
from workers.training.matcher.captions import Captioned, load_views
from workers.training.matcher.train import contradictions, contrast, shuffled_ids, thinned

PIXELS = 64
"""Side of the piece that the judge looks at pixel by pixel."""
MARGIN = 12
"""Pictures are kept this much larger than the result, for random crops."""
WORDS_RATE = 4.0
MIXED = 0.3
"""Share of the steps whose pictures take their finer levels from another latent."""
MATCH_SCALE = 10.0
"""Sharpness of the matching: far below the matcher's own, which a generator would only exploit."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much the parts of the losses count."""

    mismatch: float = 0.5
    """Of the judge's negatives, the share of real pictures with false captions (Reed et al. 2016)."""
    diversity: float = 1.0
    match: float = 0.5


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
    parser.add_argument("--rate", type=float, default=2e-4, help="learning rate of the painter")
    parser.add_argument("--judge-rate", type=float, default=5e-4, help="learning rate of the judge")
    parser.add_argument("--start-from", type=Path, help="checkpoint.pt of another run: its painter goes on")
    parser.add_argument(
        "--judge-first", type=int, default=200, help="steps that the judge learns alone after --start-from"
    )
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"), help="folder of decoded pictures")
    parser.add_argument(
        "--average", type=float, default=0.996, help="running average's decay per step: short for short runs"
    )
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument("--check-every", type=float, default=12, help="minutes between Frechet checks")
    parser.add_argument("--seed", type=int, default=1)


@dataclass(frozen=True, slots=True)
class Said:
    """Captions as both networks hear them: multi-hot ``words`` (N, K), ``text`` embeddings (N, E)."""

    words: torch.Tensor
    text: torch.Tensor


class Batches:
    """Endless random batches of training pictures with thinned captions."""

    def __init__(
        self, views: Captioned, matcher: MatcherModel, size: int, batch: int, generator: torch.Generator
    ) -> None:
        keep = np.flatnonzero(~views.validation)
        self.pictures = torch.from_numpy(views.pictures[keep])
        self.captions = torch.from_numpy(views.captions[keep])
        self.matcher, self.size, self.batch, self.generator = matcher, size, batch, generator

    @torch.no_grad()
    def say(self, captions: torch.Tensor) -> Said:
        """Captions (N, K) on the matcher's device, in a random order of their words."""
        device = self.matcher.device
        ids = shuffled_ids(captions, self.generator)
        return Said(captions.to(device), self.matcher.net.text(ids.to(device)))

    def prompts(self) -> Said:
        """Thinned captions for made pictures; the two halves say the same, for the diversity term."""
        chosen = torch.randint(len(self.captions), (self.batch // 2,), generator=self.generator)
        return self.say(thinned(self.captions[chosen], self.generator).repeat(2, 1))

    def real(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (batch, 3, S, S) in [-1, 1], their thinned captions, their whole captions."""
        chosen = torch.randint(len(self.captions), (self.batch,), generator=self.generator)
        top, left, flip = (int(torch.randint(MARGIN + 1, (), generator=self.generator)) for _ in range(3))
        window = self.pictures[chosen][:, top : top + self.size, left : left + self.size]
        x = window.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        whole = self.captions[chosen]
        return x.flip(3) if flip % 2 else x, thinned(whole, self.generator), whole


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


def mixed_by_depth(styles: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """(N, L, S) twice -> the first's coarse levels and the second's fine ones, cut at a random depth."""
    cut = int(torch.randint(1, styles.shape[1], ()))
    return torch.cat([styles[:, :cut], others[:, cut:]], 1)


class Trainer:
    """The two networks, their optimisers and the running average; one ``step`` is one update of both."""

    def __init__(
        self,
        config: GeneratorConfig,
        matcher: MatcherModel,
        teacher: Teacher,
        rates: tuple[float, float],
        teacher_size: int,
        decay: float,
    ) -> None:
        """``rates``: learning rates of the painter and of the judge."""
        self.matcher, self.device = matcher, matcher.device
        self.teacher_size, self.decay, self.weights = teacher_size, decay, Weights()
        self.rates = rates
        self.painter = Generator(config).to(self.device)
        self.average = copy.deepcopy(self.painter).eval().requires_grad_(False)
        self.judge = ProjectedDiscriminator(teacher, len(matcher.vocabulary)).to(self.device)
        words = list(self.painter.embed.parameters())
        others = [p for name, p in self.painter.named_parameters() if not name.startswith("embed.")]
        # A word is seen in few batches: its embedding moves in larger steps.
        groups: list[dict[str, Any]] = [{"params": others}, {"params": words}]
        self.of_painter = torch.optim.Adam(groups, rates[0], (0.0, 0.99))
        self.of_judge = torch.optim.Adam(self.judge.heads.parameters(), rates[1], (0.0, 0.99))
        self.set_rates()
        self.spread = 0.2

    def set_rates(self) -> None:
        """Both optimisers at this run's rates, whatever a loaded state said."""
        for group, scale in zip(self.of_painter.param_groups, (1.0, WORDS_RATE), strict=True):
            group["lr"] = self.rates[0] * scale
        for group in self.of_judge.param_groups:
            group["lr"] = self.rates[1]

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

    def load(self, state: dict[str, Any], judge: bool = True) -> None:
        """Go on from ``state``; without ``judge`` its painter alone."""
        for name, part in self.parts().items():
            if judge or name not in ("judge", "of_judge"):
                part.load_state_dict(state[name])
        self.spread = float(state["spread"])
        self.set_rates()

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

    def make(self, prompts: Said) -> torch.Tensor:
        """Pictures (N, 3, S, S) for ``prompts`` from fresh latents, some of them mixed by depth."""
        config = self.painter.config
        latents = draw_many(config, len(prompts.text)).to(self.device)
        heard = condition(prompts.text)
        styles = self.painter.styles(heard, latents.z)
        if torch.rand(()) < MIXED:
            second = torch.randn(latents.z.shape).to(self.device)
            styles = mixed_by_depth(styles, self.painter.styles(heard, second))
        return self.painter.synthesise(styles, latents.noise)

    def step(self, batches: Batches, step: int, improve: bool = True) -> dict[str, float]:
        """One update of the judge, then of the painter; made pictures pass through the teacher once.

        Without ``improve`` the painter stays as it is.
        """
        to = self.device
        real, said, whole = (x.to(to) for x in batches.real())
        wrong, counts = mismatched(said, whole)
        prompts = batches.prompts()
        window = self.window()
        with torch.autocast(to.type, torch.bfloat16, enabled=to.type == "cuda"):
            with torch.set_grad_enabled(improve):
                made = self.make(prompts)
                made_features = self.features(made, window)
            with torch.no_grad():
                real_features = self.features(real, window)
            self.judge.heads.requires_grad_(True)
            right, other = self.judge(real_features, [said, wrong])
            (false,) = self.judge([x.detach() for x in made_features], [prompts.words])
        loss_other = (F.relu(1 + other.float()).mean(1) * counts).sum() / counts.sum().clamp(min=1)
        loss_false = F.relu(1 + false.float()).mean()
        share = self.weights.mismatch
        loss_judge = F.relu(1 - right.float()).mean() + (1 - share) * loss_false + share * loss_other
        self.of_judge.zero_grad(set_to_none=True)
        loss_judge.backward()  # type: ignore[no-untyped-call]
        self.of_judge.step()
        losses = {
            "judge": float(loss_judge.detach()),
            "right": float(right.detach().mean()),
            "false": float(false.detach().mean()),
            "other": float(other.detach().mean()),
        }
        return losses | self._improve(real, made, made_features, prompts, step) if improve else losses

    def _improve(
        self,
        real: torch.Tensor,
        made: torch.Tensor,
        made_features: list[torch.Tensor],
        prompts: Said,
        step: int,
    ) -> dict[str, float]:
        to = self.device
        self.judge.heads.requires_grad_(False)
        with torch.autocast(to.type, torch.bfloat16, enabled=to.type == "cuda"):
            (score,) = self.judge(made_features, [prompts.words])
        # Two pictures of one prompt should differ about as much as real pictures do, not more.
        with torch.no_grad():
            self.spread += 0.02 * (float(layout_distance(real).mean()) - self.spread)
        alike = F.relu(1 - layout_distance(made) / (0.8 * self.spread)).mean()
        loss = -score.float().mean() + self.weights.diversity * alike
        losses = {"painter": float(loss.detach()), "alike": float(alike.detach())}
        if step % 2 == 0:
            # A prompt that says no more than the picture's own is no mistake: only contradictions count.
            wrong = contradictions(prompts.words, prompts.words)
            seen = self.matcher.pictures(made.float())
            match = contrast(seen, prompts.text, wrong, torch.tensor(MATCH_SCALE, device=to))
            loss = loss + 2 * self.weights.match * match
            losses["match"] = float(match.detach())
        self.of_painter.zero_grad(set_to_none=True)
        loss.backward()
        self.of_painter.step()
        self._average(min(self.decay, (step + 1) / (step + 20)))
        return losses

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
    painter: Generator, conditions: torch.Tensor, latents: Latents, chunk: int = 16
) -> Iterator[torch.Tensor]:
    """Pictures of ``conditions`` (N, K) in chunks (n, 3, S, S), on the painter's device."""
    device = conditions.device
    for start in range(0, len(conditions), chunk):
        part = slice(start, start + chunk)
        piece = Latents(latents.z[part], tuple(n[part] for n in latents.noise)).to(device)
        yield painter(conditions[part], piece)


def main(arguments: argparse.Namespace) -> None:
    """Train until the budget is used up."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = devices.pick()
    run = TrainingRun(arguments.out, arguments.minutes)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    matcher = MatcherModel.load(MODEL, device)
    config = GeneratorConfig(
        condition=matcher.net.config.embedding, channels=tuple(arguments.channels), soft=True
    )
    teacher = Teacher(arguments.data).to(device)
    views = load_views(arguments.data, config.size + MARGIN, teacher, arguments.cache)
    if views.words != matcher.vocabulary.words:
        raise SystemExit("the matcher was trained on other words: train and export `match` again")
    generator = seed_everything(arguments.seed)
    reference = Moments.of(views.features)
    rates = (arguments.rate, arguments.judge_rate)
    trainer = Trainer(config, matcher, teacher, rates, arguments.teacher_size, arguments.average)
    batches = Batches(views, matcher, config.size, arguments.batch, generator)
    state = run.restore(device) if arguments.resume else None
    if state is not None:
        trainer.load(state)
        generator.manual_seed(arguments.seed + run.step)
        torch.manual_seed(arguments.seed + run.step)
    else:
        trainer.judge.calibrate(batches.real()[0].to(device))
        if arguments.start_from:
            begun = torch.load(arguments.start_from, map_location=device, weights_only=True)
            run.continues(int(begun["step"]), float(begun["elapsed"]))
            trainer.load(begun["state"], judge=False)
            for number in range(arguments.judge_first):
                losses = trainer.step(batches, run.step, improve=False)
                if number % 50 == 0:
                    run.log(**losses)
    sheet_stream = torch.Generator().manual_seed(7)
    sheet_rows = torch.randint(len(views.captions), (12,), generator=sheet_stream).repeat_interleave(4)
    captions = torch.from_numpy(views.captions)
    sheet_words = condition(batches.say(captions[sheet_rows]).text)
    sheet_latents = draw_many(config, len(sheet_rows), sheet_stream)
    test_rows = torch.randint(len(views.captions), (1000,), generator=sheet_stream)
    test_words = condition(batches.say(captions[test_rows]).text)
    test_latents = draw_many(config, len(test_rows), sheet_stream)

    def save() -> None:
        # Conditions go along so that a checkpoint can paint typical pictures without the data.
        run.save(trainer.state() | {"config": config.to_card(), "conditions": test_words.cpu()})

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
