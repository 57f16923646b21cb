"""The one Celery app: the web notifies the workers through it."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "artsite.settings")

app = Celery("artsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
# gallery.dispatch speaks to "the current app": it may not import this module.
app.set_default()


@setup_logging.connect
def _keep_our_log_format(**_: Any) -> None:
    """A receiver is all it takes: Celery then leaves Django's ``LOGGING`` as it is."""
