"""Workers as operators see them: written by the workers' own heartbeat."""

from __future__ import annotations

from typing import Any

from django.db import models


class Worker(models.Model):
    """One worker process. It is online while ``seen_at`` is recent (see selectors)."""

    name = models.CharField(max_length=128, unique=True)
    host = models.CharField(max_length=128)
    pid = models.PositiveIntegerField()
    device = models.CharField(max_length=128, blank=True, default="")
    queues: models.JSONField[list[str], list[str]] = models.JSONField(default=list)
    models_loaded: models.JSONField[list[Any], list[Any]] = models.JSONField(default=list)
    """[{"name", "digest", "kind"}] of the engines in memory."""
    current_job = models.ForeignKey(
        "gallery.Job", on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True, default="")
    draining = models.BooleanField(default=False)
    """Set by an operator: finish what is held, take nothing new."""
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
