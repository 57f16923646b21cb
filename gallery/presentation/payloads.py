"""Jobs, works and workers as JSON: what the socket pushes is what the polling page and the command line read.

``*_data`` functions read the row alone and may run in any process; ``job_payload`` is the whole truth about
a job for one person, with its place in the queue and its results.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NotRequired, TypedDict
from uuid import UUID

from django.db.models import Count, Q
from django.urls import reverse

from gallery import permissions
from gallery.models import Artwork, Job, JobState, Upload, Worker
from gallery.models.job import LEASED
from gallery.permissions import Person
from gallery.selectors import queue

TAG_LENGTH = 16


class ErrorData(TypedDict):
    """Why a job failed. ``operator`` is there for operators only."""

    code: str
    message: str
    operator: NotRequired[str]


class StateData(TypedDict):
    """A job's row as its page shows it. Times are ISO 8601 or None."""

    id: str
    kind: str
    queue: str
    state: str
    final: bool
    phase: str
    seq: int
    attempt: int
    parameters: dict[str, Any]
    seed: str
    """As text: a seed has up to 63 bits, JavaScript's numbers keep 53."""
    publish_as: str
    retry_of: str | None
    notes: list[Any]
    model: dict[str, str]
    error: ErrorData | None
    created_at: str | None
    started_at: str | None
    finished_at: str | None
    deadline_at: str | None


class ArtworkData(TypedDict):
    """One result. ``url`` and ``thumb`` are empty for a poem, ``text`` is empty for a picture.

    Of a loop ``url`` is the animated WebP and ``video`` the MP4; ``video`` is empty for everything else.
    """

    id: str
    index: int
    kind: str
    title: str
    page: str
    url: str
    thumb: str
    video: str
    width: int
    height: int
    colour: str
    text: str


class StandingData(TypedDict):
    """A waiting job's place: ``position`` jobs are served before it; ``eta_*`` are seconds or None."""

    position: int
    ahead: int
    eta_start: float | None
    eta_start_high: float | None
    feasible: bool


class WorkerData(TypedDict):
    """A worker's row as operators see it. It is online while ``seen_at`` is recent and it was not stopped."""

    name: str
    host: str
    pid: int
    device: str
    queues: list[str]
    models: list[Any]
    current_job: str | None
    succeeded: int
    failed: int
    last_error: str
    draining: bool
    started_at: str | None
    seen_at: str | None
    stopped_at: str | None


def state_data(job: Job) -> StateData:
    """The row of ``job``, without anything that only operators may read."""
    error: ErrorData | None = None
    if job.error_code:
        error = {"code": job.error_code, "message": job.error_visitor}
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "queue": job.queue,
        "state": str(job.state),
        "final": job.is_final,
        "phase": job.phase,
        "seq": job.seq,
        "attempt": job.attempt,
        "parameters": dict(job.parameters),
        "seed": str(job.seed),
        "publish_as": job.publish_as,
        "retry_of": str(job.retry_of_id) if job.retry_of_id else None,
        "notes": list(job.notes),
        "model": {"name": job.model_name, "digest": job.model_digest},
        "error": error,
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "deadline_at": _iso(job.deadline_at),
    }


def artwork_data(artwork: Artwork) -> ArtworkData:
    """One work with its addresses; whoever follows them is checked again."""
    return {
        "id": str(artwork.pk),
        "index": artwork.index,
        "kind": artwork.kind,
        "title": artwork.title,
        "page": reverse("artwork", args=[artwork.pk]),
        "url": picture_url(artwork),
        "thumb": thumbnail_url(artwork),
        "video": video_url(artwork),
        "width": artwork.width,
        "height": artwork.height,
        "colour": artwork.colour,
        "text": artwork.text,
    }


def picture_url(artwork: Artwork) -> str:
    """The picture's address, with its hash so that it may be cached for ever; empty for a poem."""
    if not artwork.file:
        return ""
    return f"{reverse('media_picture', args=[artwork.pk])}?v={artwork.sha256[:TAG_LENGTH]}"


def thumbnail_url(artwork: Artwork) -> str:
    """The thumbnail's address; empty when there is none."""
    if not artwork.thumbnail:
        return ""
    return f"{reverse('media_thumb', args=[artwork.pk])}?v={artwork.sha256[:TAG_LENGTH]}"


