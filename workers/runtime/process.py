"""This worker process: its runner and presence, and how they start and stop with Celery's worker."""

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
from workers.runtime.consumer_gate import Listening, ears
from workers.runtime.consumer_watchdog import Hearing
from workers.runtime.heartbeat import Presence
from workers.runtime.runner import Runner

logger = logging.getLogger(__name__)

app.steps["consumer"].add(Listening)

_stopping = threading.Event()
_runner: Runner | None = None
_presence: Presence | None = None


def work() -> None:
    """Answer a bell: make what waits (in the pool's one thread)."""
    try:
        if _runner is not None:
            _runner.work()
    finally:
        ears.open()


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
    """Be seen, take what waits already, then load the models while nobody waits."""
    global _runner, _presence
    queues = sorted(sender.app.amqp.queues.consume_from)
    registry = Registry()
    _presence = Presence(name=sender.hostname, queues=queues, registry=registry, on_draining=ears.drain)
    _runner = Runner(
        name=sender.hostname, queues=queues, registry=registry, presence=_presence, stopping=_stopping
    )
    _presence.start()
    _hear_signals()
    # A thread cannot be killed; Celery's cold shutdown tries to. The step loop ends by itself.
    sender.pool.terminate_job = _ignore
    # Through the pool: engines live in its thread.
    hearing = Hearing(consumer=sender, ears=ears, look=_look, stopping=_stopping)
    hearing.do(_warm)
    hearing.start()
    logger.info("%s serves %s", sender.hostname, ", ".join(queues))


def _hear_signals() -> None:
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
def _say_goodbye() -> None:
    # Not at Celery's worker_shutdown: a cold shutdown does not send it.
    if _presence is not None:
        _presence.stop()
        dispatch.flush(2)
        publisher.flush(2)


def _ignore(*_: object) -> None: ...
