"""Writes that must not get lost while the database is away for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection

from gallery.services import storage

logger = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
"""How long a closing transaction is tried again."""

T = TypeVar("T")


def retry_while_database_down(write: Callable[[], T]) -> T:
    """Call ``write``, again and again while the database is away. Raises its error after a minute.

    While the disk is full it is tried for ever: nobody else could write down anything either, and what was
    made is worth keeping.
    Writes are compare-and-set with a token, so one whose answer got lost may be repeated.
    """
    deadline = time.monotonic() + RETRY_SECONDS
    pause = 0.1
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as problem:
            connection.close()
            if storage.cause_of(problem) == "full":
                deadline = time.monotonic() + RETRY_SECONDS
            if time.monotonic() + pause > deadline:
                raise
            logger.warning("the database does not answer, trying again: %s", problem)
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
