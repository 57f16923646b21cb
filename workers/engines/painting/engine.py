"""What the engines of ``paint`` and ``blend`` share: the networks, and the frame around a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic

import torch

from workers.engines.base import InvalidRequest, JobCanceled, JobReleased, Result, Task, TooLarge
from workers.engines.painting.pipeline import PaintingPipeline, open_pipeline
from workers.engines.painting.rendering import TaskT


class PaintingEngine(ABC, Generic[TaskT]):
    """Renders a batch of tasks together; a task that ends early does not end its neighbours."""

    batch_size: ClassVar[int] = 8
    stall_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Load generator, matcher and upscaler. Raises :class:`workers.weights.WeightsError`."""
        self.pipeline: PaintingPipeline = open_pipeline()
        self.device = self.pipeline.device
        self.model_name = self.pipeline.name
        self.model_digest = self.pipeline.digest

    @abstractmethod
    def prepare(self, task: Task) -> TaskT:
        """Read a task's request and pictures. Raises InvalidRequest, JobCanceled or JobReleased."""

    @abstractmethod
    def render(self, render_tasks: Sequence[TaskT]) -> None:
        """Fill ``outputs`` of the tasks, or ``error`` of those that were stopped."""

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        prepared: list[TaskT | Result] = []
        for task in tasks:
            try:
                prepared.append(self.prepare(task))
            except (InvalidRequest, JobCanceled, JobReleased) as reason:
                prepared.append(Result(error=reason))
        try:
            self.render([one for one in prepared if not isinstance(one, Result)])
        except torch.OutOfMemoryError as error:
            if len(tasks) > 1:
                raise  # the runner tries the tasks singly
            return [Result(error=TooLarge(str(error)))]
        return [one if isinstance(one, Result) else one.result() for one in prepared]
