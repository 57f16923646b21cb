"""The shipped engines (or the toys), which write into each result's details when they began and ended.

``ARTSITE_ENGINES="paint=tests.bench.timed:paint,..."`` puts them into a worker. When this module is loaded,
the worker also begins to note when it is notified.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from celery import signals

from workers.engines.base import Engine, Result, Task
from workers.registry import ENGINES

ALL = ",".join(f"{kind}=tests.bench.timed:{kind}" for kind in ("paint", "restyle", "verse"))
_heard: list[float] = []


@signals.task_received.connect
def _on_received(**_: Any) -> None:
    _heard[:] = [time.time()]


def _engine(kind: str) -> Engine:
    paths = dict(ENGINES)
    if os.environ.get("ARTSITE_BENCH_TOYS"):
        paths = {name: f"tests.toy_engines:Toy{name.capitalize()}" for name in paths}
    module, _, name = paths[kind].partition(":")
    engine: Engine = getattr(import_module(module), name)()
    run = engine.run

    def timed(tasks: Sequence[Task]) -> list[Result]:
        began = time.time()
        results = run(tasks)
        times = {"heard": _heard[0] if _heard else None, "began": began, "ended": time.time()}
        return [
            replace(
                result,
                outputs=tuple(
                    replace(output, details={**output.details, "times": times}) for output in result.outputs
                ),
            )
            for result in results
        ]

    engine.run = timed  # type: ignore[method-assign]
    return engine


def paint() -> Engine:
    """The painter."""
    return _engine("paint")


def restyle() -> Engine:
    """The one that repaints."""
    return _engine("restyle")


def verse() -> Engine:
    """The poet."""
    return _engine("verse")
