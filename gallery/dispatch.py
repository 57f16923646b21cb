"""Notifies the workers of a queue that a job waits. The row is the truth: a notification may be lost.

Notifying never blocks and never raises: one background thread speaks to the broker. When the broker does
not answer, the rows are marked as not notified and the scheduler's sweep notifies again later.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable
from uuid import UUID

from celery import current_app
from django.db import connection

from gallery.models import Job, JobState

logger = logging.getLogger(__name__)

RUN_JOB = "workers.tasks.run_job"
"""The worker's task; its only argument is a job id as text."""

MAX_PENDING = 1000
"""More notifications than this wait only when the broker hangs; the sweep sends those that find no room."""

Notification = tuple[UUID, str]
"""A job's id, and the queue that it waits in."""


class _Notifier:
    """One daemon thread that sends notifications in order."""

    def __init__(self) -> None:
        self._pending: queue.Queue[Notification] = queue.Queue(MAX_PENDING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, notifications: Iterable[Notification]) -> None:
        try:
            for notification in notifications:
                self._pending.put_nowait(notification)
        except queue.Full:
            logger.warning("the broker is slow: notifications are left to the sweep")
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
                self._thread.start()

    def flush(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._pending.all_tasks_done:
            while self._pending.unfinished_tasks:
                left = deadline - time.monotonic()
                if left <= 0 or not self._pending.all_tasks_done.wait(left):
                    return False
        return True

    def _run(self) -> None:
        while True:
            job_id, queue_name = self._pending.get()
            done = 1
            try:
                current_app.send_task(RUN_JOB, args=[str(job_id)], queue=queue_name, ignore_result=True)
            except Exception as problem:
                # Whatever the transport raises: the job is safe in its row. Those behind it would only
                # wait for the same time-out, so all of them are left to the sweep.
                unsent = [job_id, *self._drain()]
                done = len(unsent)
                logger.warning("%d notifications were not sent, the sweep will: %s", done, problem)
                _mark_unsent(unsent)
            finally:
                for _ in range(done):
                    self._pending.task_done()

    def _drain(self) -> list[UUID]:
        drained: list[UUID] = []
        while True:
            try:
                drained.append(self._pending.get_nowait()[0])
            except queue.Empty:
                return drained


def _mark_unsent(job_ids: list[UUID]) -> None:
    try:
        Job.objects.filter(pk__in=job_ids, state=JobState.QUEUED).update(notified_at=None)
    except Exception:  # this thread must live, and the sweep also repeats notifications that are old
        logger.warning("could not mark %d jobs as not notified", len(job_ids), exc_info=True)
    finally:
        connection.close()


_notifier = _Notifier()


def notify(notifications: Iterable[Notification]) -> None:
    """Send these notifications in the background. Call it after the commit."""
    _notifier.put(notifications)


def flush(timeout: float) -> bool:
    """Wait at most ``timeout`` seconds until every notification so far was tried; whether that came true."""
    return _notifier.flush(timeout)
