"""Jobs: the queue is these rows; a Celery message only notifies workers that one waits.

    queued -> starting -> running -> succeeded | failed | canceled
                 ^            |          (queued -> canceled at once; running -> canceling -> canceled
                 +- lease lost+           at the next step; queued -> expired past its deadline)

Every transition is one compare-and-set UPDATE in :mod:`gallery.services.jobs` that also raises ``seq``.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class JobState(models.TextChoices):
    """Where a job is. The last four are final."""

    QUEUED = "queued", _("waiting")
    STARTING = "starting", _("starting")
    RUNNING = "running", _("at work")
    CANCELING = "canceling", _("canceling")
    SUCCEEDED = "succeeded", _("done")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")
    EXPIRED = "expired", _("expired")


LEASED = (JobState.STARTING, JobState.RUNNING, JobState.CANCELING)
FINAL = (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.EXPIRED)
MAX_ATTEMPTS = 3


class Job(models.Model):
    """One request to run a recipe."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="jobs")
    kind = models.CharField(max_length=16)
    queue = models.CharField(max_length=8)
    parameters: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField(default=dict)
    seed = models.BigIntegerField()
    batch_key = models.CharField(max_length=64)
    idempotency_key = models.CharField(max_length=64)
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries"
    )
    publish_as = models.CharField(max_length=8, default="private")
    """The visibility that the artworks get when they are made."""

    state = models.CharField(max_length=9, choices=JobState.choices, default=JobState.QUEUED)
    phase = models.CharField(max_length=16, blank=True, default="")
    seq = models.PositiveIntegerField(default=1)
    turn = models.PositiveIntegerField(default=0)
    """Waiting jobs are taken by (turn, created_at): turns interleave the people who wait."""
    attempt = models.PositiveSmallIntegerField(default=0)
    """How often a worker took it and was charged for it."""
    finish_early = models.BooleanField(default=False)
    """Its owner wants to keep what there is: an engine whose work only gets better ends it at a step."""

    lease_token = models.UUIDField(null=True, blank=True)
    """The fencing token: only the worker that knows it may change the job."""
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    worker_name = models.CharField(max_length=128, blank=True, default="")
    notified_at = models.DateTimeField(null=True, blank=True)
    """When workers were last notified of it; None when that failed."""

    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    deadline_at = models.DateTimeField(null=True, blank=True)

    model_name = models.CharField(max_length=64, blank=True, default="")
    model_digest = models.CharField(max_length=64, blank=True, default="")
    notes: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    """What the engine told the person besides the result: [{"code": ..., ...}]."""
    error_code = models.CharField(max_length=32, blank=True, default="")
    error_visitor = models.CharField(max_length=300, blank=True, default="")
    error_operator = models.TextField(blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="job_one_per_submission"),
        )
        indexes = (
            models.Index(fields=["turn", "created_at"], condition=Q(state="queued"), name="job_waiting"),
            models.Index(fields=["owner", "-created_at"], name="job_by_owner"),
            models.Index(fields=["state", "lease_expires_at"], name="job_leases"),
            models.Index(
                fields=["kind", "-finished_at"], condition=Q(state="succeeded"), name="job_durations"
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.state})"

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in FINAL

    @property
    def prompt(self) -> str:
        """The prompt or theme, empty for kinds that take none."""
        return str(self.parameters.get("prompt", ""))


class JobInput(models.Model):
    """A picture that a job takes: an upload or an artwork; neither when that was deleted since."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="inputs")
    role = models.CharField(max_length=16)
    upload = models.ForeignKey(
        "gallery.Upload", on_delete=models.SET_NULL, null=True, blank=True, related_name="used_by"
    )
    artwork = models.ForeignKey(
        "gallery.Artwork", on_delete=models.SET_NULL, null=True, blank=True, related_name="used_by"
    )

    class Meta:
        constraints = (models.UniqueConstraint(fields=["job", "role"], name="job_input_one_per_role"),)

    def __str__(self) -> str:
        return f"{self.role} of {self.job_id}"
