"""Projection: the latent whose picture is most like a given one.

The search starts from the best of many random latents whose subject the matcher reads off the picture, and
descends on a style per level, kept near the styles that the generator was trained on (cf. Abdal et al. 2019,
Image2StyleGAN; Tov et al. 2021 on why to stay near). The result is a likeness, not a copy, and can be mixed
like any other latent.
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
START_STREAM = 1 << 16  # added to the index: the random starts
STEPS = 100
STEP_WORK = 3  # work of a step in units of one composed picture
STEP_COUNT = STARTS + STEPS * STEP_WORK
"""Work that :func:`project` reports, in units of one composed picture."""
PREVIEW_EVERY = 6  # steps
LEAST_SIDE = 16
"""Smallest side of a picture that can be projected, px."""
PIXEL_SIDES = (16, 32, 64)  # sides at which pixels are compared, px
# Set by hand: rates of Adam and weights of the loss.
RATE = 0.06
RATE_LEVELS = 0.5  # of RATE, for what each level changes alone
PIXELS, FEATURES, EMBEDDING = 8.0, 1.0, 1.0
PENALTY_LENGTH = 0.1  # for a random part longer than the latents of training
PENALTY_SUBJECT = 0.05
PENALTY_LEVELS = 0.05


class TooSmall(ValueError):
    """A picture has too few pixels to be projected."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A latent, its picture (3, S, S), and the distance of that to the original (0: the same)."""

    latent: Latent
    picture: torch.Tensor
    distance: float


def centre_square(image: Image.Image, side: int) -> torch.Tensor:
    """The centre square of a picture at ``side`` px, (3, side, side). Raises TooSmall."""
    least = min(image.size)
    if least < LEAST_SIDE:
        raise TooSmall(f"{image.width} x {image.height} px is too small")
    left, top = (image.width - least) // 2, (image.height - least) // 2
    crop = image.crop((left, top, left + least, top + least))
    return images.to_tensor(crop.resize((side, side), Image.Resampling.LANCZOS))[0]


class _Distance:
    """How far pictures are from one picture (1, 3, S, S): in pixels, in features and in the embedding."""

    def __init__(self, pipeline: PaintingPipeline, picture: torch.Tensor) -> None:
        self._matcher = pipeline.matcher
        with torch.no_grad():
            self._pixels = _reduced(picture)
            self._features = self._matcher.features(picture)
            self.embedding = F.normalize(self._matcher.pictures(picture), dim=1)
        self._scale = self._features.square().sum(1).clamp_min(1e-6)

    def of(self, pictures: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S) -> (N,), differentiable."""
        pixels = torch.stack(
            [
                (one - other).square().mean((1, 2, 3))
                for one, other in zip(_reduced(pictures), self._pixels, strict=True)
            ]
        ).mean(0)
        found = self._matcher.features(pictures)
        features = (found - self._features).square().sum(1) / self._scale
        embedding = 1 - (self._matcher.net.image.embed(found) * self.embedding).sum(1)
        return PIXELS * pixels + FEATURES * features + EMBEDDING * embedding


def _reduced(pictures: torch.Tensor) -> list[torch.Tensor]:
    return [
        F.interpolate(pictures, (side, side), mode="bilinear", antialias=True, align_corners=False)
        for side in PIXEL_SIDES
        if side < pictures.shape[-1]
    ] or [pictures]


def project(
    pipeline: PaintingPipeline,
    picture: torch.Tensor,
    stream: tuple[int, int],
    step: Callable[[int, torch.Tensor | None], None],
) -> Projection:
    """The latent of ``picture`` (3, S, S) in [-1, 1], S the generator's size.

    ``stream``: seed and index of the random numbers, which also become the latent's noise. ``step(work,
    picture)`` receives the work done and now and then the picture so far (3, S, S); it may raise to stop.
    """
    distance = _Distance(pipeline, picture[None].to(pipeline.device))
    start = _best_start(pipeline, distance, stream, step)
    latent = pipeline.config.latent
    styles = start.styles[None].to(pipeline.device)  # (1, levels, style)
    levels = styles.shape[1]
    noise = pipeline.noise([start])
    z = styles[:, :1, :latent].clone().requires_grad_()  # the random part, the same at every level
    subject = styles[:, :1, latent:].clone().requires_grad_()
    own = torch.zeros_like(styles).requires_grad_()  # change of each level alone
    spread = float(styles[..., latent:].std()) if subject.shape[2] > 1 else 1.0
    optimiser = torch.optim.Adam(
        [
            {"params": [z], "rate": RATE},
            {"params": [subject], "rate": RATE * min(1.0, spread)},
            {"params": [own], "rate": RATE * RATE_LEVELS},
        ],
        lr=RATE,
        betas=(0.9, 0.95),
    )

    def current() -> torch.Tensor:
        return torch.cat([z.expand(-1, levels, -1), subject.expand(-1, levels, -1)], 2) + own

    normal = latent**0.5  # about the length of a standard normal vector
    for number in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * _schedule(number / STEPS)
        with torch.enable_grad():
            found = current()
            painted = pipeline.compose(found, noise)
            length = torch.linalg.vector_norm(found[..., :latent], dim=2) / normal
            moved = (subject - styles[:, :1, latent:]).square().mean()
            loss = (
                distance.of(painted).sum()
                + PENALTY_LENGTH * F.relu(length - 1).square().sum()
                + PENALTY_SUBJECT * moved / max(spread, 1e-3) ** 2
                + PENALTY_LEVELS * own.square().mean()
            )
            gradients = torch.autograd.grad(loss, [z, subject, own])
        z.grad, subject.grad, own.grad = gradients
        optimiser.step()
        step(STEP_WORK, painted.detach()[0].cpu() if number % PREVIEW_EVERY == 0 else None)
    with torch.no_grad():
        result = Latent.of(current()[0], *stream)
        painted = pipeline.compose_latents([result])
        return Projection(result, painted[0].cpu(), float(distance.of(painted)[0]))


def _schedule(progress: float) -> float:
    """Share of the learning rate at ``progress`` in [0, 1): warm-up over a twentieth, then a cosine."""
    return min(1.0, (progress + 0.01) * 20) * 0.5 * (1 + math.cos(math.pi * progress))


def _best_start(
    pipeline: PaintingPipeline,
    distance: _Distance,
    stream: tuple[int, int],
    step: Callable[[int, torch.Tensor | None], None],
) -> Latent:
    """The nearest of STARTS random latents."""
    subject = pipeline.subjects(condition(distance.embedding))
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
            distances = distance.of(painted)
        nearest = int(distances.argmin())
        better = best is None or float(distances[nearest]) < best[0]
        if better:
            best = float(distances[nearest]), latents[nearest]
        step(count, painted[nearest].cpu() if better else None)
    assert best is not None
    return best[1]
