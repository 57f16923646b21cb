"""Messages that one socket still has to send: bounded, the newest of a kind replaces the older one."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import OrderedDict

from gallery.live.messages import Envelope

LIMIT = 512
REPLACEABLE = frozenset(
    {"job.state", "job.progress", "job.preview", "job.text", "job.output", "queue.stats", "worker.state"}
)


class OutboxFull(Exception):
    """The reader is so slow that messages of different kinds pile up."""


class Outbox:
    """A queue of envelopes for one reader; each is a full snapshot of its kind, so the newest wins."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[tuple[object, ...], Envelope] = OrderedDict()
        self._filled = asyncio.Event()
        self._serial = itertools.count()

    def put(self, message: Envelope) -> None:
        """Queue a message. Raises OutboxFull."""
        key = self._key(message)
        self._waiting.pop(key, None)
        if len(self._waiting) >= LIMIT:
            raise OutboxFull
        self._waiting[key] = message
        self._filled.set()

    async def next(self) -> str:
        """The oldest waiting message as JSON; waits until there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        _, message = self._waiting.popitem(last=False)
        return json.dumps(message, separators=(",", ":"))

    def _key(self, message: Envelope) -> tuple[object, ...]:
        if message["type"] not in REPLACEABLE:
            return (next(self._serial),)
        data = message["data"]
        return message["type"], message["job"], data.get("index", data.get("name"))
