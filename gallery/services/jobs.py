"""The life of a job after its submission: every transition is one compare-and-set UPDATE that raises ``seq``.

    queued -> starting -> running -> succeeded | failed | canceled
                 ^            |          (queued -> canceled at once; running -> canceling -> canceled
                 +- lease lost+           at the next step; queued -> expired past its deadline)

A worker that claims jobs gets a lease token. It is a fencing token: every later function of the
worker names it, and a token that is not the row's any more changes nothing. So a second delivery, a
second worker, a late cancel and a worker that wakes up after its lease ran out are all harmless.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Q, QuerySet

from gallery import dispatch, failpoints
from gallery.errors import storable
from gallery.live import messages, publisher
from gallery.models import Job, JobState, User, Worker
from gallery.models.job import LEASED
from gallery.permissions import can_edit_job
from gallery.services import database_clock
from gallery.services.artworks import PreparedArtwork, artworks_save

AT_WORK = (JobState.STARTING, JobState.RUNNING)
# A token that is gone fences its worker off.
NO_LEASE: dict[str, Any] = {"lease_token": None, "lease_expires_at": None}
REQUEUED: dict[str, Any] = {
    **NO_LEASE,
    "state": JobState.QUEUED,
    "phase": "",
    "worker_name": "",
    "started_at": None,
    "notified_at": None,
    # What there was to keep is lost with the worker that had it.
    "finish_early": False,
}
Notes = Sequence[Mapping[str, Any]]


def in_turn(jobs: QuerySet[Job]) -> QuerySet[Job]:
    """Jobs in the order in which they are served."""
    return jobs.order_by("turn", "created_at", "pk")


def compare_and_set(jobs: QuerySet[Job], **changes: Any) -> int:
    """Change the rows that still match in one UPDATE and raise their ``seq``. Returns how many."""
    return jobs.update(seq=F("seq") + 1, **changes)


def announce(job_ids: Collection[UUID]) -> None:
    """After the commit, tell everybody who watches these jobs how they stand now."""
    if job_ids:
        transaction.on_commit(lambda: _publish_states(job_ids), robust=True)


def _publish_states(job_ids: Collection[UUID]) -> None:
    publisher.publish(*(messages.job_state(job) for job in Job.objects.filter(pk__in=job_ids)))


def _held(job_ids: Collection[UUID], token: UUID) -> QuerySet[Job]:
    return Job.objects.filter(pk__in=job_ids, lease_token=token)


# --- What a person does ----------------------------------------------------------------------------


def job_cancel(*, job_id: UUID, by: User) -> Job:
    """Cancel: a waiting job at once, one at work at its next step; a final job stays as it is.

    Raises Job.DoesNotExist, and PermissionDenied for anybody but the owner.
    """
    with transaction.atomic():
        job = Job.objects.get(pk=job_id)
        if not can_edit_job(by, job):
            raise PermissionDenied("only its owner may cancel a job")
        this = Job.objects.filter(pk=job_id)
        if compare_and_set(
            this.filter(state=JobState.QUEUED),
            state=JobState.CANCELED,
            finished_at=database_clock.now(),
            phase="",
        ) or compare_and_set(this.filter(state__in=AT_WORK), state=JobState.CANCELING):
            announce([job_id])
    job.refresh_from_db()
    return job


def job_finish_early(*, job_id: UUID, by: User) -> Job:
    """End work that gets better with every step, and keep what there is at the next one.

    Nothing happens to a job that is not running. Raises Job.DoesNotExist, and PermissionDenied for anybody
    but the owner.
    """
    with transaction.atomic():
        job = Job.objects.get(pk=job_id)
        if not can_edit_job(by, job):
            raise PermissionDenied("only its owner may end a job")
        if compare_and_set(
            Job.objects.filter(pk=job_id, state=JobState.RUNNING, finish_early=False), finish_early=True
        ):
            announce([job_id])
    job.refresh_from_db()
    return job


# --- What a worker does ----------------------------------------------------------------------------


def job_claim(*, queues: Collection[str], worker_name: str, limit_for: Callable[[str], int]) -> list[Job]:
    """Lease the job whose turn it is, and the waiting ones that may run with it as one batch.

    ``limit_for(kind)`` is the most jobs of a kind that this worker runs at once; it is asked inside
    the transaction and must be quick. A job that already lost a worker is taken alone, so that it can
    harm nobody twice. All jobs of one claim share one fresh ``lease_token``. Empty when nothing waits,
    or when an operator drains this worker.
    """
    waiting = Job.objects.filter(state=JobState.QUEUED, queue__in=queues)
    if not waiting.exists():
        return []
    token = uuid.uuid4()
    with transaction.atomic():
        if Worker.objects.filter(name=worker_name, draining=True).exists():
            return []
        # With row locks two workers claim side by side; on SQLite the transaction is the lock.
        in_time = waiting.filter(Q(deadline_at=None) | Q(deadline_at__gt=database_clock.now()))
        free = in_turn(in_time).select_for_update(skip_locked=True)
        head = free.first()
        if head is None:
            return []
        claimed = [head.pk]
        limit = limit_for(head.kind)
        if limit > 1 and head.attempt == 0:
            alike = free.filter(queue=head.queue, batch_key=head.batch_key, attempt=0).exclude(pk=head.pk)
            claimed += alike.values_list("pk", flat=True)[: limit - 1]
        compare_and_set(
            Job.objects.filter(pk__in=claimed, state=JobState.QUEUED),
            state=JobState.STARTING,
            phase="",
            attempt=F("attempt") + 1,
            lease_token=token,
            lease_expires_at=database_clock.shifted(settings.ARTSITE_LEASE_SECONDS),
            worker_name=worker_name,
            started_at=database_clock.now(),
        )
        jobs = list(in_turn(_held(claimed, token)))
        announce(claimed)
    failpoints.reach("claimed")
    return jobs


def job_start_running(
    *, job_ids: Collection[UUID], token: UUID, phase: str, model_name: str = "", model_digest: str = ""
) -> set[UUID]:
    """starting -> running, with the model that will decide the result. Returns the jobs that now run.

    A job that is missing was canceled meanwhile (see :func:`job_confirm_cancel`), or the lease is lost.
    """
    with transaction.atomic():
        compare_and_set(
            _held(job_ids, token).filter(state=JobState.STARTING),
            state=JobState.RUNNING,
            phase=phase,
            model_name=model_name,
            model_digest=model_digest,
        )
        running = set(
            _held(job_ids, token).filter(state=JobState.RUNNING).values_list("pk", flat=True),
        )
        announce(running)
    return running


def job_enter_phase(*, job_ids: Collection[UUID], token: UUID, phase: str) -> None:
    """Write down what a job at work is doing now, in one word that pages translate."""
    with transaction.atomic():
        if compare_and_set(_held(job_ids, token).filter(state__in=AT_WORK).exclude(phase=phase), phase=phase):
            announce(job_ids)


def job_take_notes(*, job_id: UUID, token: UUID, notes: Notes) -> None:
    """Write down what the engine has told the person so far: the page shows it while the work goes on."""
    with transaction.atomic():
        if compare_and_set(_held([job_id], token).filter(state__in=AT_WORK), notes=list(notes)):
            announce([job_id])


def job_heartbeat(*, job_ids: Collection[UUID], token: UUID) -> dict[UUID, str]:
    """Renew the lease; the state of every job that is still held. A missing job's lease is lost."""
    _held(job_ids, token).update(lease_expires_at=database_clock.shifted(settings.ARTSITE_LEASE_SECONDS))
    return job_states(job_ids=job_ids, token=token)


