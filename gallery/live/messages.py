"""Every message that a socket may carry: types, their data, and the functions that build them.

On the wire: ``{"v": 1, "type", "job", "seq", "ts", "data"}``. Every message is a full snapshot of its kind,
so one message re-synchronises a page. Two numbers tell old from new: ``seq`` is that of the job's row (it
grows with every transition), ``data.tick`` grows within one ``seq`` for progress, previews and text. A client
ignores a message whose (seq, tick) is not newer than what it has of that type and index.

On the channel layer there is one envelope, ``{"type": "live.messages", "messages": [...]}``.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

from gallery.models import Job, Worker
from gallery.presentation.payloads import ArtworkData, state_data, worker_data

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
CONTENT = frozenset(("job.preview", "job.text"))
"""Messages that show what a job is about: for its owner alone."""
WORKERS_GROUP = "studio.workers"
LAYER_MESSAGE = "live.messages"
LAYER_RECHECK = "live.recheck"


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


def session_digest(session_key: str) -> str:
    """Names a session to those who hold its key, and tells the key to nobody."""
    return hashlib.sha256(session_key.encode()).hexdigest()


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


# --- Builders: they read the row in the caller's thread, so that publishing touches no database ------------

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
