"""Running tasks one after the other, for engines whose requests cannot share a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
