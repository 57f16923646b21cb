"""Places where a fault test may stop a process for real; without ``ARTSITE_FAILPOINTS`` they do nothing.

``ARTSITE_FAILPOINTS="claimed:kill,written:stop:3"`` is read once, at start: a comma-separated list of
``point:action[:n]``, where the action happens the ``n``-th time (default: the first) that the process
reaches the point, and never again. Actions: ``kill`` (SIGKILL to this process), ``stop`` (SIGSTOP),
``raise`` (:class:`FailPointReached`).

Points: ``submitted`` (web: the row is committed, nobody was told), ``claimed`` (worker: the lease is
committed), ``step`` (an engine reported a step), ``written`` (result files are stored), ``commit``
(inside the closing transaction, before its commit), ``committed`` (after it).
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Literal, get_args

Point = Literal["submitted", "claimed", "step", "written", "commit", "committed"]
Action = Literal["kill", "stop", "raise"]


class FailPointReached(Exception):
    """The action ``raise`` of a fail point."""


class FailPointsInvalid(Exception):
    """``ARTSITE_FAILPOINTS`` cannot be understood."""


def _parse(text: str) -> dict[str, tuple[str, int]]:
    """point -> (action, how many times to reach it until the action happens)."""
    armed: dict[str, tuple[str, int]] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        point, _, rest = item.partition(":")
        action, _, count = rest.partition(":")
        if point not in get_args(Point) or action not in get_args(Action) or not (count or "1").isdigit():
            raise FailPointsInvalid(f"ARTSITE_FAILPOINTS: {item!r} is not point:action[:n]")
        armed[point] = (action, int(count or "1"))
    return armed


_armed = _parse(os.environ.get("ARTSITE_FAILPOINTS", ""))
_lock = threading.Lock()


def reach(point: Point) -> None:
    """Say that the process is at ``point``; a fault test may have arranged that it ends here."""
    if not _armed:
        return
    with _lock:
        if point not in _armed:
            return
        action, left = _armed.pop(point)
        if left > 1:
            _armed[point] = (action, left - 1)
            return
    if action == "raise":
        raise FailPointReached(point)
    os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)
