"""Running tasks one after the other, for engines whose requests cannot share a batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch

from workers.engines.base import EngineError, JobCanceled, JobReleased, Output, Result, Task, TooLarge


def run_sequentially(tasks: Sequence[Task], make: Callable[[Task], Output]) -> list[Result]:
    """One result per task, in order. What ends one task, also a full device, does not end its neighbours.

    Other exceptions of ``make`` pass through.
    """
    results = []
    for task in tasks:
        try:
            results.append(Result(outputs=(make(task),)))
        except (JobCanceled, JobReleased, EngineError) as reason:
            results.append(Result(error=reason))
        except torch.OutOfMemoryError as error:
            results.append(Result(error=TooLarge(str(error))))
    return results


class SequentialEngine(ABC):
    """An engine that makes one output per task, one task at a time.

    For pictures of any size: they do not stack into one tensor, and one of them keeps a device busy.
    """

    kind: ClassVar[str]
    batch_size: ClassVar[int] = 1
    stall_seconds: ClassVar[float] = 60.0

    @classmethod
    def batch_key(cls, parameters: Mapping[str, Any]) -> str:
        """All that tasks share is the model."""
        return cls.kind

    @abstractmethod
    def make(self, task: Task) -> Output:
        """Fulfil one task. Raises EngineError, JobCanceled or JobReleased."""

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        return run_sequentially(tasks, self.make)
