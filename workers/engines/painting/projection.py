"""Projection: the latent whose picture is most like a given one.

The search starts from the best of many random latents whose subject is read off the picture by the
matcher, and descends on a style per level, kept near where painters' styles lie (cf. Abdal et al. 2019,
Image2StyleGAN; Tov et al. 2021 on why to stay near). What comes out is a likeness, not a copy, and can be
mixed like any other latent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from PIL import Image

from workers import images
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import PaintingPipeline
from workers.nets.matcher import condition

STARTS = 64
STEPS = 100
RATE = 0.06
RATE_LEVELS = 0.5  # of RATE, for what each level does alone
LOW = (16, 32, 64)  # sides at which pixels are compared, px
PIXELS, FEATURES, EMBEDDING = 8.0, 1.0, 1.0  # weights of the loss
PULL_SUBJECT = 0.05
PULL_LEVELS = 0.05
LEAST_SIDE = 16
"""Smallest picture that can be looked for, px."""
PREVIEW_EVERY = 6


class TooSmall(ValueError):
    """A picture has too few pixels to look for."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A latent, its picture (3, S, S), and how unlike the original that is (0: the same)."""

    latent: Latent
    picture: torch.Tensor
    distance: float


def work(pipeline: PaintingPipeline) -> int:
    """Steps that :func:`project` reports, in units of one composed picture."""
    return STARTS + STEPS * STEP_WORK


STEP_WORK = 3


def square(image: Image.Image, side: int) -> torch.Tensor:
    """The middle square of a picture at ``side`` px, (3, side, side). Raises TooSmall."""
    least = min(image.size)
    if least < LEAST_SIDE:
        raise TooSmall(f"{image.width} x {image.height} px is too small")
    left, top = (image.width - least) // 2, (image.height - least) // 2
    cut = image.crop((left, top, left + least, top + least))
    return images.to_tensor(cut.resize((side, side), Image.Resampling.LANCZOS))[0]


class _Target:
    """What a picture shall be like."""

    def __init__(self, pipeline: PaintingPipeline, picture: torch.Tensor) -> None:
        self._matcher = pipeline.matcher
        with torch.no_grad():
            self._pixels = _low(picture)
            self._features = self._matcher.features(picture)
            self.embedding = F.normalize(self._matcher.pictures(picture), dim=1)
        self._scale = self._features.square().sum(1).clamp_min(1e-6)

    def distance(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) -> (N,), differentiable."""
        pixels = torch.stack(
            [
                (one - other).square().mean((1, 2, 3))
                for one, other in zip(_low(pictures), self._pixels, strict=True)
            ]
        ).mean(0)
        features = self._matcher.features(pictures)
        perceived = (features - self._features).square().sum(1) / self._scale
        meaning = 1 - (self._matcher.net.image.embed(features) * self.embedding).sum(1)
        return PIXELS * pixels + FEATURES * perceived + EMBEDDING * meaning


def _low(pictures: torch.Tensor) -> list[torch.Tensor]:
    return [
        F.interpolate(pictures, (side, side), mode="bilinear", antialias=True, align_corners=False)
        for side in LOW
        if side < pictures.shape[-1]
    ] or [pictures]


def project(
    pipeline: PaintingPipeline,
    picture: torch.Tensor,
    stream: tuple[int, int],
    step: Callable[[int, torch.Tensor | None], None],
) -> Projection:
    """Look for ``picture`` (3, S, S), S the painter's size, in [-1, 1].

    ``stream``: seed and index of the random numbers, which also become the latent's noise. ``step(work,
    picture)`` hears of ``work`` done and, now and then, how it looks; it may raise to stop.
    """
    target = _Target(pipeline, picture[None].to(pipeline.device))
    began = _start(pipeline, target, stream, step)
    latent = pipeline.config.latent
    styles = began.styles[None].to(pipeline.device)
    noise = pipeline.noise([began])
    subject = pipeline.config.style - latent
    z = styles[:, :1, :latent].clone().requires_grad_()
    meant = styles[:, :1, latent:].clone().requires_grad_()
    own = torch.zeros_like(styles).requires_grad_()
    spread = float(styles[..., latent:].std()) if subject > 1 else 1.0
    walk = torch.optim.Adam(
        [
            {"params": [z], "rate": RATE},
            {"params": [meant], "rate": RATE * min(1.0, spread)},
            {"params": [own], "rate": RATE * RATE_LEVELS},
        ],
        lr=RATE,
        betas=(0.9, 0.95),
    )
    normal = latent**0.5
    for number in range(STEPS):
        for group in walk.param_groups:
            group["lr"] = group["rate"] * _rate(number / STEPS)
        with torch.enable_grad():
            found = (
                torch.cat([z.expand(-1, styles.shape[1], -1), meant.expand(-1, styles.shape[1], -1)], 2) + own
            )
            painted = pipeline.compose(found, noise)
            length = torch.linalg.vector_norm(found[..., :latent], dim=2) / normal
            loss = (
                target.distance(painted).sum()
                + 0.1 * F.relu(length - 1).square().sum()
                + PULL_SUBJECT * (meant - styles[:, :1, latent:]).square().mean() / max(spread, 1e-3) ** 2
                + PULL_LEVELS * own.square().mean()
            )
            gradients = torch.autograd.grad(loss, [z, meant, own])
        z.grad, meant.grad, own.grad = gradients
        walk.step()
        step(STEP_WORK, painted.detach()[0].cpu() if number % PREVIEW_EVERY == 0 else None)
    with torch.no_grad():
        last = torch.cat([z.expand(-1, styles.shape[1], -1), meant.expand(-1, styles.shape[1], -1)], 2) + own
        result = Latent.of(last[0], *stream)
        painted = pipeline.compose_latents([result])
        distance = float(target.distance(painted)[0])
    return Projection(result, painted[0].cpu(), distance)


def _rate(progress: float) -> float:
    """Warmed up over the first twentieth, then a cosine."""
    return min(1.0, (progress + 0.01) * 20) * 0.5 * (1 + math.cos(math.pi * progress))


def _start(
    pipeline: PaintingPipeline,
    target: _Target,
    stream: tuple[int, int],
    step: Callable[[int, torch.Tensor | None], None],
) -> Latent:
    """The random latent most like the target."""
    subject = pipeline.subjects(condition(target.embedding))
    best: tuple[float, Latent] | None = None
    for begin in range(0, STARTS, pipeline.chunk):
        count = min(pipeline.chunk, STARTS - begin)
        # The noise is the same for all: only the first stream's is kept.
        draws = torch.stack(
            [pipeline.draw(stream[0], stream[1] + START_STREAM + begin + k) for k in range(count)]
        )
        styles = pipeline.styles(draws, subject.expand(count, -1))
        latents = [Latent.of(style, *stream) for style in styles]
        painted = pipeline.compose_latents(latents)
        with torch.no_grad():
            distances = target.distance(painted)
        nearest = int(distances.argmin())
        better = best is None or float(distances[nearest]) < best[0]
        if better:
            best = float(distances[nearest]), latents[nearest]
        step(count, painted[nearest].cpu() if better else None)
    assert best is not None
    return best[1]


START_STREAM = 1 << 16  # added to the index: the random starts
