"""Every message that a socket may carry, and the only publisher.

On the wire: ``{"v": 1, "type", "job", "seq", "ts", "data"}``. Every message is a full snapshot of its kind,
so one message re-synchronises a page. Two numbers tell old from new: ``seq`` is that of the job's row (it
grows with every transition), ``data.tick`` grows within one ``seq`` for progress, previews and text. A client
ignores a message whose (seq, tick) is not newer than what it has of that type and index.

Messages are hints: the row is the truth, and a lost hint is repaired by the next snapshot. So
:func:`publish` never blocks and never raises, whatever Redis does.

On the channel layer there is one envelope, ``{"type": "live.messages", "messages": [...]}``.
"""

from __future__ import annotations

import asyncio
import atexit
import base64
import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from channels.layers import get_channel_layer
from django.core.cache import cache

from gallery.models import Job, Worker
from gallery.presentation.payloads import ArtworkData, state_data, worker_data

log = logging.getLogger(__name__)

MessageType = Literal[
    "job.state",
    "job.progress",
    "job.preview",
    "job.text",
    "job.output",
    "queue.stats",
    "worker.state",
    "notice",
    "error",
]
VERSION = 1
WORKERS_GROUP = "studio.workers"
LAYER_MESSAGE = "live.messages"
LAYER_RECHECK = "live.recheck"
REMEMBER_SECONDS = 15 * 60
MAX_INDEX = 32
"""Outputs of one job whose previews and texts are kept; above every kind's ``count``."""
MAX_PENDING = 4096
SEND_SECONDS = 5.0


# --- The vocabulary -------------------------------------------------------------------------------


class ProgressData(TypedDict):
    """``job.progress``: ``fraction`` in [0, 1], None while the end is not known."""

    tick: int
    fraction: float | None
    step: int
    steps: int | None
    message: str


class PreviewData(TypedDict):
    """``job.preview``: output ``index`` as it looks now, a small picture in base64."""

    tick: int
    index: int
    media_type: str
    base64: str
    width: int
    height: int


class TextData(TypedDict):
    """``job.text``: the whole poem ``index`` so far."""

    tick: int
    index: int
    text: str


class OutputData(TypedDict):
    """``job.output``: all results of the job that the person may see."""

    artworks: list[ArtworkData]


class NoticeData(TypedDict):
    """``notice``: something worth saying that is not an error; pages translate ``code``."""

    code: str


class ErrorData(TypedDict):
    """``error``: what was asked for over the socket is refused; pages translate ``code``."""

    code: str


class Envelope(TypedDict):
    """What goes over the wire. ``job`` is the job's id, None for messages about no job."""

    v: int
    type: MessageType
    job: str | None
    seq: int
    ts: float
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """An envelope and the group that gets it. Messages with the same ``slot`` replace each other."""

    group: str
    envelope: Envelope
    slot: str | None = None


def job_group(job_id: object) -> str:
    """The channel-layer group of a job. Its name is no secret; permission is asked at subscribe."""
    return f"job.{str(job_id).replace('-', '')}"


def user_group(user_id: object) -> str:
    """The group of one person's open sockets."""
    return f"user.{user_id}"


def envelope(
    type_: MessageType, data: Mapping[str, Any], *, job: str | None = None, seq: int = 0
) -> Envelope:
    """A message as it goes over the wire."""
    return {
        "v": VERSION,
        "type": type_,
        "job": job,
        "seq": seq,
        "ts": round(time.time(), 3),
        "data": data,
    }


# --- Builders: they read the row in the caller's thread, publishing touches no database ------------------

_ticks = itertools.count(1)  # one process works on a job within one seq, so one counter per process is enough


def job_state(job: Job) -> Message:
    """The job's row has changed."""
    return _of_job(job, "job.state", state_data(job))


def job_progress(
    job: Job, fraction: float | None, step: int = 0, steps: int | None = None, message: str = ""
) -> Message:
    """How far the work is."""
    data: ProgressData = {
        "tick": next(_ticks),
        "fraction": None if fraction is None else min(1.0, max(0.0, float(fraction))),
        "step": step,
        "steps": steps,
        "message": message,
    }
    return _of_job(job, "job.progress", data, slot="progress")


def job_preview(
    job: Job, index: int, image: bytes, width: int, height: int, media_type: str = "image/webp"
) -> Message:
    """How output ``index`` looks now; ``image`` is an encoded small picture, ``width`` x ``height`` px."""
    data: PreviewData = {
        "tick": next(_ticks),
        "index": index,
        "media_type": media_type,
        "base64": base64.b64encode(image).decode("ascii"),
        "width": width,
        "height": height,
    }
    return _of_job(job, "job.preview", data, slot=f"preview:{index}")


def job_text(job: Job, index: int, text: str) -> Message:
    """The whole poem ``index`` so far."""
    data: TextData = {"tick": next(_ticks), "index": index, "text": text}
    return _of_job(job, "job.text", data, slot=f"text:{index}")


def job_output(job: Job) -> Message:
    """The results of the job are saved. Each socket reads those that its person may see into OutputData."""
    return _of_job(job, "job.output", {})


def worker_state(worker: Worker) -> Message:
    """A worker's row has changed."""
    return Message(
        group=WORKERS_GROUP,
        envelope=envelope("worker.state", worker_data(worker)),
        slot=f"worker:{worker.name}",
    )


def _of_job(job: Job, type_: MessageType, data: Mapping[str, Any], slot: str | None = None) -> Message:
    return Message(
        group=job_group(job.pk), envelope=envelope(type_, data, job=str(job.pk), seq=job.seq), slot=slot
    )


# --- What late joiners and the polling page get ----------------------------------------------------------


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
    except (
        Exception
    ) as error:  # whatever the cache's client raises: a snapshot without previews is still true
        log.warning("live cache is away: %s", error)
        return []
    return list(found.values())


def _remember(messages: Iterable[Message]) -> None:
    kept = {
        f"live:{message.group}:{message.slot}": message.envelope
        for message in messages
        if message.slot is not None and message.envelope["job"] is not None
    }
    if kept:
        cache.set_many(kept, REMEMBER_SECONDS)


# --- The publisher ------------------------------------------------------------------------------------------


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
                self._thread = threading.Thread(target=self._run, name="events", daemon=True)
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
                self._try(lambda batch=messages: _remember(batch))
                self._try(
                    lambda batch=messages, extra=controls: loop.run_until_complete(
                        asyncio.wait_for(_send(batch, extra), SEND_SECONDS)
                    )
                )
            except BaseException:
                log.exception("the events thread ends; the next message starts another")
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


def recheck_user(user_id: object) -> None:
    """Have every open socket of a person ask again whether they are signed in and what they may see."""
    _publisher.put((), {user_group(user_id): {"type": LAYER_RECHECK}})


def flush(timeout: float = 2.0) -> bool:
    """Wait until what was published has been handed over. Whether it was, within ``timeout`` seconds."""
    return _publisher.flush(timeout)
