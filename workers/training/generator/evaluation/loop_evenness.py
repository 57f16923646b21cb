"""Evenness of loops between two pictures: distances of neighbouring frames in teacher features."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workers import images
from workers.engines.base import Animation, Engine, Picture, SilentReport, Task
from workers.engines.paint import PaintEngine
from workers.training.common.feature_metrics import pooled
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.statistics import loop_steps, unevenness
from workers.training.generator.evaluation.prompts import BRIDGES
from workers.training.generator.evaluation.sampling import PAINTED, ask

FRAMES = 24
PARAMETERS: Mapping[str, Any] = {
    "mode": "bridge",
    **{f"weight_{number}": 0.5 for number in range(1, 5)},
    "count": 1,
    "mutation": 0.0,
    "size": str(PAINTED),
    "frames": FRAMES,
    "layout_from": "mix",
    "shapes_from": "mix",
    "colour_from": "mix",
}
"""Complete parameters of ``blend``: training knows no kinds."""


def bridge(engine: PaintEngine, blend: Engine, parents: Sequence[Picture], frames: int) -> list[torch.Tensor]:
    """A loop through ``parents``, its frames (1, 3, S, S). Raises what the engine answers instead."""
    with tempfile.TemporaryDirectory(prefix="artsite-bridge-") as folder:
        inputs, works = {}, {}
        for number, parent in enumerate(parents, 1):
            path = Path(folder) / f"{number}.png"
            parent.image.save(path)
            inputs[f"parent_{number}"] = path
            works[f"parent_{number}"] = {
                "kind": "paint",
                "model": engine.model_name,
                "digest": engine.model_digest,
                "details": parent.details,
            }
        parameters = {**PARAMETERS, "frames": frames}
        (result,) = blend.run([Task(parameters, 1, SilentReport(), inputs, works)])
    if result.error is not None:
        raise result.error
    (loop,) = result.outputs
    if not isinstance(loop, Animation):
        raise TypeError(f"a bridge is an animation, not a {type(loop).__name__}")
    return [images.to_tensor(frame) for frame in loop.frames]


def measure(
    engine: PaintEngine,
    blend: Engine,
    teacher: Teacher,
    pairs: Sequence[tuple[str, str]] = BRIDGES,
    frames: int = FRAMES,
) -> dict[str, Any]:
    """Largest step over the median step of a loop between each pair of prompts."""
    found = {}
    for number, pair in enumerate(pairs):
        parents = [ask(engine, prompt, 1, 100 + 2 * number + k)[0] for k, prompt in enumerate(pair)]
        steps = loop_steps(pooled(teacher, bridge(engine, blend, parents, frames)))
        found[" -> ".join(pair)] = round(unevenness(steps), 2)
    return {
        "protocol": f"Loops of {frames} frames at {PAINTED} px; steps between neighbouring frames (the last "
        "to the first, too) in mean-pooled fire9 features at 128 px; largest step over the median step.",
        "largest_over_median": found,
        "worst": max(found.values()),
        "mean": round(float(np.mean(list(found.values()))), 2),
    }
