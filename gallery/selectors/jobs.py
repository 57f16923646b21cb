"""Reads of jobs, with the works that they made and the pictures that they take."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Prefetch

from gallery.models import Artwork, Job, JobInput, JobState
from gallery.models.job import FINAL
from gallery.permissions import Person, can_view
from gallery.selectors.artworks import CARD, cards
from gallery.selectors.pagination import Page, keyset_page

JOBS_PAGE = 20


def jobs_page(owner: Person, *, show: str = "", onward: str = "", back: str = "") -> Page[Job]:
    """One person's jobs with their works, newest first. ``show``: "open", "done", "failed" or "" for all."""
    jobs = Job.objects.filter(owner_id=owner.pk).prefetch_related(
        Prefetch("artworks", cards(Artwork.objects.order_by("index")).only(*CARD, "job_id", "index"))
    )
    if show == "open":
        jobs = jobs.exclude(state__in=FINAL)
    elif show == "done":
        jobs = jobs.filter(state=JobState.SUCCEEDED)
    elif show == "failed":
        jobs = jobs.filter(state__in=(JobState.FAILED, JobState.EXPIRED, JobState.CANCELED))
    return keyset_page(jobs, field="created_at", size=JOBS_PAGE, onward=onward, back=back)


def job(job_id: UUID) -> Job | None:
    """One job with its owner."""
    return Job.objects.select_related("owner").filter(pk=job_id).first()


def job_artworks(job: Job) -> list[Artwork]:
    """The works that a job made, in order."""
    return list(cards(job.artworks.all()).order_by("index"))


def job_inputs(job: Job) -> list[JobInput]:
    """The pictures that a job takes."""
    return list(job.inputs.select_related("upload", "artwork__owner").order_by("pk"))


def job_pictures(person: Person, job: Job) -> list[tuple[JobInput, bool]]:
    """The pictures that a job takes, each with whether the person may (still) see it."""
    return [
        (
            given,
            given.upload.owner_id == person.pk
            if given.upload is not None
            else given.artwork is not None and can_view(person, given.artwork),
        )
        for given in job_inputs(job)
    ]


def job_of_key(owner: Person, key: str) -> Job | None:
    """The job that was submitted with this idempotency key."""
    return Job.objects.filter(owner_id=owner.pk, idempotency_key=key).first() if key else None


def recent_failures(limit: int = 20) -> list[Job]:
    """The newest failed jobs with what operators need to know."""
    return list(
        Job.objects.filter(state=JobState.FAILED)
        .select_related("owner")
        .only(
            "id",
            "kind",
            "queue",
            "owner__username",
            "worker_name",
            "error_code",
            "error_operator",
            "finished_at",
            "attempt",
            "state",
        )
        .order_by("-finished_at")[:limit]
    )
