"""How long a work thread has been at one step, in time that it had: a busy machine is slow, not hung.

With other programs on every core, or on a small board, a step takes many times its usual wall time, and
nothing is wrong with the engine. Two things tell a hang: the work thread computed for far longer than a step
takes, or it did nothing although nothing kept it from working. Time in which the threads of the process
waited for a processor, or the work thread for a disk, is neither.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

ACTIVE = 0.25
"""A process whose threads computed or waited for a processor in less than this share of the time did nothing.
One that works is near 1 or above however little it gets; clocks and connections take a few hundredths."""
_TASKS = Path("/proc/self/task")


class StallClock:
    """Seconds that the thread which made it could have used; read by another thread, again and again."""

    def __init__(self) -> None:
        self._thread = threading.get_native_id()
        # Systems without a clock of each thread (macOS) count the whole process.
        of_thread = getattr(time, "pthread_getcpuclockid", None)
        self._clock = None if of_thread is None else of_thread(threading.get_ident())
        self._seen = self._read()

    def advance(self) -> float:
        """The seconds to count since the last call: computed ones, or all of them when nothing was done."""
        before, self._seen = self._seen, self._read()
        wall, computed, wanted = (now - then for now, then in zip(self._seen, before, strict=True))
        if wanted < ACTIVE * wall and not self._waits_for_disk():
            return wall
        return computed

    def _read(self) -> tuple[float, float, float]:
        """Seconds on the wall, computed by the thread, and wanted by all threads but the one that asks."""
        computed = time.process_time() if self._clock is None else time.clock_gettime(self._clock)
        return time.monotonic(), computed, _wanted_seconds()

    def _waits_for_disk(self) -> bool:
        try:
            # "pid (name) state ...", and the name may hold spaces.
            state = (_TASKS / str(self._thread) / "stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return False
        return state == "D"


def _wanted_seconds() -> float:
    """How long this process's other threads computed or waited for a processor, all together."""
    asks = str(threading.get_native_id())
    nanoseconds = 0
    try:
        for task in _TASKS.iterdir():
            if task.name == asks:
                continue
            try:
                computed, waited, _ = (task / "schedstat").read_text("ascii").split()
            except (OSError, ValueError):
                continue  # the thread ended meanwhile, or the kernel does not count
            nanoseconds += int(computed) + int(waited)
    except OSError:
        return time.process_time()
    return nanoseconds / 1e9
