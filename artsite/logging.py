"""Log lines: plain for people, JSON for machines, each with the job that it is about.

A worker wraps its work in :func:`job_context`; every line that any module writes in that time, in that
thread or task, carries the ids of the job or batch. Prompts and names reach a log only as values inside
a line: control characters are escaped, so that nobody can forge a line.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_job: ContextVar[str] = ContextVar("job", default="")

# Line feeds stay: tracebacks have them. Everything else that moves a terminal's cursor or colour goes.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}


@contextmanager
def job_context(*job_ids: object) -> Iterator[None]:
    """Lines written inside carry these ids: of one job, or of all in a batch."""
    token = _job.set(" ".join(map(str, job_ids)))
    try:
        yield
    finally:
        _job.reset(token)


class JobFilter(logging.Filter):
    """Adds ``record.job``: the ids of the job or batch, or an empty text."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always lets the record pass."""
        record.job = _job.get()
        return True


class NoConnections(logging.Filter):
    """Drops uvicorn's three lines for each socket: who looked at what is not the operators' business."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is about the server itself."""
        return not (str(record.msg).startswith("connection ") or '"WebSocket' in str(record.msg))


class PlainFormatter(logging.Formatter):
    """``12:30:01 INFO gallery.services.jobs [job 1f2e3d4c] message``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s%(job_part)s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """One line (more when there is a traceback), without control characters."""
        job = str(getattr(record, "job", ""))
        # The beginnings are enough to find a job by.
        record.job_part = f" [job {' '.join(key[:8] for key in job.split())}]" if job else ""
        return super().format(record).translate(_ESCAPES)

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line itself; a line feed in a value is escaped, the traceback comes after this."""
        return super().formatMessage(record).replace("\n", "\\n")


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time (UTC), level, logger, message, and job and exception if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The object as text, in ASCII."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if job := getattr(record, "job", ""):
            line["job"] = job
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configuration(log_format: str, level: str) -> dict[str, Any]:
    """Django's ``LOGGING``: everything goes to stderr through one handler."""
    formatter = JsonFormatter if log_format == "json" else PlainFormatter
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"job": {"()": JobFilter}, "no_connections": {"()": NoConnections}},
        "formatters": {"line": {"()": formatter}},
        "handlers": {
            "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["job"]},
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Django's and uvicorn's own handlers would print the same line a second time, in their own form.
            "django": {"handlers": [], "propagate": True},
            "django.server": {"handlers": [], "propagate": True},
            "uvicorn": {"handlers": [], "propagate": True},
            "uvicorn.error": {"level": level, "filters": ["no_connections"]},
            # A line per page is a proxy's business.
            "uvicorn.access": {"handlers": [], "propagate": True, "level": "WARNING"},
            # One line per task would say less than the runner's own.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            # Pillow and friends are chatty at DEBUG.
            "PIL": {"level": "INFO"},
            "asyncio": {"level": "INFO"},
        },
    }
