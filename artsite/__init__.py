"""The Django project: process wiring only, no domain knowledge."""

from artsite.celery import app as celery_app

__all__ = ["celery_app"]
