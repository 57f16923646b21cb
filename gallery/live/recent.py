"""The newest progress, previews and texts of jobs, kept in the cache for pages that join late or poll."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.core.cache import cache

from gallery.live.messages import Envelope, Message, job_group

log = logging.getLogger(__name__)

REMEMBER_SECONDS = 15 * 60
MAX_INDEX = 32
"""Outputs of one job whose previews and texts are kept; above every kind's ``count``."""


def recall(job_id: object) -> list[Envelope]:
    """The newest progress, previews and texts of a job, in that order; empty when the cache is away."""
    group = job_group(job_id)
    slots = [
        "progress",
        *(f"preview:{index}" for index in range(MAX_INDEX)),
        *(f"text:{index}" for index in range(MAX_INDEX)),
    ]
    try:
        found = cache.get_many([f"live:{group}:{slot}" for slot in slots])
    except Exception as error:  # whatever the client raises: a snapshot without previews is still true
        log.warning("live cache is away: %s", error)
        return []
    return list(found.values())


def remember(messages: Iterable[Message]) -> None:
    """Keep those messages of jobs that have a ``slot``. Raises whatever the cache's client raises."""
    kept = {
        f"live:{message.group}:{message.slot}": message.envelope
        for message in messages
        if message.slot is not None and message.envelope["job"] is not None
    }
    if kept:
        cache.set_many(kept, REMEMBER_SECONDS)
