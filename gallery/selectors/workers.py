"""Reads of the worker processes that report here."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from gallery.models import Worker

WORKER_SILENT_SECONDS = 30
"""A worker that was not seen for so long is not online."""


def online() -> QuerySet[Worker]:
    """Workers that were seen lately and have not said goodbye."""
    since = timezone.now() - timedelta(seconds=WORKER_SILENT_SECONDS)
    return Worker.objects.filter(seen_at__gte=since, stopped_at=None)
