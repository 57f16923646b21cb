"""``manage.py health web|worker|scheduler``: whether this container's process serves; for health checks."""

from __future__ import annotations

import http.client
import socket
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

LATE_SECONDS = 60
"""A scheduler that left a lost job alone for so long does not sweep."""


class Command(BaseCommand):
    """Exit code 0 when healthy; 1 and one sentence when not."""

    help = "Check that the process of this machine or container serves."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line."""
        parser.add_argument("part", choices=("web", "worker", "scheduler"))
        parser.add_argument("--port", type=int, default=8000, help="port of the web")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError when the part does not serve."""
        if options["part"] == "web":
            self._web(options["port"])
        elif options["part"] == "worker":
            self._worker()
        else:
            self._scheduler()

    def _web(self, port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz", headers={"Host": settings.ALLOWED_HOSTS[0].lstrip(".")})
            status = connection.getresponse().status
        except OSError as error:
            raise CommandError(f"the web does not answer: {error}") from error
        finally:
            connection.close()
        if status != http.client.OK:
            raise CommandError(f"the web answers {status}")

    def _worker(self) -> None:
        from gallery.selectors.workers import online

        if not online().filter(host=socket.gethostname()).exists():
            raise CommandError("no worker of this machine was seen lately")

    def _scheduler(self) -> None:
        from gallery.models import Job
        from gallery.models.job import LEASED

        late = timezone.now() - timedelta(seconds=LATE_SECONDS)
        if Job.objects.filter(state__in=LEASED, lease_expires_at__lt=late).exists():
            raise CommandError("jobs of lost workers were not put back")
