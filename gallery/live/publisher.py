"""The only publisher of live messages: a background thread that hands them to the channel layer.

Messages are hints: the row is the truth, and a lost hint is repaired by the next snapshot. So
:func:`publish` never blocks and never raises, whatever Redis does.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from channels.layers import get_channel_layer

from gallery.live.messages import LAYER_MESSAGE, LAYER_RECHECK, Envelope, Message, user_group
from gallery.live.recent import remember

log = logging.getLogger(__name__)

MAX_PENDING = 4096
SEND_SECONDS = 5.0


class Publisher:
    """A thread with an event loop of its own that hands messages to the channel layer.

    What waits is bounded: messages of one slot replace each other, and of the rest the oldest goes first
    when Redis is away for long.
    """

    def __init__(self) -> None:
        self._pending: OrderedDict[tuple[str, str], Message] = OrderedDict()
        self._controls: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._busy = False
        self._serial = itertools.count()
        self._warned_at = 0.0

    def put(self, messages: Iterable[Message], controls: Mapping[str, dict[str, Any]] | None = None) -> None:
        """Queue messages (and, by group, control events) and return at once."""
        with self._changed:
            for message in messages:
                key = (message.group, message.slot or f"#{next(self._serial)}")
                self._pending.pop(key, None)  # the newer one goes to the end, in its own order
                self._pending[key] = message
            while len(self._pending) > MAX_PENDING:
                self._pending.popitem(last=False)
            self._controls.update(controls or {})
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="live-publisher", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until everything is handed over. Whether it was, within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(self._idle, timeout)

    def _idle(self) -> bool:
        return not self._pending and not self._controls and not self._busy

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._pending or self._controls)
                messages, self._pending = list(self._pending.values()), OrderedDict()
                controls, self._controls = self._controls, {}
                self._busy = True
            try:
                # Kept first, sent second: whoever joins between the two finds it in the cache.
                self._try(lambda batch=messages: remember(batch))
                self._try(
                    lambda batch=messages, extra=controls: loop.run_until_complete(
                        asyncio.wait_for(_send(batch, extra), SEND_SECONDS)
                    )
                )
            except BaseException:
                log.exception("the publishing thread ends; the next message starts another")
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()
                raise

    def _try(self, action: Any) -> None:
        try:
            action()
        except Exception as error:  # Redis is away, full or hung: these were hints, the rows are saved
            now = time.monotonic()
            if now - self._warned_at > 30:
                self._warned_at = now
                log.warning("live messages are lost while Redis is away: %s: %s", type(error).__name__, error)


async def _send(messages: Iterable[Message], controls: Mapping[str, dict[str, Any]]) -> None:
    """One send per group, however many messages it gets."""
    layer = get_channel_layer()
    if layer is None:
        return
    groups: dict[str, list[Envelope]] = {}
    for message in messages:
        groups.setdefault(message.group, []).append(message.envelope)
    for group, envelopes in groups.items():
        await layer.group_send(group, {"type": LAYER_MESSAGE, "messages": envelopes})
    for group, control in controls.items():
        await layer.group_send(group, control)


_publisher = Publisher()


@atexit.register
def _flush_at_exit() -> None:
    # A command that submits and ends must not take its message along.
    _publisher.flush(2.0)


def publish(*messages: Message) -> None:
    """Hand ``messages`` to whoever watches. Never blocks, never raises; call it after the commit."""
    _publisher.put(messages)


def recheck_user(user_id: object, ended_session: str = "") -> None:
    """Have every open socket of a person ask again whether they are signed in and what they may see.

    Sockets of ``ended_session``, a digest (:func:`gallery.live.messages.session_digest`), are closed unasked:
    its row may not be deleted yet.
    """
    _publisher.put((), {user_group(user_id): {"type": LAYER_RECHECK, "ended_session": ended_session}})


def flush(timeout: float = 2.0) -> bool:
    """Wait until what was published has been handed over. Whether it was, within ``timeout`` seconds."""
    return _publisher.flush(timeout)
