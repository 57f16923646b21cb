"""The restyle engine beside an optimisation of every picture (Gatys et al. 2016); seams, seconds and memory.

The expensive half of the comparison, the optimisation, depends on neither the engine nor its weights: it is
kept per pair in a cache folder, so that a measurement goes on where it was stopped, and another network is
measured in minutes.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workers import images
from workers.engines.restyle import MARGIN, RestyleEngine
from workers.nets.tiled_style_transfer import ROWS, paint_in_strips, strips_of
from workers.training.common.data import sample_pictures
from workers.training.common.perceptual_teacher import Teacher, gram
from workers.training.style_transfer.losses import CONTENT_LAYER, STYLE_LAYERS, total_variation

CONTENT_WEIGHT = 0.25
STEP = 0.04
VARIATION = 0.15
"""Of pictures in [-1, 1]: half as much as 0.3 of [0, 1]. These three are a part of PROTOCOL, not tuned."""
PROTOCOL = (
    "{photos} validation photographs x {styles} {which} ({pairs} pairs), squares of {side} px, painted by "
    "the engine as it ships at full strength. Style: sum over conv1, fire2, fire4, fire5, fire6 and fire7 of "
    "the teacher of the Gram matrix's squared difference over the style's squared norm; content: fire5, "
    "squared difference over mean square. Each ratio is the mean of the engine's losses over the mean of "
    "those of a pixel optimisation that starts from the photograph ({steps} steps of Adam at 0.02 of [0, 1]; "
    "content 0.25, variation 0.3)."
)


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture and what identifies it: its file name, or the slug of a ready style."""

    name: str
    image: Image.Image


@dataclass(frozen=True, slots=True)
class OptimisedLosses:
    """Losses of an optimised pair, and the style loss of the untouched photograph."""

    style: float
    content: float
    untouched: float


