"""Many pictures of many tasks: composed small in chunks, then finished at their size.

A task that is canceled drops out at its next step and its neighbours go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from PIL import Image

from workers import images
from workers.engines.base import JobCanceled, JobReleased, Output, Result, Task
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import PaintingPipeline


@dataclass(slots=True)
class RenderTask:
    """One task and its progress: ``done`` of ``steps``. ``error`` ends it."""

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
        """The outputs, or the error alone: nothing is kept of a task that was stopped."""
        return Result(error=self.error) if self.error else Result(tuple(self.outputs))

    def advance(self, work: int = 1) -> bool:
        """Report that ``work`` more of ``steps`` is done. False when the task was canceled or released."""
        self.done += work
        try:
            self.task.report.step(self.done, self.steps)
        except (JobCanceled, JobReleased) as reason:
            self.error = reason
        return self.open


TaskT = TypeVar("TaskT", bound=RenderTask)


@dataclass(slots=True, eq=False)
class RenderItem(Generic[TaskT]):
    """Picture ``index`` of ``render_task``, ``size`` px a side."""

    render_task: TaskT
    index: int
    latent: Latent
    size: int
    composed: torch.Tensor | None = None  # (3, S, S) on the CPU, S the generator's size
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def noise_stream(self) -> tuple[int, int]:
        """Seed and index of the upscaler's noise: a latent that is painted again gets the same brushwork."""
        first = self.latent.noise[0]
        return first.seed, first.index


def compose_all(
    pipeline: PaintingPipeline,
    items: Sequence[RenderItem[TaskT]],
    composed: Callable[[RenderItem[TaskT], torch.Tensor], None],
) -> None:
    """Compose every item whose task is open; one step each. ``composed`` receives (3, S, S) on the CPU."""
    for chunk in chunks(items, pipeline.chunk):
        wanted = [item for item in chunk if item.render_task.open]
        if not wanted:
            continue
        pictures = pipeline.compose_latents([item.latent for item in wanted]).cpu()
        for item, picture in zip(wanted, pictures, strict=True):
            if item.render_task.open:
                composed(item, picture)
                item.render_task.advance()


def finish_all(
    pipeline: PaintingPipeline,
    items: Sequence[RenderItem[TaskT]],
    finished: Callable[[RenderItem[TaskT], Image.Image], None],
) -> None:
    """Finish what was composed, each at its size; ``pipeline.cost(size)`` steps each, previews between."""
    announced: set[int] = set()
    for size in sorted({item.size for item in items}):
        same = [item for item in items if item.size == size]
        for chunk in chunks(same, pipeline.finish_chunk):
            wanted = [item for item in chunk if item.render_task.open]
            for render_task in {id(item.render_task): item.render_task for item in wanted}.values():
                if id(render_task) not in announced:
                    announced.add(id(render_task))
                    render_task.task.report.phase("painting")
            if wanted:
                _finish(pipeline, wanted, size, finished)


class _AllStopped(Exception):
    """Every task of a chunk was canceled or released while it was being finished."""


def _finish(
    pipeline: PaintingPipeline,
    items: Sequence[RenderItem[TaskT]],
    size: int,
    finished: Callable[[RenderItem[TaskT], Image.Image], None],
) -> None:
    def tick(pictures: torch.Tensor, work: int) -> None:
        last = pictures.shape[-1] >= size
        for item, picture in zip(items, pictures, strict=True):
            if item.render_task.open:
                if not last:
                    item.render_task.task.report.preview(images.to_image(picture), item.index)
                item.render_task.advance(work)
        if not any(item.render_task.open for item in items):
            raise _AllStopped

    composed = torch.stack([item.composed for item in items if item.composed is not None])
    try:
        pictures = pipeline.finish(composed, size, [item.noise_stream for item in items], tick)
    except _AllStopped:
        return
    for item, picture in zip(items, pictures, strict=True):
        if item.render_task.open:
            image = images.to_image(picture)
            item.render_task.task.report.preview(image, item.index)
            finished(item, image)


def chunks(items: Sequence[RenderItem[TaskT]], count: int) -> list[list[RenderItem[TaskT]]]:
    """The items in order, ``count`` at a time."""
    return [list(items[k : k + count]) for k in range(0, len(items), count)]
