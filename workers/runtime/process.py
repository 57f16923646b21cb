"""This worker process: its runner and heartbeat, and how they start and stop with Celery's worker."""

from __future__ import annotations

import atexit
import logging
import signal
import threading
from types import FrameType
from typing import Any

from celery import signals
from django.db import connection

from artsite.celery import app
from gallery import dispatch
from gallery.live import publisher
from workers.registry import Registry
from workers.runtime.consumer_gate import ConsumerGateStep, gate
from workers.runtime.consumer_watchdog import ConsumerWatchdog
from workers.runtime.heartbeat import WorkerHeartbeat
from workers.runtime.runner import Runner

logger = logging.getLogger(__name__)

app.steps["consumer"].add(ConsumerGateStep)

_stopping = threading.Event()
_runner: Runner | None = None
_heartbeat: WorkerHeartbeat | None = None


def work() -> None:
    """A notification came: make what waits (in the pool's one thread)."""
    try:
        if _runner is not None:
            _runner.work()
    finally:
        gate.open()


def _warm() -> None:
    try:
        if _runner is not None:
            _runner.warm()
    finally:
        connection.close()


def _look() -> None:
    try:
        if _runner is not None:
            _runner.idle()
    finally:
        connection.close()


@signals.worker_ready.connect
def _on_ready(sender: Any, **_: Any) -> None:
    """Write the first heartbeat, take what waits already, then load the models while nobody waits."""
    global _runner, _heartbeat
    queues = sorted(sender.app.amqp.queues.consume_from)
    registry = Registry()
    _heartbeat = WorkerHeartbeat(
        name=sender.hostname, queues=queues, registry=registry, on_draining=gate.drain
    )
    _runner = Runner(
        name=sender.hostname, queues=queues, registry=registry, heartbeat=_heartbeat, stopping=_stopping
    )
    _heartbeat.start()
    _release_on_signals()
    # A thread cannot be killed; Celery's cold shutdown tries to. The step loop ends by itself.
    sender.pool.terminate_job = _ignore
    # Through the pool: engines live in its thread.
    watchdog = ConsumerWatchdog(consumer=sender, gate=gate, look=_look, stopping=_stopping)
    watchdog.run_in_pool(_warm)
    watchdog.start()
    logger.info("%s serves %s", sender.hostname, ", ".join(queues))


def _release_on_signals() -> None:
    """Set the flag that makes the step loop release its job, then let Celery do what it does.

    Celery's own ``worker_shutting_down`` is too late for SIGQUIT: it is sent once the pool has stopped, and
    the pool waits for the job.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        celerys = signal.getsignal(number)

        def stop(number: int, frame: FrameType | None, celerys: Any = celerys) -> None:
            _stopping.set()
            if callable(celerys):
                celerys(number, frame)

        signal.signal(number, stop)


@atexit.register
def _on_exit() -> None:
    # Not at Celery's worker_shutdown: a cold shutdown does not send it.
    if _heartbeat is not None:
        _heartbeat.stop()
        dispatch.flush(2)
        publisher.flush(2)


def _ignore(*_: object) -> None: ...
