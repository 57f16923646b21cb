"""Keeps a worker from going deaf, and from depending on its ears.

A thread looks after three things that only show when the broker is restarted at the wrong moment:

* kombu counts a message whose acknowledgement got lost as one that is still being worked on, for ever. With a
  prefetch of one the worker then waits for nothing, without a word (kombu 5.7). Dropping the connection and
  opening another one clears the count.
* A message that was received and never begun would leave the ears closed.
* A bell may be lost altogether. An idle worker looks for itself now and then whether something waits, so that
  work goes on even while there is no broker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from celery.worker import state as celery_state

from workers.runtime.consumer_gate import Ears

logger = logging.getLogger(__name__)

LISTEN_SECONDS = 2.0
LOOK_SECONDS = 10.0

Complaint = Literal["", "ears", "connection"]


class Hearing(threading.Thread):
    """``look`` runs in the pool's thread, every few seconds while nothing else does."""

    def __init__(
        self, *, consumer: Any, ears: Ears, look: Callable[[], None], stopping: threading.Event
    ) -> None:
        """``consumer``: Celery's, as ``worker_ready`` sends it."""
        super().__init__(name="hearing", daemon=True)
        self._consumer = consumer
        self._ears = ears
        self._look = look
        self._stopping = stopping
        self._looked_at = time.monotonic()
        self._at_it = False
        self._complaint: Complaint = ""

    def do(self, work: Callable[[], None]) -> None:
        """Have the pool's thread do something that no message asked for."""
        self._at_it = True
        self._ears.close()

        def once() -> None:
            try:
                work()
            finally:
                self._looked_at = time.monotonic()
                self._at_it = False
                self._ears.open()

        self._consumer.pool.apply_async(once, callback=_ignore)

    def run(self) -> None:
        """Until the worker stops."""
        while not self._stopping.wait(LISTEN_SECONDS):
            try:
                self._examine()
                if time.monotonic() - self._looked_at >= LOOK_SECONDS and not self._is_busy():
                    self.do(self._look)
            except Exception:  # Celery is between two connections, or stopping: again in a moment
                logger.debug("cannot look after the consumer now", exc_info=True)

    def _is_busy(self) -> bool:
        return bool(self._at_it or celery_state.reserved_requests or celery_state.active_requests)

    def _examine(self) -> None:
        complaint = self._diagnose()
        # Only what lasts counts: every message has a moment between its delivery and its start.
        if complaint and complaint == self._complaint:
            logger.warning("this worker has gone deaf (%s)", complaint)
            if complaint == "ears":
                self._ears.reset()
            else:
                self._consumer.hub.call_soon(_drop_connection)
            complaint = ""
        self._complaint = complaint

    def _diagnose(self) -> Complaint:
        if self._is_busy():
            return ""
        if self._ears.closed:
            return "ears"
        tasks = self._consumer.task_consumer
        waits = tasks is None or not self._ears.listening or tasks.channel.qos.can_consume()
        return "" if waits else "connection"


def _drop_connection() -> NoReturn:
    # In the event loop, where Celery takes this for what it is and reconnects.
    raise ConnectionResetError("the broker has forgotten this connection")


def _ignore(*_: object) -> None: ...
