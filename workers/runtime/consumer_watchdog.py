"""Repairs a worker that stopped taking messages, and looks for jobs that nobody was notified of.

A thread looks after three things that only show when the broker is restarted at the wrong moment:

* kombu counts a message whose acknowledgement got lost as one that is still being worked on, for ever. With a
  prefetch of one the worker then never fetches again, and logs nothing (kombu 5.7). Dropping the connection
  and opening another one clears the count.
* A message that was received and never begun would leave the gate closed.
* A notification may be lost altogether. An idle worker looks by itself now and then whether a job waits, so
  that work goes on even while there is no broker.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, NoReturn

from celery.worker import state as celery_state

from workers.runtime.consumer_gate import ConsumerGate

logger = logging.getLogger(__name__)

CHECK_SECONDS = 2.0
LOOK_SECONDS = 10.0

Fault = Literal["", "gate", "connection"]


class ConsumerWatchdog(threading.Thread):
    """``look`` runs in the pool's thread, every :data:`LOOK_SECONDS` while nothing else does."""

    def __init__(
        self, *, consumer: Any, gate: ConsumerGate, look: Callable[[], None], stopping: threading.Event
    ) -> None:
        """``consumer``: Celery's, as ``worker_ready`` sends it."""
        super().__init__(name="consumer-watchdog", daemon=True)
        self._consumer = consumer
        self._gate = gate
        self._look = look
        self._stopping = stopping
        self._looked_at = time.monotonic()
        self._in_pool = False
        self._fault: Fault = ""

    def run_in_pool(self, work: Callable[[], None]) -> None:
        """Have the pool's thread do something that no message asked for."""
        self._in_pool = True
        self._gate.close()

        def once() -> None:
            try:
                work()
            finally:
                self._looked_at = time.monotonic()
                self._in_pool = False
                self._gate.open()

        self._consumer.pool.apply_async(once, callback=_ignore)

    def run(self) -> None:
        """Until the worker stops."""
        while not self._stopping.wait(CHECK_SECONDS):
            try:
                self._check()
                if time.monotonic() - self._looked_at >= LOOK_SECONDS and not self._is_busy():
                    self.run_in_pool(self._look)
            except Exception:  # Celery is between two connections, or stopping: again in a moment
                logger.debug("cannot look after the consumer now", exc_info=True)

    def _is_busy(self) -> bool:
        return bool(self._in_pool or celery_state.reserved_requests or celery_state.active_requests)

    def _check(self) -> None:
        fault = self._diagnose()
        # Only what lasts counts: every message has a moment between its delivery and its start.
        if fault and fault == self._fault:
            logger.warning("this worker takes no messages any more (%s): repairing it", fault)
            if fault == "gate":
                self._gate.reset()
            else:
                self._consumer.hub.call_soon(_drop_connection)
            fault = ""
        self._fault = fault

    def _diagnose(self) -> Fault:
        if self._is_busy():
            return ""
        if self._gate.is_at_work:
            return "gate"
        tasks = self._consumer.task_consumer
        waits = tasks is None or not self._gate.is_open or tasks.channel.qos.can_consume()
        return "" if waits else "connection"


def _drop_connection() -> NoReturn:
    # In the event loop, where Celery takes this for what it is and reconnects.
    raise ConnectionResetError("the broker has forgotten this connection")


def _ignore(*_: object) -> None: ...
