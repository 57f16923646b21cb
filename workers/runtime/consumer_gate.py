"""When this worker takes the next message from the broker: only while it could begin with a job at once.

Celery fetches the next message as soon as it has begun with one. So a worker that is busy, or drained by
an operator, would take notifications that an idle worker could act on, and the job would wait until the
sweep notifies again.
"""

from __future__ import annotations

import threading
from typing import Any

from celery import bootsteps, signals
from celery.worker.consumer.tasks import Tasks
from kombu.asynchronous import get_event_loop


class ConsumerGate:
    """Closed while anything is at work here, or while the worker is drained. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_work = 0
        self._draining = False

    @property
    def is_open(self) -> bool:
        """Whether the next message may be taken."""
        return not self._draining and self._at_work == 0

    @property
    def is_at_work(self) -> bool:
        """Whether something is at work here."""
        return self._at_work > 0

    def reset(self) -> None:
        """Nothing is at work, whatever was counted."""
        with self._lock:
            self._at_work = 0
        self._wake_loop()

    def close(self) -> None:
        """Something is at work from now on; each call is followed by one of :meth:`open`."""
        with self._lock:
            self._at_work += 1

    def open(self) -> None:
        """It is done."""
        with self._lock:
            self._at_work = max(0, self._at_work - 1)
        self._wake_loop()

    def drain(self, draining: bool) -> None:
        """Stay closed while ``draining``, as an operator wants."""
        if draining != self._draining:
            self._draining = draining
            self._wake_loop()

    @staticmethod
    def _wake_loop() -> None:
        """Celery's event loop sleeps, perhaps for seconds: have it look for messages at once."""
        loop = get_event_loop()
        if loop is not None:
            loop.call_soon(_nothing)


gate = ConsumerGate()
"""The gate of this process."""


class ConsumerGateStep(bootsteps.StartStopStep):
    """Has Celery's consumer ask the gate before it fetches; anew for each connection to the broker."""

    requires = (Tasks,)

    def start(self, parent: Any) -> None:
        """``parent``: Celery's consumer."""
        qos = parent.task_consumer.channel.qos
        has_room = qos.can_consume
        qos.can_consume = lambda: gate.is_open and has_room()


@signals.task_received.connect
def _on_received(**_: Any) -> None:
    # In Celery's loop, before it looks for the next message. The task opens the gate again.
    gate.close()


def _nothing() -> None: ...
