"""What the scheduler does every few seconds, so that no submitted job is ever lost."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from gallery import dispatch
from gallery.models import Job, JobState, Worker
from gallery.models.job import LEASED, MAX_ATTEMPTS
from gallery.selectors.workers import online
from gallery.services import database_clock, jobs

NOTIFY_AGAIN_SECONDS = 15
"""A notification that no worker has acted on for so long is taken for lost."""
FORGET_WORKERS = timedelta(days=7)
LEAST_JUMP_SECONDS = 5.0
"""A sweep on a busy machine may be late by this much; no time has jumped."""


class TimeJumps:
    """Tells the sweeping process that time jumped: the machine slept, it was stopped, or a clock was set.

    Then the leases of workers that slept too, or that renewed them by the other clock, say nothing.
    """

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None

    def jumped(self, expected: float) -> bool:
        """Whether more or less time went by since the last call than the ``expected`` seconds allow."""
        before, self._before = self._before, (time.time(), time.monotonic())
        if before is None:
            return False
        wall, awake = (now - then for now, then in zip(self._before, before, strict=True))
        # Less costs no lease: a worker renews it every quarter of that.
        allowed = max(LEAST_JUMP_SECONDS, settings.ARTSITE_LEASE_SECONDS / 2)
        # The monotonic clock stands still while a machine sleeps and goes on while a process is stopped.
        return abs(wall - awake) > allowed or awake > expected + allowed


@dataclass(frozen=True, slots=True)
class SweepReport:
    """How many jobs a sweep put back, failed, canceled and expired, and how many notifications it sent.

    ``renewed``: leases that were renewed in their workers' place because time had jumped.
    """

    requeued: int = 0
    lost: int = 0
    canceled: int = 0
    expired: int = 0
    notified: int = 0
    renewed: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def __str__(self) -> str:
        return (
            ", ".join(f"{count} {what}" for what, count in asdict(self).items() if count) or "nothing to do"
        )


def job_sweep(*, time_jumped: bool = False) -> SweepReport:
    """Take jobs from silent workers, close those past their deadline, notify of those that wait too long.

    After a jump of time (:class:`TimeJumps`) every lease is renewed instead: its worker has one more lease to
    be heard, and no attempt is charged. Many sweeps may run at once, on many machines: each change happens
    once.
    """
    renewed = jobs.leases_renew(all_of_them=time_jumped)
    out = jobs.leases_expired()
    tried = Q(attempt__gte=MAX_ATTEMPTS)
    at_work = out.filter(state__in=jobs.AT_WORK)
    report = SweepReport(
        lost=_change(
            at_work.filter(tried),
            **jobs.NO_LEASE,
            state=JobState.FAILED,
            phase="",
            finished_at=database_clock.now(),
            error_code="worker_lost",
            error_visitor="The worker stopped three times while it made this work.",
            error_operator=f"the lease ran out in attempt {MAX_ATTEMPTS} of {MAX_ATTEMPTS}",
        ),
        requeued=_change(at_work.exclude(tried), **jobs.REQUEUED),
        canceled=_change(
            out.filter(state=JobState.CANCELING),
            **jobs.NO_LEASE,
            state=JobState.CANCELED,
            phase="",
            finished_at=database_clock.now(),
        ),
        expired=job_expire(),
        notified=_notify(),
        renewed=renewed,
    )
    forgotten = Worker.objects.filter(seen_at__lt=timezone.now() - FORGET_WORKERS)
    if forgotten.exists():
        forgotten.delete()
    return report


def job_expire() -> int:
    """queued -> expired, past the deadline. Returns how many."""
    return _change(
        Job.objects.filter(state=JobState.QUEUED, deadline_at__lte=database_clock.now()),
        state=JobState.EXPIRED,
        finished_at=database_clock.now(),
        error_code="expired",
        error_visitor="Nobody could begin this work before its deadline.",
    )


def expired_sessions_sweep() -> None:
    """Delete the sessions that have expired, so that their table does not only grow."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def _change(rows: QuerySet[Job], **changes: Any) -> int:
    """Compare-and-set many rows and announce those that changed."""
    # Mostly there is nothing: look before taking SQLite's one write lock.
    if not rows.exists():
        return 0
    with transaction.atomic():
        found = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True))
        changed = jobs.compare_and_set(rows.filter(pk__in=found), **changes)
        jobs.announce(found)
    return changed


def _notify() -> int:
    """Notify of waiting jobs whose notification is missing or old, once for every worker that could act.

    A worker takes jobs until nothing waits, so one notification wakes it up for all of them. One for
    each job again and again would only fill the broker while every worker is busy.
    """
    overdue = jobs.in_turn(
        Job.objects.filter(state=JobState.QUEUED).filter(
            Q(notified_at=None) | Q(notified_at__lt=database_clock.shifted(-NOTIFY_AGAIN_SECONDS))
        )
    )
    if not overdue.exists():
        return 0
    idle = _idle_workers()
    notifications: list[tuple[UUID, str]] = []
    for queue in set(overdue.order_by().values_list("queue", flat=True)):
        ready = max(1, idle[queue])
        notifications += overdue.filter(queue=queue).values_list("pk", "queue")[:ready]
    notified = Job.objects.filter(pk__in=[job_id for job_id, _ in notifications], state=JobState.QUEUED)
    notified.update(notified_at=database_clock.now())
    dispatch.notify(notifications)
    return len(notifications)


def _idle_workers() -> Counter[str]:
    """queue -> how many online workers serve it and have nothing to do."""
    busy = set(Job.objects.filter(state__in=LEASED).values_list("worker_name", flat=True))
    serving = online().filter(draining=False).values_list("name", "queues")
    return Counter(queue for name, queues in serving if name not in busy for queue in queues)
