"""Pictures to measure: by requests to the engine, or in batches for captions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from workers import images
from workers.engines.base import Picture, SilentReport, Task
from workers.engines.paint import PaintEngine
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import PaintingPipeline
from workers.training.common.feature_metrics import SIZE

Pictures = npt.NDArray[np.uint8]
PAINTED = 256
"""Side at which pictures are made before they are reduced: the upscaler is a part of every measure."""
TRUNCATION = 0.8
"""The default of the kind's parameters."""
PARAMETERS: Mapping[str, Any] = {
    "prompt": "",
    "count": 1,
    "truncation": TRUNCATION,
    "size": str(PAINTED),
    "aspect": "1:1",
    "candidates": 1,
    "refine": 0,
}
"""Complete parameters of ``paint``: measures change some of them, and training knows no kinds."""


def ask(
    engine: PaintEngine,
    prompt: str,
    count: int,
    seed: int,
    truncation: float = TRUNCATION,
    size: int = PAINTED,
) -> list[Picture]:
    """``count`` pictures for ``prompt``. Raises what the engine answers instead."""
    asked = {"prompt": prompt, "count": count, "truncation": truncation, "size": str(size)}
    (result,) = engine.run([Task({**PARAMETERS, **asked}, seed, SilentReport())])
    if result.error is not None:
        raise result.error
    return [output for output in result.outputs if isinstance(output, Picture)]


def reduced(pictures: torch.Tensor) -> Pictures:
    """(N, 3, S, S) in [-1, 1] -> uint8 (N, 128, 128, 3), by area."""
    if pictures.shape[-1] != SIZE:
        pictures = F.interpolate(pictures, size=(SIZE, SIZE), mode="area")
    values = pictures.clamp(-1, 1).add(1).mul(127.5).round().to("cpu", torch.uint8)
    return np.asarray(values.permute(0, 2, 3, 1).contiguous().numpy())


def reduced_pictures(
    engine: PaintEngine, prompt: str, count: int, seed: int, truncation: float = TRUNCATION
) -> Pictures:
    """:func:`ask` at 256 px, reduced: uint8 (count, 128, 128, 3)."""
    found = ask(engine, prompt, count, seed, truncation)
    return reduced(torch.cat([images.to_tensor(picture.image) for picture in found]))


@torch.no_grad()
def for_captions(pipeline: PaintingPipeline, texts: Sequence[Sequence[str]], seed: int) -> Pictures:
    """A picture for each list of the matcher's words, at truncation 1: uint8 (N, 128, 128, 3)."""
    found = []
    for start in range(0, len(texts), pipeline.chunk):
        part = texts[start : start + pipeline.chunk]
        subjects = pipeline.subjects(pipeline.matcher.conditions(part))
        streams = [(seed, start + number) for number in range(len(part))]
        z = torch.stack([pipeline.draw(*stream) for stream in streams])
        styles = pipeline.styles(z, subjects)
        latents = [Latent.of(row, *stream) for row, stream in zip(styles, streams, strict=True)]
        found.append(reduced(pipeline.finish(pipeline.compose_latents(latents), PAINTED, streams)))
    return np.concatenate(found)


def shuffled_words(captions: npt.NDArray[np.float32], words: Sequence[str], seed: int) -> list[list[str]]:
    """Multi-hot captions (N, K) over ``words`` -> their words in random order."""
    order = np.random.default_rng(seed)
    return [[words[k] for k in order.permutation(np.flatnonzero(row))] for row in captions]
