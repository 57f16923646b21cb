"""What fault tests share: how often they repeat, and how a supervisor behaves."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from types import TracebackType

import psutil

from tests.live.stack import Child, Stack

REPEATS = int(os.environ.get("ARTSITE_FAULT_REPEATS", "1"))
"""How often each fault is tried: 1 by default, 20 to be sure."""
THOROUGH = REPEATS >= 20
"""Long outages too: of half a minute instead of seconds."""
LEASE_SECONDS = 2
READY_SECONDS = 30.0
"""I7."""
ENVIRONMENT = {"ARTSITE_LEASE_SECONDS": str(LEASE_SECONDS), "ARTSITE_SWEEP_SECONDS": "1"}
NOTIFY_AGAIN_SECONDS = 15
"""A notification that was lost is sent again after so long (``gallery.services.sweep``)."""


def wait_frozen(stack: Stack, child: Child) -> None:
    """Until the process has stopped itself at a fail point."""
    stack.wait_for(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)


def drain(stack: Stack, worker: str, draining: bool = True) -> None:
    """Let a worker take nothing (or go on), as an operator does."""
    stack.console.call("person", name="otto", permissions=["operate_workers"])
    stack.ask(
        "worker_drain(name=name, draining=draining, by=User.objects.get(username='otto')).pk",
        name=f"{worker}@test",
        draining=draining,
    )


class Keeper:
    """Starts processes again when they end, as the studio's supervisor does; I7 is checked for each."""

    def __init__(self, stack: Stack, **starters: Callable[[], Child]) -> None:
        """``starters``: name of a child -> how to start it (without waiting until it is ready)."""
        self._stack = stack
        self._starters = starters
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self.starts = 0
        self._hold = threading.Lock()

    def __enter__(self) -> Keeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            for name, start in self._starters.items():
                child = self._stack.children.get(name)
                if child is None or not child.alive:
                    start()
                    self.starts += 1


def seconds(action: Callable[[], object]) -> float:
    """How long ``action`` takes."""
    began = time.monotonic()
    action()
    return time.monotonic() - began
