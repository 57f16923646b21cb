"""This worker process: its runner and presence, and how they start and stop with Celery's worker."""

from __future__ import annotations

import logging
import threading
from typing import Any

from celery import signals
from django.db import connection

from gallery import dispatch, events
from workers.presence import Presence
from workers.registry import Registry
from workers.runner import Runner

logger = logging.getLogger(__name__)

_stopping = threading.Event()
_runner: Runner | None = None
_presence: Presence | None = None


def work() -> None:
    """Make what waits (in the pool's one thread)."""
    if _runner is not None:
        _runner.work()


def _warm() -> None:
    try:
        if _runner is not None:
            _runner.warm()
    finally:
        connection.close()


@signals.worker_ready.connect
def _on_ready(sender: Any, **_: Any) -> None:
    """Be seen, take what waits already, then load the models while nobody waits."""
    global _runner, _presence
    queues = sorted(sender.app.amqp.queues.consume_from)
    registry = Registry()
    _presence = Presence(name=sender.hostname, queues=queues, registry=registry)
    _runner = Runner(
        name=sender.hostname, queues=queues, registry=registry, presence=_presence, stopping=_stopping
    )
    _presence.start()
    # Through the pool: engines live in its thread.
    sender.pool.apply_async(_warm, callback=_ignore)
    logger.info("%s serves %s", sender.hostname, ", ".join(queues))


@signals.worker_shutting_down.connect
def _on_shutting_down(**_: Any) -> None:
    # In a signal handler: only a flag. The step loop releases its job and the thread ends.
    _stopping.set()


@signals.worker_shutdown.connect
def _on_shutdown(**_: Any) -> None:
    if _presence is not None:
        _presence.stop()
    dispatch.flush(2)
    events.flush(2)


def _ignore(_result: object) -> None: ...
