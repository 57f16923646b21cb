"""The worker's own row, written every few seconds: who it is, what it has in memory, what it does now."""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import Error as DatabaseProblem
from django.db import connection

from gallery.services.workers import HeartbeatData, worker_heartbeat, worker_stopped
from workers.registry import Registry

logger = logging.getLogger(__name__)

EVERY_SECONDS = 10.0
# A drained worker learns sooner that it may take jobs again.
EVERY_SECONDS_DRAINED = 2.0
# A worker that makes many small jobs does not write its row for each of them.
SOONEST_SECONDS = 1.0


class WorkerHeartbeat:
    """A thread that writes the worker's row every few seconds, and soon after something changed."""

    def __init__(
        self,
        *,
        name: str,
        queues: Sequence[str],
        registry: Registry,
        on_draining: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """``on_draining`` is told with each write whether an operator drains this worker."""
        self._on_draining = on_draining
        self._draining = False
        self._name = name
        self._queues = tuple(queues)
        self._registry = registry
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._current_job: UUID | None = None
        self._succeeded = 0
        self._failed = 0
        self._last_error = ""

    def start(self) -> None:
        """Begin to write the row."""
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write down that the worker stopped, and end the thread."""
        self._ended.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(5)

    def set_current_job(self, job_id: UUID | None) -> None:
        """Show the job that is being made."""
        self._current_job = job_id
        self._changed.set()

    def count(self, *, error: str | None = None) -> None:
        """One more job came to its end; ``error`` when it failed."""
        if error is None:
            self._succeeded += 1
        else:
            self._failed += 1
            self._last_error = error
        self._changed.set()

    def report_error(self, error: str) -> None:
        """Show an error that belongs to no job."""
        self._last_error = error
        self._changed.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            self._changed.clear()
            self._write()
            self._changed.wait(EVERY_SECONDS_DRAINED if self._draining else EVERY_SECONDS)
            self._ended.wait(SOONEST_SECONDS)
        try:
            worker_stopped(name=self._name)
        except DatabaseProblem:
            logger.warning("could not write down that this worker stopped", exc_info=True)
        finally:
            connection.close()

    def _write(self) -> None:
        try:
            worker = worker_heartbeat(
                data=HeartbeatData(
                    name=self._name,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    queues=self._queues,
                    device=_device(),
                    models_loaded=[
                        {"kind": engine.kind, "name": engine.name, "digest": engine.digest}
                        for engine in self._registry.loaded
                    ],
                    current_job=self._current_job,
                    succeeded=self._succeeded,
                    failed=self._failed,
                    last_error=self._last_error,
                )
            )
            self._draining = worker.draining
            self._on_draining(worker.draining)
        except DatabaseProblem as problem:
            logger.warning("the database does not answer: %s", problem)
            connection.close()


def _device() -> str:
    """The device's name once an engine has loaded torch; before that nobody knows."""
    if "torch" not in sys.modules:
        return ""
    try:
        from workers import device

        return device.describe(device.choose())
    except Exception as problem:  # a broken driver raises all sorts; the worker has to live and say so
        return f"unusable: {problem}"
