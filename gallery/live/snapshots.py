"""What a socket reads from the database: who may watch a job, and full snapshots of jobs and workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gallery import permissions
from gallery.live import recent
from gallery.live.messages import CONTENT, Envelope, OutputData, envelope
from gallery.models import Job, JobState, Worker
from gallery.models.job import LEASED
from gallery.permissions import Person
from gallery.presentation import payloads


def may_watch(person: Person, job_id: str) -> bool:
    """Whether there is such a job and the person may see it."""
    job = Job.objects.filter(pk=job_id).first()
    return job is not None and permissions.can_view_job(person, job)


def may_read(person: Person, job_id: str) -> bool:
    """Whether the person may know what the job is about."""
    job = Job.objects.filter(pk=job_id).first()
    return job is not None and permissions.can_read_job(person, job)


def may_watch_all(person: Person, job_ids: list[str]) -> bool:
    """Whether the person may (still) see all of these jobs that exist."""
    return all(permissions.can_view_job(person, job) for job in Job.objects.filter(pk__in=job_ids))


def job_snapshot(person: Person, job_id: str) -> list[Envelope]:
    """Everything that a page needs to show a job as it is; empty when the person may not know it."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or not permissions.can_view_job(person, job):
        return []
    key, seq = str(job.pk), job.seq
    messages = [envelope("job.state", payloads.full_state(job, person), job=key, seq=seq)]
    if job.state == JobState.SUCCEEDED:
        messages.append(envelope("job.output", outputs(person, key), job=key, seq=seq))
    elif job.state in LEASED:
        messages += newest_messages(person, job)
    return messages


def newest_messages(person: Person, job: Job) -> list[Envelope]:
    """The newest progress of a job at work, and for its owner its previews and text."""
    reads = permissions.can_read_job(person, job)
    return [one for one in recent.recall(job.pk) if reads or one["type"] not in CONTENT]


def outputs(person: Person, job_id: str) -> OutputData:
    """The results of a job that the person may see."""
    return {"artworks": payloads.job_outputs(job_id, person)}


def queue_positions(job_ids: list[str]) -> dict[str, tuple[int, Mapping[str, Any] | None]]:
    """Job id -> its seq now, and its place in the queue while it waits."""
    jobs = Job.objects.filter(pk__in=job_ids)
    return {str(job.pk): (job.seq, payloads.standing_data(job)) for job in jobs}


def worker_snapshot() -> list[Envelope]:
    """Every worker that has not stopped."""
    return [
        envelope("worker.state", payloads.worker_data(worker))
        for worker in Worker.objects.filter(stopped_at=None)
    ]