def video_url(artwork: Artwork) -> str:
    """The address of a loop as MP4; empty for everything else."""
    if not artwork.video:
        return ""
    return f"{reverse('media_video', args=[artwork.pk])}?v={artwork.sha256[:TAG_LENGTH]}"


def upload_url(upload: Upload) -> str:
    """The address of a picture that the person brought; only they can open it."""
    return reverse("media_upload", args=[upload.pk])


def standing_data(job: Job) -> StandingData | None:
    """Where a waiting job stands, counted now; None when it does not wait."""
    if job.state != JobState.QUEUED:
        return None
    place = queue.position(job)
    if place is None:
        return None
    low, high = place.eta_start or (None, None)
    return {
        "position": place.position,
        "ahead": place.ahead,
        "eta_start": low,
        "eta_start_high": high,
        "feasible": place.feasible,
    }


def job_payload(job: Job, person: Person) -> dict[str, Any]:
    """Everything that ``person`` may know about ``job``. The caller has asked ``can_view_job`` already.

    StateData, and: ``position``, ``ahead``, ``eta_start``, ``eta_start_high``, ``feasible`` (None unless it
    waits), ``outputs`` (ArtworkData of those works that the person may see), ``inputs``, ``urls``.
    """
    data: dict[str, Any] = {**full_state(job, person)}
    data["outputs"] = job_outputs(job.pk, person)
    reads = permissions.can_read_job(person, job)
    data["inputs"] = [
        {"role": given.role, "url": _input_url(given.upload, given.artwork) if reads else None}
        for given in job.inputs.select_related("upload", "artwork").order_by("role")
    ]
    data["urls"] = {name: reverse(url, args=[job.pk]) for name, url in _JOB_URLS.items()}
    return data


def full_state(job: Job, person: Person) -> dict[str, Any]:
    """StateData with the place in the queue and, for operators, their text of the error."""
    data: dict[str, Any] = {**state_data(job)}
    if not permissions.can_read_job(person, job):
        data = without_content(data)
    standing = standing_data(job)
    data.update(standing or dict.fromkeys(StandingData.__annotations__))
    if data["error"] is not None and permissions.can_operate(person):
        data["error"]["operator"] = job.error_operator
    return data


def without_content(state: Mapping[str, Any]) -> dict[str, Any]:
    """StateData as operators get it: how the job stands, and nothing of what it is about."""
    return {**state, "parameters": {}, "seed": "", "notes": []}


def job_outputs(job_id: UUID | str, person: Person) -> list[ArtworkData]:
    """The results of a job that ``person`` may see, in order."""
    works = Artwork.objects.filter(job_id=job_id).defer("details").order_by("index")
    return [artwork_data(artwork) for artwork in works if permissions.can_view(person, artwork)]


def worker_data(worker: Worker) -> WorkerData:
    """A worker's row."""
    return {
        "name": worker.name,
        "host": worker.host,
        "pid": worker.pid,
        "device": worker.device,
        "queues": list(worker.queues),
        "models": list(worker.models_loaded),
        "current_job": str(worker.current_job_id) if worker.current_job_id else None,
        "succeeded": worker.succeeded,
        "failed": worker.failed,
        "last_error": worker.last_error,
        "draining": worker.draining,
        "started_at": _iso(worker.started_at),
        "seen_at": _iso(worker.seen_at),
        "stopped_at": _iso(worker.stopped_at),
    }


def queue_counts() -> dict[str, dict[str, int]]:
    """Queue -> {"waiting", "running"}, in one query."""
    rows = (
        Job.objects.filter(state__in=(JobState.QUEUED, *LEASED))
        .values("queue")
        .annotate(
            waiting=Count("pk", filter=Q(state=JobState.QUEUED)),
            running=Count("pk", filter=Q(state__in=LEASED)),
        )
        .order_by("queue")
    )
    return {row["queue"]: {"waiting": row["waiting"], "running": row["running"]} for row in rows}


_JOB_URLS = {"page": "job", "self": "job_json", "cancel": "job_cancel", "retry": "job_retry"}


def _input_url(upload: Upload | None, artwork: Artwork | None) -> str:
    if upload is not None:
        return upload_url(upload)
    return thumbnail_url(artwork) if artwork is not None else ""


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