def job_states(*, job_ids: Collection[UUID], token: UUID) -> dict[UUID, str]:
    """The state of every job that is still held under ``token``, without renewing anything."""
    return dict(_held(job_ids, token).values_list("pk", "state"))


def jobs_finishing_early(*, job_ids: Collection[UUID], token: UUID) -> set[UUID]:
    """Those jobs still held whose owner wants to keep what there is now."""
    return set(_held(job_ids, token).filter(finish_early=True).values_list("pk", flat=True))


def job_release(*, job_ids: Collection[UUID], token: UUID) -> int:
    """Give jobs back unfinished: they wait again and the attempt is not charged. Returns how many.

    Those that are being canceled are canceled.
    """
    with transaction.atomic():
        held = _held(job_ids, token)
        released = list(in_turn(held.filter(state__in=AT_WORK)).values_list("pk", "queue"))
        compare_and_set(held.filter(state__in=AT_WORK), **{**REQUEUED, "attempt": F("attempt") - 1})
        _confirm_cancel(held)
        announce(job_ids)
        transaction.on_commit(lambda: dispatch.notify(released), robust=True)
    return len(released)


def job_confirm_cancel(*, job_id: UUID, token: UUID) -> bool:
    """canceling -> canceled: the worker has stopped. False when there was nothing to confirm."""
    with transaction.atomic():
        confirmed = bool(_confirm_cancel(_held([job_id], token)))
        if confirmed:
            announce([job_id])
    return confirmed


