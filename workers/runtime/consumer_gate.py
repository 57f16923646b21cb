"""When this worker listens for bells: only while it could answer one.

Celery fetches the next message as soon as it has begun with one. So a worker that is busy, or drained by
an operator, would take bells that an idle worker could answer, and the job would wait until the sweep
rings again.
"""

from __future__ import annotations

import threading
from typing import Any

from celery import bootsteps, signals
from celery.worker.consumer.tasks import Tasks
from kombu.asynchronous import get_event_loop


class Ears:
    """Closed while anything is at work here, or while the worker is drained."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0
        self._draining = False

    @property
    def listening(self) -> bool:
        """Whether the next bell may be taken."""
        return not self._draining and self._at_work == 0

    @property
    def closed(self) -> bool:
        """Whether something is at work here."""
        return self._at_work > 0

    def reset(self) -> None:
        """Nothing is at work, whatever was counted."""
        with self._lock:
            self._at_work = 0
        self._wake()

    def close(self) -> None:
        """Something is at work from now on; each call is followed by one of :meth:`open`."""
        with self._lock:
            self._at_work += 1

    def open(self) -> None:
        """It is done."""
        with self._lock:
            self._at_work = max(0, self._at_work - 1)
        self._wake()

    def drain(self, draining: bool) -> None:
        """What the operator wants."""
        if draining != self._draining:
            self._draining = draining
            self._wake()

    @staticmethod
    def _wake() -> None:
        """Celery's loop sleeps, perhaps for seconds: it looks again at once."""
        loop = get_event_loop()
        if loop is not None:
            loop.call_soon(_nothing)


ears = Ears()
"""Those of this process."""


class Listening(bootsteps.StartStopStep):
    """Asks the ears before the next message is fetched; anew for each connection to the broker."""

    requires = (Tasks,)

    def start(self, parent: Any) -> None:
        """``parent``: Celery's consumer."""
        qos = parent.task_consumer.channel.qos
        has_room = qos.can_consume
        qos.can_consume = lambda: ears.listening and has_room()


@signals.task_received.connect
def _on_received(**_: Any) -> None:
    # In Celery's loop, before it looks for the next message. The task opens them again.
    ears.close()


def _nothing() -> None: ...