class OptimisationBaseline:
    """Losses of PROTOCOL on the teacher's features, of results and of optimised pictures."""

    def __init__(self, teacher: Teacher, steps: int, cache: Path | None = None) -> None:
        """``steps`` of each optimisation; ``cache``: a folder with one small file per pair."""
        self._teacher = teacher
        self._steps = steps
        self._cache = cache
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)

    def losses(
        self, found: dict[str, torch.Tensor], styles: dict[str, torch.Tensor], content: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Style and content loss of PROTOCOL; ``styles`` are Gram matrices by layer."""
        style = content.new_zeros(())
        for name in STYLE_LAYERS:
            style = style + (gram(found[name]) - styles[name]).pow(2).sum() / styles[name].pow(2).sum()
        return style, (found[CONTENT_LAYER] - content).pow(2).mean() / content.pow(2).mean()

    @torch.no_grad()
    def losses_of(
        self, content: NamedPicture, style: NamedPicture, result: Image.Image
    ) -> tuple[float, float]:
        """Style and content loss of a ``result`` for ``content`` and ``style``."""
        targets, kept = self._targets(content, style)
        found = self._teacher(self._tensor(result), STYLE_LAYERS)
        of_style, of_content = self.losses(found, targets, kept[CONTENT_LAYER])
        return float(of_style), float(of_content)

    def optimised(self, content: NamedPicture, style: NamedPicture) -> OptimisedLosses:
        """The same losses of an optimisation of this pair, from the cache when it is there."""
        path = None if self._cache is None else self._cache / f"{self._key(content, style)}.json"
        if path is not None and path.is_file():
            return OptimisedLosses(**json.loads(path.read_text("utf-8")))
        made = self._optimise(content, style)
        if path is not None:
            temporary = path.with_suffix(".tmp")
            temporary.write_text(
                json.dumps({"style": made.style, "content": made.content, "untouched": made.untouched}),
                "utf-8",
            )
            temporary.replace(path)
        return made

    def _key(self, content: NamedPicture, style: NamedPicture) -> str:
        """Equal for equal pixels, steps and weights of the losses."""
        digest = hashlib.sha256(f"{self._steps} {CONTENT_WEIGHT} {STEP} {VARIATION}".encode())
        for one in (content.image, style.image):
            digest.update(f"{one.size}".encode() + one.tobytes())
        return digest.hexdigest()[:32]

    def _tensor(self, image: Image.Image) -> torch.Tensor:
        return images.to_tensor(image).to(self._teacher.mean.device)

    @torch.no_grad()
    def _targets(
        self, content: NamedPicture, style: NamedPicture
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        kept = self._teacher(self._tensor(content.image), STYLE_LAYERS)
        seen = self._teacher(self._tensor(style.image), STYLE_LAYERS)
        return {name: gram(found) for name, found in seen.items()}, kept

    def _optimise(self, content: NamedPicture, style: NamedPicture) -> OptimisedLosses:
        targets, kept = self._targets(content, style)
        untouched = float(self.losses(kept, targets, kept[CONTENT_LAYER])[0])
        pixels = self._tensor(content.image).requires_grad_(True)
        optimiser = torch.optim.Adam([pixels], STEP)
        for _ in range(self._steps):
            found = self._teacher(pixels, STYLE_LAYERS)
            of_style, of_content = self.losses(found, targets, kept[CONTENT_LAYER])
            error = of_style + CONTENT_WEIGHT * of_content + VARIATION * total_variation(pixels)
            (pixels.grad,) = torch.autograd.grad(error, pixels)
            optimiser.step()
            pixels.data.clamp_(-1, 1)
        with torch.no_grad():
            best = self.losses(self._teacher(pixels, STYLE_LAYERS), targets, kept[CONTENT_LAYER])
        return OptimisedLosses(float(best[0]), float(best[1]), untouched)


def compare(
    engine: RestyleEngine,
    baseline: OptimisationBaseline,
    contents: Sequence[NamedPicture],
    styles: Sequence[NamedPicture],
    *,
    ready: bool,
    each: int | None = None,
) -> dict[str, float]:
    """The ratios of PROTOCOL. ``ready``: the styles are ready ones, named by their slugs.

    ``each``: so many contents for every style, in turn, so that each is met about as often (None: all pairs).
    """
    rows = []
    for number, style in enumerate(styles):
        code = engine.code(style.name) if ready else engine.encode(style.image)
        count = len(contents) if each is None else min(each, len(contents))
        for content in [contents[(number + turn) % len(contents)] for turn in range(count)]:
            ours = baseline.losses_of(content, style, engine.paint(content.image, code))
            best = baseline.optimised(content, style)
            rows.append((*ours, best.style, best.content, best.untouched))
            print(style.name, content.name, *(f"{value:.4f}" for value in rows[-1]), flush=True)
    table = np.array(rows)
    mean = table.mean(0)
    return {
        "style_ratio": round(float(mean[0] / mean[2]), 2),
        "content_ratio": round(float(mean[1] / mean[3]), 2),
        "median_style_ratio": round(float(np.median(table[:, 0] / table[:, 2])), 2),
        "style_ratio_of_the_untouched_photograph": round(float(mean[4] / mean[2]), 2),
        "pairs": len(rows),
    }


@torch.inference_mode()
def seams(engine: RestyleEngine, side: int = 768, rows: int = ROWS) -> dict[str, float]:
    """Seams of a picture of ``side`` px that is painted in strips at its full size.

    ``gradient``: mean gradient across the borders of strips over that across rows of the same phase in the
    network's 8 px cells; ``apart``: largest difference from one pass, of 2 (the range is [-1, 1]).
    """
    net = engine.net
    picture = images.to_tensor(sample_pictures(side)[0].resize((side, side))).to(engine.device)
    code = engine.code(engine.styles[0])
    painted = paint_in_strips(net, picture, code, rows=rows)
    apart = float((painted - net(picture, code)).abs().max())
    steps = painted.diff(dim=2).abs().mean((0, 1, 3)).cpu().numpy()
    borders = np.array([top - 1 for top, _ in strips_of(side, rows)[1:]])
    same = np.arange(MARGIN - 1, side - MARGIN, 8)
    elsewhere = same[~np.isin(same, borders)]
    return {
        "gradient": round(float(steps[borders].mean() / steps[elsewhere].mean()), 3),
        "apart": round(apart, 6),
    }


def seconds(engine: RestyleEngine, side: int, times: int = 5) -> float:
    """Median seconds of one square picture of ``side`` px, all threads, without previews."""
    content = sample_pictures(512)[0].resize((side, side), Image.Resampling.LANCZOS)
    code = engine.code(engine.styles[0])
    engine.paint(content, code)
    found = []
    for _ in range(times):
        start = time.perf_counter()
        engine.paint(content, code)
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def _paint_alone(side: int, brush: float, answers: multiprocessing.SimpleQueue[float]) -> None:
    engine = RestyleEngine()
    content = sample_pictures(512)[0].resize((side, side), Image.Resampling.LANCZOS)
    engine.paint(content, engine.code(engine.styles[0]), brush=brush, style_scale=1.0 if brush else 0.5)
    answers.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_megabytes(side: int, brush: float = 0.0) -> float:
    """Peak resident memory of a process that paints a square of ``side`` px, Python and torch included.

    With the finest brush the canvas is as large as the picture: the most that a request can ask for.
    """
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.SimpleQueue[float] = context.SimpleQueue()
    process = context.Process(target=_paint_alone, args=(side, brush, answers))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the largest picture ended with exit code {process.exitcode}")
    return answers.get()
