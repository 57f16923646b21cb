"""Whether there is room to save anything: asked before work is accepted or begun, told in a sentence.

A disk that is full must lose nothing: below a low-water mark (``ARTSITE_MIN_FREE_MB``) uploads and jobs are
refused, workers take no more, and what is there stays readable. What fails in spite of that says so too.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gallery.errors import Problem

log = logging.getLogger(__name__)

RETRY_SECONDS = 60
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_DATABASE_FULL = ("database or disk is full", "no space left on device")
_DATABASE_READ_ONLY = (
    "readonly database",
    "read-only transaction",
    "unable to open database file",
    "disk i/o error",
)

SENTENCES = {
    "full": _("The studio's disk is full, so nothing can be saved at the moment. Its operators can see it."),
    "read_only": _("The studio cannot write to its disk at the moment. Its operators can see it."),
    "busy": _("The studio's database is busy. Please send this again in a moment."),
    "database": _("The studio's database does not answer. Please send this again in a moment."),
}


class CannotSave(Problem):
    """Nothing can be saved now. Codes: those of SENTENCES; what was typed should be kept for the person."""

    def __init__(self, code: str, operator: str = "") -> None:
        super().__init__(code, str(SENTENCES[code]), operator or code)


def cause_of(error: BaseException) -> str:
    """The code of SENTENCES for an error of the disk or the database, empty for any other."""
    if isinstance(error, CannotSave):
        return error.code
    if isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError):
        if error.errno in _FULL:
            return "full"
        return "read_only" if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO) else ""
    if isinstance(error, DatabaseError | sqlite3.Error):
        text = str(error).lower()
        if any(known in text for known in _DATABASE_FULL):
            return "full"
        if any(known in text for known in _DATABASE_READ_ONLY):
            return "read_only"
        if "database is locked" in text or "lock timeout" in text:
            return "busy"
        if type(error).__name__ in ("OperationalError", "InterfaceError"):
            return "database"
    return ""


@contextmanager
def saving() -> Iterator[None]:
    """Errors of the disk and the database inside become CannotSave; all others pass."""
    try:
        yield
    except (OSError, DatabaseError) as error:
        if not (code := cause_of(error)):
            raise
        log.error("cannot save (%s): %s", code, error)
        raise CannotSave(code, f"{type(error).__name__}: {error}") from error


def free_bytes() -> int | None:
    """Free space where files are kept, bytes; None where that is not a local folder."""
    # Not isinstance: Django's default storage is a proxy of the one in use.
    if settings.STORAGES["default"]["BACKEND"] != "django.core.files.storage.FileSystemStorage":
        return None
    folder = Path(settings.MEDIA_ROOT)
    while not folder.exists():
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def is_low() -> bool:
    """Whether less is free than the low-water mark."""
    free = free_bytes()
    return free is not None and free < settings.ARTSITE_MIN_FREE_BYTES


def check_room() -> None:
    """Raises CannotSave below the low-water mark."""
    if is_low():
        raise CannotSave("full", f"{free_bytes()} bytes free, at least {settings.ARTSITE_MIN_FREE_BYTES}")


def folder_state() -> str:
    """``ok``, ``full``, ``read_only`` or ``low`` for the folder of files; found out by writing there."""
    if free_bytes() is None:
        return "ok"
    probe = Path(settings.MEDIA_ROOT) / f".probe-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        try:
            probe.write_bytes(b"\0" * 4096)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return cause_of(error) or "read_only"
    return "low" if is_low() else "ok"


def database_state() -> str:
    """``ok``, or why the database takes no writes: ``full``, ``read_only``, ``busy``, ``database``.

    A row is written, committed and deleted again; nothing less shows that a disk is full.
    """
    key = f"readyz{uuid.uuid4().hex[:26]}"
    try:
        with transaction.atomic():
            Session.objects.create(session_key=key, session_data="", expire_date=timezone.now())
        Session.objects.filter(session_key=key).delete()
    except DatabaseError as error:
        return cause_of(error) or "database"
    return "ok"


class Checked:
    """The states above, asked at most every few seconds by one process: anybody may ask for ``/readyz``."""

    SECONDS = 2.0

    def __init__(self) -> None:
        self._at = -self.SECONDS
        self._states = ("ok", "ok")

    def states(self) -> tuple[str, str]:
        """:func:`database_state` and :func:`folder_state`."""
        if time.monotonic() - self._at >= self.SECONDS:
            self._states = database_state(), folder_state()
            self._at = time.monotonic()
        return self._states
