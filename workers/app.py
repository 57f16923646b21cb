"""The worker's Celery application, without torch: ``celery -A workers.app worker -Q gan,cnn,rnn``."""

from __future__ import annotations

import django

from artsite.celery import app

# The tasks import models, whoever imports this module first.
django.setup()

from workers import tasks  # noqa: E402
from workers.runtime import process  # noqa: E402

__all__ = ["app", "process", "tasks"]
