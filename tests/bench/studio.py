"""A whole warm studio for measurements: the processes and flags of ``manage.py studio``."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.bench import timed
from tests.live.stack import Stack
from workers.registry import ENGINES


@contextmanager
def warm_studio(*, toys: bool = False) -> Iterator[Stack]:
    """Broker, scheduler, web and one worker with every model loaded. ``toys``: engines without models."""
    # Whoever ends this with a signal leaves no process behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    env = {
        "ARTSITE_ENGINES": timed.ALL,
        **({} if toys else {"ARTSITE_SEEING": ""}),
        "ARTSITE_LEASE_SECONDS": "30",
        "ARTSITE_SWEEP_SECONDS": "5",
        "OMP_NUM_THREADS": str(os.cpu_count()),
        **({"ARTSITE_BENCH_TOYS": "1"} if toys else {}),
    }
    with tempfile.TemporaryDirectory(prefix="artsite-bench-") as folder, Stack(Path(folder), env=env) as one:
        one.manage("collectstatic", "--no-input", "--verbosity", "0")
        one.start_broker()
        one.start_web(env={"MALLOC_ARENA_MAX": "2"})
        one.start_scheduler()
        one.start_worker(give_way=True)
        began = time.monotonic()
        one.wait_for(lambda: one.ask("len(Worker.objects.get().models_loaded)") == len(ENGINES), 300)
        print(f"every model is loaded {time.monotonic() - began:.1f} s after the worker was ready")
        yield one


def load() -> str:
    """How busy this machine is besides."""
    one, five, _ = os.getloadavg()
    return f"{os.cpu_count()} cores, load average {one:.1f} (1 min), {five:.1f} (5 min)"


def summary(seconds: Sequence[float]) -> str:
    """``median 12 ms, p95 30 ms, worst 41 ms of 100``."""
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    shown = [_shown(value) for value in (statistics.median(ordered), p95, ordered[-1])]
    return "median {}, p95 {}, worst {} of {}".format(*shown, len(ordered))


def _shown(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
