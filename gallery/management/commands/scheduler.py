"""``manage.py scheduler``: the sweep, every few seconds, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections

from gallery import dispatch
from gallery.live import publisher
from gallery.services.artworks import orphan_files_sweep
from gallery.services.sweep import TimeJumps, expired_sessions_sweep, job_sweep
from gallery.services.uploads import unused_uploads_sweep

logger = logging.getLogger(__name__)

FILES_EVERY_SECONDS = 3600.0


class Command(BaseCommand):
    """Runs until SIGTERM or SIGINT. Outages of the database and the broker are waited out."""

    help = "Recover lost jobs every ARTSITE_SWEEP_SECONDS; delete files and sessions of no use every hour."

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep until the process is told to stop."""
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        logger.info("sweeping every %d s", settings.ARTSITE_SWEEP_SECONDS)
        files_at = time.monotonic()
        self._time = TimeJumps()
        self._swept = True
        while not stopping.is_set():
            self._attempt(self._sweep)
            if time.monotonic() >= files_at:
                files_at = time.monotonic() + FILES_EVERY_SECONDS
                self._attempt(orphan_files_sweep)
                self._attempt(unused_uploads_sweep)
                self._attempt(expired_sessions_sweep)
            # A connection that broke is opened again with the next sweep.
            connections.close_all()
            stopping.wait(settings.ARTSITE_SWEEP_SECONDS)
        dispatch.flush(0.5)
        publisher.flush(0.5)

    def _sweep(self) -> None:
        jumped = self._time.jumped(settings.ARTSITE_SWEEP_SECONDS)
        # While this process could not write, workers could not renew their leases.
        missed, self._swept = not self._swept, False
        if jumped or missed:
            logger.warning("time jumped or a sweep failed: every lease is renewed once")
        report = job_sweep(time_jumped=jumped or missed)
        self._swept = True
        if report:
            logger.info("swept: %s", report)

    @staticmethod
    def _attempt(sweep: Callable[[], object]) -> None:
        try:
            sweep()
        except Exception:  # nothing may end the scheduler: the next sweep finds what this one left
            logger.exception("a sweep failed")