def _confirm_cancel(jobs: QuerySet[Job]) -> int:
    return compare_and_set(
        jobs.filter(state=JobState.CANCELING),
        **NO_LEASE,
        state=JobState.CANCELED,
        phase="",
        finished_at=database_clock.now(),
    )


def job_finish(*, job_id: UUID, token: UUID, outputs: Sequence[PreparedArtwork], notes: Notes = ()) -> bool:
    """running -> succeeded, and its artworks come into being: both or neither.

    The files behind ``outputs`` are stored before. False when the lease is lost or the job is being
    canceled: then nothing changed, and the files are nobody's (the sweep of orphan files takes them).
    """
    with transaction.atomic():
        closed = compare_and_set(
            _held([job_id], token).filter(state__in=AT_WORK),
            **NO_LEASE,
            state=JobState.SUCCEEDED,
            phase="",
            notes=list(notes),
            finished_at=database_clock.now(),
        )
        if not closed:
            return False
        artworks_save(outputs)
        failpoints.reach("commit")

        def publish() -> None:
            job = Job.objects.get(pk=job_id)
            publisher.publish(messages.job_state(job), messages.job_output(job))

        transaction.on_commit(publish, robust=True)
    failpoints.reach("committed")
    return True


def job_fail(*, job_id: UUID, token: UUID, code: str, visitor: str, operator: str, notes: Notes = ()) -> bool:
    """at work -> failed, with a text for the visitor and one for the operator.

    A job that is being canceled is canceled: its owner does not want to hear of it. False when the
    lease is lost.
    """
    with transaction.atomic():
        held = _held([job_id], token)
        changed = compare_and_set(
            held.filter(state__in=AT_WORK),
            **NO_LEASE,
            state=JobState.FAILED,
            phase="",
            notes=list(notes),
            finished_at=database_clock.now(),
            error_code=code[:32],
            error_visitor=storable(visitor)[:300],
            error_operator=storable(operator)[:10_000],
        ) or _confirm_cancel(held)
        if changed:
            announce([job_id])
    return bool(changed)


def leases_renew(*, all_of_them: bool) -> int:
    """Renew leases in their workers' place: all of them after a jump of time. Returns how many.

    Without ``all_of_them`` only those that end later than any lease given now would: the clock was set back,
    and a dead worker's jobs would wait as long as it was set back by.
    """
    held = Job.objects.filter(state__in=LEASED)
    if not all_of_them:
        held = held.filter(lease_expires_at__gt=database_clock.shifted(2 * settings.ARTSITE_LEASE_SECONDS))
    # Mostly there is nothing: look before taking SQLite's one write lock.
    if not held.exists():
        return 0
    return held.update(lease_expires_at=database_clock.shifted(settings.ARTSITE_LEASE_SECONDS))


def leases_expired() -> QuerySet[Job]:
    """Jobs whose worker was silent for longer than its lease."""
    return Job.objects.filter(state__in=LEASED, lease_expires_at__lt=database_clock.now())
