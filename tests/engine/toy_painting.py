"""A painter, a matcher and an upscaler at toy size in a models folder, and a report that remembers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from workers import weights
from workers.engines.base import JobCanceled, Picture, Result, SilentReport
from workers.engines.language.prompt_lexicon import words_of
from workers.nets.generator import Generator, GeneratorConfig
from workers.nets.matcher import Matcher, MatcherConfig
from workers.nets.upscaler import Upscaler, UpscalerConfig

TOY = GeneratorConfig(condition=16, latent=16, embedding=8, channels=(16, 8, 8, 8))
TOY_MATCHER = MatcherConfig(
    words=tuple(words_of()), embedding=16, token=8, hidden=8, size=32, stem=4, widths=(8, 8), features=16
)
TOY_UPSCALER = UpscalerConfig(channels=4, blocks=1)
CARD: dict[str, Any] = {
    "name": "paint",
    "architecture": "toy",
    "config": TOY.to_card(),
    "helpers": {"matcher": "match", "upscaler": "paint-upscaler"},
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}


def lively(net: torch.nn.Module, scale: float = 0.3) -> dict[str, torch.Tensor]:
    """Weights that make words, latents and noise matter: training's first values hide them."""
    stream = torch.Generator().manual_seed(3)
    return {
        name: torch.randn(value.shape, generator=stream) * scale
        if name.endswith((".weight", "strength", "_l0", "_l0_reverse"))
        else value
        for name, value in net.state_dict().items()
    }


def write_models(root: Path) -> None:
    """The three folders that a painting pipeline is opened from, the same in every run."""
    torch.manual_seed(3)
    weights.save(root / "paint", lively(Generator(TOY), 0.13), CARD)
    card = CARD | {"name": "match", "config": TOY_MATCHER.to_card()}
    weights.save(root / "match", lively(Matcher(TOY_MATCHER)), card)
    card = CARD | {"name": "paint-upscaler", "config": TOY_UPSCALER.to_card()}
    weights.save(root / "paint-upscaler", lively(Upscaler(TOY_UPSCALER), 0.05), card)


class Recording(SilentReport):
    """Remembers what it was told; cancels at step ``cancel_at``."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.cancel_at = cancel_at
        self.steps: list[tuple[int, int | None]] = []
        self.phases: list[str] = []
        self.previews: list[tuple[int, tuple[int, int]]] = []
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        self.steps.append((step, steps))
        if self.cancel_at is not None and step >= self.cancel_at:
            raise JobCanceled

    def preview(self, image: Image.Image, index: int = 0) -> None:
        self.previews.append((index, image.size))

    def note(self, code: str, **data: Any) -> None:
        self.notes.append((code, data))

    @property
    def work(self) -> list[int]:
        """Steps done so far, without those that only repeat."""
        return list(dict.fromkeys(step for step, _ in self.steps))


def outputs(result: Result) -> list[Picture]:
    """The finished pictures; raises what ended the task."""
    if result.error is not None:
        raise result.error
    return [output for output in result.outputs if isinstance(output, Picture)]


def pixels(result: Result) -> list[np.ndarray[Any, Any]]:
    """The finished pictures as integers (H, W, 3)."""
    return [np.asarray(output.image).astype(int) for output in outputs(result)]
