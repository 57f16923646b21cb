"""``manage.py studio``: the whole studio on this machine, with one command."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from artsite import env, studio
from artsite.broker import BrokerProblem
from artsite.processes import Log, StartFailed, Supervisor

HIGHEST_PORT = 65535


class Command(BaseCommand):
    """The command line of :mod:`artsite.studio` and :mod:`artsite.processes`."""

    help = "Start the studio: database, broker, worker, scheduler and web; Ctrl-C stops all of it."

    def add_arguments(self, parser: CommandParser) -> None:
        """The command line; ``--data DIR`` is taken by manage.py before settings load."""
        parser.add_argument("--port", type=int, default=8000, help="port of the web (0: any free one)")
        parser.add_argument("--host", default="127.0.0.1", help="address of the web (default: 127.0.0.1)")
        parser.add_argument("--workers", type=int, default=1, metavar="N", help="how many (default: 1)")
        parser.add_argument("--data", metavar="DIR", help="the data folder (default: var)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until a signal. Raises CommandError with one sentence for what is in the way."""
        host, workers = options["host"], options["workers"]
        if workers < 0:
            raise CommandError("--workers: 0 or more")
        if not 0 <= options["port"] <= HIGHEST_PORT:
            raise CommandError(f"--port: 0 (any free one) to {HIGHEST_PORT}")
        try:
            studio.check_host(host)
            studio.answer_to(host)
            # Whoever holds the folder most likely holds the port as well, and the folder says more.
            with studio.data_folder_lock(Path(settings.DATA)) as write_address:
                port = studio.free_port(host, options["port"])
                write_address(studio.url(host, port))
                self._run(host, port, workers)
        except (studio.StudioProblem, BrokerProblem, StartFailed) as problem:
            raise CommandError(str(problem)) from problem

    def _run(self, host: str, port: int, workers: int) -> None:
        studio.prepare()
        parts = studio.parts(host=host, port=port, workers=workers)
        as_json = env.text("ARTSITE_LOG_FORMAT") == "json"
        log = Log(["studio", *(part.name for part in parts)], sys.stdout, as_json=as_json)

        def greet() -> None:
            from gallery.services.setup import setup_link

            address = settings.ORIGINS[0] if settings.ORIGINS else studio.url(host, port)
            log.line("studio", f"ready: {address}")
            if link := setup_link():
                log.line("studio", f"make the administrator, once: {address}{link}")
            log.line("studio", f"data: {settings.DATA} · Ctrl-C stops everything")

        asyncio.run(Supervisor(parts, log, on_ready=greet).run())
