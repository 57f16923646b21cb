"""Reads of the operators: worker processes that report here, and the queues that they serve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Min, QuerySet
from django.utils import timezone

from gallery import kinds
from gallery.models import Job, JobState, Worker
from gallery.models.job import LEASED

WORKER_SILENT_SECONDS = 30
"""A worker without a heartbeat for so long is not online."""


def online() -> QuerySet[Worker]:
    """Workers that sent a heartbeat lately and have not stopped."""
    since = timezone.now() - timedelta(seconds=WORKER_SILENT_SECONDS)
    return Worker.objects.filter(seen_at__gte=since, stopped_at=None)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One queue as operators see it."""

    name: str
    waiting: int
    running: int
    oldest: timedelta | None
    served: bool


def workers() -> list[Worker]:
    """Workers that were seen within a day, with the job that each works on."""
    since = timezone.now() - timedelta(days=1)
    return list(Worker.objects.filter(seen_at__gt=since).select_related("current_job"))


def queues(online: list[Worker]) -> list[QueueRow]:
    """Waiting and running jobs per queue, and whether one of the ``online`` workers serves it."""
    now = timezone.now()
    waiting = {
        row["queue"]: row
        for row in Job.objects.filter(state=JobState.QUEUED)
        .values("queue")
        .annotate(jobs=Count("pk"), oldest=Min("created_at"))
        .order_by()
    }
    running = {
        row["queue"]: row["jobs"]
        for row in Job.objects.filter(state__in=LEASED).values("queue").annotate(jobs=Count("pk")).order_by()
    }
    served = {queue for worker in online if not worker.draining for queue in worker.queues}
    return [
        QueueRow(
            name,
            waiting[name]["jobs"] if name in waiting else 0,
            running.get(name, 0),
            now - waiting[name]["oldest"] if name in waiting else None,
            name in served,
        )
        for name in kinds.QUEUES
    ]
