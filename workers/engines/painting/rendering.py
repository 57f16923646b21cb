"""Many pictures of many tasks on their way through the atelier: composed in chunks, then finished one by one.

A task that is canceled drops out at its next step and its neighbours go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image

from workers import images
from workers.engines.base import JobCanceled, JobReleased, Output, Result, Task
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import Atelier


@dataclass(slots=True)
class Order:
    """One task and how far it is. ``error`` ends it."""

    task: Task
    steps: int = 0
    done: int = 0
    error: Exception | None = None
    outputs: list[Output] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether the task goes on."""
        return self.error is None

    def result(self) -> Result:
        """What became of the task: nothing is kept of one that was stopped."""
        return Result(error=self.error) if self.error else Result(tuple(self.outputs))

    def advance(self, work: int = 1) -> bool:
        """``work`` of ``steps`` is done. False when the task was canceled or released just now."""
        self.done += work
        try:
            self.task.report.step(self.done, self.steps)
        except (JobCanceled, JobReleased) as reason:
            self.error = reason
        return self.open


@dataclass(slots=True, eq=False)
class Canvas:
    """Picture ``index`` of ``order``."""

    order: Order
    index: int
    latent: Latent
    size: int
    composed: torch.Tensor | None = None  # (3, S, S) on the CPU
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def brush(self) -> tuple[int, int]:
        """The stream of its brushwork: a latent painted again gets the same strokes."""
        first = self.latent.noise[0]
        return first.seed, first.index


def compose_all(
    atelier: Atelier, canvases: Sequence[Canvas], composed: Callable[[Canvas, torch.Tensor], None]
) -> None:
    """Compose every canvas whose order is open; one step each. ``composed`` receives (3, S, S)."""
    for chunk in chunks(canvases, atelier.chunk):
        wanted = [canvas for canvas in chunk if canvas.order.open]
        if not wanted:
            continue
        pictures = atelier.compose_latents([canvas.latent for canvas in wanted]).cpu()
        for canvas, picture in zip(wanted, pictures, strict=True):
            if canvas.order.open:
                composed(canvas, picture)
                canvas.order.advance()


def finish_all(
    atelier: Atelier, canvases: Sequence[Canvas], finished: Callable[[Canvas, Image.Image], None]
) -> None:
    """Finish what was composed, each at its size; ``atelier.cost(size)`` steps each, previews between."""
    told: set[int] = set()
    for size in sorted({canvas.size for canvas in canvases}):
        same = [canvas for canvas in canvases if canvas.size == size]
        for chunk in chunks(same, atelier.finish_chunk):
            wanted = [canvas for canvas in chunk if canvas.order.open]
            for order in {id(canvas.order): canvas.order for canvas in wanted}.values():
                if id(order) not in told:
                    told.add(id(order))
                    order.task.report.phase("painting")
            if wanted:
                _finish(atelier, wanted, size, finished)


class _NobodyWaits(Exception):
    """Every order of a chunk was canceled while it was being finished."""


def _finish(
    atelier: Atelier, canvases: Sequence[Canvas], size: int, finished: Callable[[Canvas, Image.Image], None]
) -> None:
    def tick(pictures: torch.Tensor, work: int) -> None:
        last = pictures.shape[-1] >= size
        for canvas, picture in zip(canvases, pictures, strict=True):
            if canvas.order.open:
                if not last:
                    canvas.order.task.report.preview(images.to_image(picture), canvas.index)
                canvas.order.advance(work)
        if not any(canvas.order.open for canvas in canvases):
            raise _NobodyWaits

    composed = torch.stack([canvas.composed for canvas in canvases if canvas.composed is not None])
    try:
        pictures = atelier.finish(composed, size, [canvas.brush for canvas in canvases], tick)
    except _NobodyWaits:
        return
    for canvas, picture in zip(canvases, pictures, strict=True):
        if canvas.order.open:
            image = images.to_image(picture)
            canvas.order.task.report.preview(image, canvas.index)
            finished(canvas, image)


def chunks(canvases: Sequence[Canvas], count: int) -> list[list[Canvas]]:
    """The canvases in order, ``count`` at a time."""
    return [list(canvases[k : k + count]) for k in range(0, len(canvases), count)]
