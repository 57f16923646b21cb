"""The doorbell: tells the workers of a queue that something waits. The row is the truth, a bell may be lost.

Ringing never blocks and never raises: one background thread speaks to the broker. When the broker
does not answer, the rows are marked as unrung and the scheduler's sweep rings for them later.
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

logger = logging.getLogger(__name__)

RUN_JOB = "workers.tasks.run_job"
"""The worker's task; its only argument is a job id as text."""

# More bells than this wait only when the broker hangs; the sweep rings for those that find no room.
_ROOM = 1000

Bell = tuple[UUID, str]


class _Ringer:
    """One daemon thread that rings bells in order."""

    def __init__(self) -> None:
        self._bells: queue.Queue[Bell] = queue.Queue(_ROOM)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self, bells: Iterable[Bell]) -> None:
        try:
            for bell in bells:
                self._bells.put_nowait(bell)
        except queue.Full:
            logger.warning("the broker is slow: bells are left to the sweep")
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="doorbell", daemon=True)
                self._thread.start()

    def flush(self, timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        with self._bells.all_tasks_done:
            while self._bells.unfinished_tasks:
                left = deadline - time.monotonic()
                if left <= 0 or not self._bells.all_tasks_done.wait(left):
                    return False
        return True

    def _work(self) -> None:
        while True:
            job_id, queue_name = self._bells.get()
            done = 1
            try:
                current_app.send_task(RUN_JOB, args=[str(job_id)], queue=queue_name, ignore_result=True)
            except Exception as problem:
                # Whatever the transport raises: the job is safe in its row. Those behind it would only
                # wait for the same time-out, so all of them are left to the sweep.
                unrung = [job_id, *self._drain()]
                done = len(unrung)
                logger.warning("%d bells were not rung, the sweep will: %s", done, problem)
                _mark_unrung(unrung)
            finally:
                for _ in range(done):
                    self._bells.task_done()

    def _drain(self) -> list[UUID]:
        drained: list[UUID] = []
        while True:
            try:
                drained.append(self._bells.get_nowait()[0])
            except queue.Empty:
                return drained


def _mark_unrung(job_ids: list[UUID]) -> None:
    from gallery.models import Job, JobState

    try:
        Job.objects.filter(pk__in=job_ids, state=JobState.QUEUED).update(rung_at=None)
    except Exception:  # this thread must live, and the sweep also rings for bells that are old
        logger.warning("could not mark %d jobs as unrung", len(job_ids), exc_info=True)
    finally:
        connection.close()


_ringer = _Ringer()


def ring(bells: Iterable[Bell]) -> None:
    """Ring for (job id, queue) pairs, in the background. Call it after the commit."""
    _ringer.ring(bells)


def flush(timeout: float) -> bool:
    """Wait at most ``timeout`` seconds until every bell so far was tried; whether that came true."""
    return _ringer.flush(timeout)
