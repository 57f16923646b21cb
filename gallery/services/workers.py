"""Rules that write workers' rows: their own heartbeat, and the drain that operators ask for."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from gallery import dispatch
from gallery.errors import storable
from gallery.live import messages, publisher
from gallery.models import Job, JobState, User, Worker
from gallery.permissions import can_operate
from gallery.services.accounts import security_log


@dataclass(frozen=True, slots=True)
class HeartbeatData:
    """What a worker reports in its heartbeat. Counts are since the process started."""

    name: str
    host: str
    pid: int
    queues: Collection[str]
    device: str = ""
    models_loaded: Collection[Mapping[str, Any]] = ()
    current_job: UUID | None = None
    succeeded: int = 0
    failed: int = 0
    last_error: str = ""


def worker_heartbeat(*, data: HeartbeatData) -> Worker:
    """Save a heartbeat. An operator's drain outlives a restart of the worker."""
    now = timezone.now()
    values = {
        "host": data.host[:128],
        "pid": data.pid,
        "device": storable(data.device)[:128],
        "queues": list(data.queues),
        "models_loaded": [dict(model) for model in data.models_loaded],
        "current_job_id": data.current_job,
        "succeeded": data.succeeded,
        "failed": data.failed,
        "last_error": storable(data.last_error)[:300],
        "seen_at": now,
        "stopped_at": None,
    }
    with transaction.atomic():
        worker, created = Worker.objects.get_or_create(
            name=data.name[:128], defaults={**values, "started_at": now}
        )
        if not created:
            if worker.pid != data.pid or worker.stopped_at is not None:
                values["started_at"] = now
            # Not draining: that column belongs to the operators.
            Worker.objects.filter(pk=worker.pk).update(**values)
        _announce(worker.pk)
    worker.refresh_from_db()
    return worker


def worker_stopped(*, name: str) -> None:
    """The worker ended in good order: it is offline from now on."""
    with transaction.atomic():
        for worker in Worker.objects.filter(name=name):
            Worker.objects.filter(pk=worker.pk).update(stopped_at=timezone.now(), current_job=None)
            _announce(worker.pk)


def worker_drain(*, name: str, draining: bool, by: User) -> Worker:
    """Let a worker finish what it holds and take nothing new, or let it go on.

    Raises PermissionDenied, and Worker.DoesNotExist.
    """
    if not can_operate(by):
        raise PermissionDenied("only operators may drain workers")
    with transaction.atomic():
        worker = Worker.objects.select_for_update().get(name=name)
        worker.draining = draining
        worker.save(update_fields=["draining"])
        if not draining:
            waiting = Job.objects.filter(state=JobState.QUEUED, queue__in=worker.queues)
            notifications = list(waiting.order_by("turn", "created_at", "pk").values_list("pk", "queue")[:1])
            transaction.on_commit(lambda: dispatch.notify(notifications), robust=True)
        _announce(worker.pk)
    security_log.record("worker_drained" if draining else "worker_freed", person=by.pk, worker=name)
    return worker


def _announce(pk: int) -> None:
    def publish() -> None:
        publisher.publish(messages.worker_state(Worker.objects.get(pk=pk)))

    transaction.on_commit(publish, robust=True)
