"""A closed path through the latents of some parents, rendered in perceptually even steps (mode ``bridge``).

Equal steps in latent space look unequal. The path is sampled densely, the distances between neighbours are
measured in the matcher's features and in coarse pixels, and the frames are placed evenly along their sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from workers import images
from workers.engines.painting.latents import Latent, mix
from workers.engines.painting.pipeline import PaintingPipeline

SAMPLES_PER_FRAME = 2
ROUNDS = 2  # of measuring the samples and placing them anew
REPAIRS = 2  # more rounds on the frames themselves, while they are uneven
COARSE = 16  # side at which pixels are compared, px: what the matcher takes for the same may still jump
EVEN = 1.5
"""Largest step by median step that needs no repair; set by hand, and reported by the evaluation."""

Floats = npt.NDArray[np.float64]


def step_count(pipeline: PaintingPipeline, frames: int, size: int) -> int:
    """Work that :func:`render_loop` reports, in units of one composed picture."""
    return frames * (SAMPLES_PER_FRAME * ROUNDS + 1 + REPAIRS + pipeline.cost(size))


def latent_at(parents: Sequence[Latent], position: float, locked: dict[int, int], latent: int) -> Latent:
    """The latent at ``position`` in [0, parents) of the closed path; ``locked``: level -> its one parent."""
    first = int(position) % len(parents)
    part = position - int(position)
    shares = torch.zeros(parents[0].styles.shape[0], len(parents), dtype=torch.float64)
    shares[:, first] += 1 - part
    shares[:, (first + 1) % len(parents)] += part
    for level, parent in locked.items():
        shares[level] = 0
        shares[level, parent] = 1
    return mix(parents, shares, latent)


def step_lengths(features: Floats) -> Floats:
    """Features (M, F) along a closed path -> distance from each to the next, the last to the first (M,)."""
    return np.asarray(np.linalg.norm(np.roll(features, -1, 0) - features, axis=1), np.float64)


def even_positions(positions: Floats, lengths: Floats, end: float, count: int) -> Floats:
    """``count`` positions from the first on, evenly along a closed path whose steps have ``lengths``."""
    # Identical parents have no distance: a little is added everywhere, so that positions stay apart.
    lengths = lengths + max(1e-9, 1e-3 * float(lengths.mean()))
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    wanted = np.arange(count) / count * along[-1]
    return np.asarray(np.interp(wanted, along, np.append(positions, end)), np.float64)


def render_loop(
    pipeline: PaintingPipeline,
    parents: Sequence[Latent],
    locked: dict[int, int],
    frames: int,
    size: int,
    step: Callable[[int, Image.Image | None], None],
) -> tuple[list[Image.Image], list[Latent]]:
    """The frames of a loop that begins at the first parent, and their latents.

    ``step(work, frame)`` receives the work done and now and then a picture; it may raise to stop.
    """
    end = float(len(parents))
    noise_stream = (parents[0].noise[0].seed, parents[0].noise[0].index)
    composed: list[torch.Tensor] = []

    def at(position: float) -> Latent:
        return latent_at(parents, float(position), locked, pipeline.config.latent)

    def measure(positions: Floats, keep: bool = False) -> Floats:
        found = []
        composed.clear()
        for begin in range(0, len(positions), pipeline.chunk):
            some = positions[begin : begin + pipeline.chunk]
            pictures = pipeline.compose_latents([at(position) for position in some])
            with torch.no_grad():
                features = pipeline.matcher.features(pictures).cpu()
                coarse = F.adaptive_avg_pool2d(pictures, COARSE).flatten(1).cpu()
            found.append((features, coarse))
            if keep:
                composed.extend(pictures.cpu())
            step(len(some), images.to_image(pictures[0]))
        both = [np.asarray(torch.cat(part).double().numpy(), np.float64) for part in zip(*found, strict=True)]
        # Each in units of its own mean step: neither outweighs the other.
        return np.concatenate([one / max(float(step_lengths(one).mean()), 1e-9) for one in both], 1)

    samples = SAMPLES_PER_FRAME * frames
    positions = np.arange(samples) / samples * end
    for number in range(ROUNDS):
        lengths = step_lengths(measure(positions))
        positions = even_positions(positions, lengths, end, samples if number + 1 < ROUNDS else frames)
    lengths = step_lengths(measure(positions, keep=True))
    best, kept, repairs = _unevenness(lengths), (positions, list(composed)), 0
    while repairs < REPAIRS and best > EVEN:
        repairs += 1
        positions = even_positions(positions, lengths, end, frames)
        lengths = step_lengths(measure(positions, keep=True))
        if _unevenness(lengths) < best:
            best, kept = _unevenness(lengths), (positions, list(composed))
    step((REPAIRS - repairs) * frames, None)
    composed.clear()
    return _render(pipeline, kept[1], size, noise_stream, step), [at(position) for position in kept[0]]


def _unevenness(lengths: Floats) -> float:
    """Largest step by median step."""
    return float(lengths.max() / max(float(np.median(lengths)), 1e-9))


def _render(
    pipeline: PaintingPipeline,
    composed: list[torch.Tensor],
    size: int,
    noise_stream: tuple[int, int],
    step: Callable[[int, Image.Image | None], None],
) -> list[Image.Image]:
    """Finish the frames, all with the same noise: brushwork that changes at random would flicker."""
    finished: list[Image.Image] = []
    for begin in range(0, len(composed), pipeline.finish_chunk):
        some = torch.stack(composed[begin : begin + pipeline.finish_chunk])

        def tick(_: torch.Tensor, done: int, count: int = len(some)) -> None:
            step(done * count, None)

        pictures = pipeline.finish(some, size, [noise_stream] * len(some), tick)
        finished += images.to_images(pictures)
        step(0, finished[-1])
    return finished
