"""The live socket: one per tab, at ``/ws/``.

A page sends ``{"type": "subscribe", "job": "<uuid>"}`` (or ``"channel": "workers"`` for operators) and
``unsubscribe`` likewise. Permission is asked on the row, the group is joined, and only **then** a full
snapshot is read and sent; every later message is a snapshot of its kind (:mod:`gallery.live.messages`).

What the channel layer loses is repaired: every few seconds the rows of watched jobs are compared with
what was sent. A job of somebody else, or an unknown one, gets ``error`` with ``not_found``, never more.

Close codes: 4401 not signed in (any more), 4403 not allowed any more, 4408 too slow a reader, 4429 too many
sockets or messages, 1003 binary frame, 1009 message too long, 1013 live updates are away: poll and come back.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from channels.auth import get_user
from channels.consumer import AsyncConsumer
from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.layers import get_channel_layer
from channels.utils import await_many_dispatch
from django.conf import settings
from django.db import Error as DatabaseProblem

from gallery import permissions
from gallery.live import snapshots
from gallery.live.messages import (
    LAYER_MESSAGE,
    LAYER_RECHECK,
    WORKERS_GROUP,
    Envelope,
    envelope,
    job_group,
    session_digest,
    user_group,
)
from gallery.live.outbox import Outbox, OutboxFull
from gallery.live.watched_job import WatchedJob
from gallery.models import JobState
from gallery.permissions import Person
from gallery.presentation import payloads

log = logging.getLogger(__name__)
T = TypeVar("T")

MESSAGE_BYTES = 4096
MESSAGES_PER_SECOND = 10
SOCKETS_PER_USER = 10  # in one web process
SUBSCRIPTIONS = 50
SEND_SECONDS = 5.0
LAYER_SECONDS = 2.0
REFRESH_SECONDS = 5.0
RECHECK_SECONDS = 60.0

NOT_SIGNED_IN, NOT_ALLOWED, TOO_SLOW, TOO_MANY = 4401, 4403, 4408, 4429
BINARY, TOO_LONG, BROKEN, TRY_LATER = 1003, 1009, 1011, 1013
STANDING = tuple(payloads.StandingData.__annotations__)

_open_sockets: Counter[object] = Counter()


class LiveConsumer(AsyncConsumer):
    """One open socket."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket until either side ends it."""
        self.scope, self._send = scope, send
        self._user: Person = scope["user"]
        self._jobs: dict[str, WatchedJob] = {}
        self._groups: set[str] = set()
        self._workers: Mapping[str, Any] | None = None
        self._outbox = Outbox()
        self._received: deque[float] = deque(maxlen=MESSAGES_PER_SECOND)
        self._refresh_now = asyncio.Event()
        self._close_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._counted = False
        self._background: list[asyncio.Task[None]] = []
        self._layer = get_channel_layer()
        sources = [receive]
        try:
            async with asyncio.timeout(LAYER_SECONDS):
                self._channel = await self._layer.new_channel()
            sources.append(functools.partial(self._layer.receive, self._channel))
        except Exception as error:  # whatever the Redis client raises
            log.warning("no live updates: %s", error)
            self._channel = None
        main = asyncio.ensure_future(await_many_dispatch(sources, self.dispatch))
        try:
            await asyncio.wait({main, self._close_code}, return_when=asyncio.FIRST_COMPLETED)
            if main.done():
                main.result()
            else:
                await self._send_close(self._close_code.result())
        except StopConsumer:
            pass
        finally:
            await self._clean_up(main)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Frames from the page, and messages of the channel layer, one after the other."""
        handler = {
            "websocket.connect": self._connected,
            "websocket.receive": self._frame,
            "websocket.disconnect": self._disconnected,
            LAYER_MESSAGE: self._pushed,
            LAYER_RECHECK: self._recheck,
        }.get(message["type"])
        if handler is None:
            log.error("a message of unknown type %r came over the channel layer", message["type"])
            return
        await handler(message)

    # --- Open and close -----------------------------------------------------------------------------

    async def _connected(self, _: Mapping[str, Any]) -> None:
        # Accepted first: a browser is told the close code of an open socket only.
        await self._send({"type": "websocket.accept"})
        if not (self._user.is_authenticated and self._user.is_active):
            self._end(NOT_SIGNED_IN)
        elif self._channel is None:
            self._end(TRY_LATER)
        elif _open_sockets[self._user.pk] >= SOCKETS_PER_USER:
            self._end(TOO_MANY)
        else:
            _open_sockets[self._user.pk] += 1
            self._counted = True
            for work in (self._deliver(), self._watch()):
                task = asyncio.create_task(work)
                task.add_done_callback(self._background_ended)
                self._background.append(task)
            await self._join(user_group(self._user.pk))

    def _background_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a socket's task broke", exc_info=error)
            self._end(BROKEN)

    async def _disconnected(self, _: Mapping[str, Any]) -> None:
        raise StopConsumer

    def _end(self, code: int) -> None:
        if not self._close_code.done():
            self._close_code.set_result(code)

    async def _send_close(self, code: int) -> None:
        try:
            async with asyncio.timeout(1.0):
                await self._send({"type": "websocket.close", "code": code})
        except (OSError, TimeoutError):
            pass  # it is gone, or it does not read: the server drops the connection when we return

    async def _clean_up(self, main: asyncio.Future[None]) -> None:
        if self._counted:
            _open_sockets[self._user.pk] -= 1
            if not _open_sockets[self._user.pk]:
                del _open_sockets[self._user.pk]
        for group in list(self._groups):
            await self._leave(group)
        tasks = [main, *self._background]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- What the page asks for ------------------------------------------------------------------------

    async def _frame(self, message: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if len(self._received) == MESSAGES_PER_SECOND and now - self._received[0] < 1.0:
            return self._end(TOO_MANY)
        self._received.append(now)
        text = message.get("text")
        if text is None:
            return self._end(BINARY)
        if len(text.encode("utf-8", "surrogatepass")) > MESSAGE_BYTES:
            return self._end(TOO_LONG)
        try:
            request = json.loads(text)
        except (ValueError, RecursionError):
            return self._error("bad_message")
        if not isinstance(request, dict):
            return self._error("bad_message")
        match request:
            case {"type": "subscribe", "channel": "workers"}:
                await self._subscribe_workers()
            case {"type": "unsubscribe", "channel": "workers"}:
                self._workers = None
                await self._leave(WORKERS_GROUP)
            case {"type": "subscribe", "job": str(job)}:
                await self._subscribe_job(job)
            case {"type": "unsubscribe", "job": str(job)} if job in self._jobs:
                del self._jobs[job]
                await self._leave(job_group(job))
            case {"type": "unsubscribe"}:
                pass
            case _:
                self._error("bad_message")
        return None

    async def _subscribe_job(self, text: str) -> None:
        try:
            job_id = str(uuid.UUID(text))
        except ValueError:
            return self._error("not_found", job=text[:64])
        if job_id not in self._jobs and len(self._jobs) >= SUBSCRIPTIONS:
            return self._error("too_many_subscriptions", job=job_id)
        allowed = await self._query(snapshots.may_watch, self._user, job_id)
        if not allowed:
            return None if allowed is None else self._error("not_found", job=job_id)
        reads = await self._query(snapshots.may_read, self._user, job_id)
        if await self._join(job_group(job_id)):
            # A second subscribe starts anew: the page may have forgotten what it was told.
            self._jobs[job_id] = WatchedJob(reads=bool(reads))
            await self._send_job(job_id)
        return None

    async def _subscribe_workers(self) -> None:
        if await self._query(permissions.can_operate, self._user) is not True:
            return self._error("not_found", channel="workers")
        if await self._join(WORKERS_GROUP):
            workers = await self._query(snapshots.worker_snapshot)
            if workers is not None:
                self._workers = {}
                for message in workers:
                    self._put(message)
                await self._refresh_workers()
        return None

    async def _send_job(self, job_id: str) -> None:
        messages = await self._query(snapshots.job_snapshot, self._user, job_id)
        if messages is None:
            return
        if not messages:
            await self._forget(job_id)
            self._error("not_found", job=job_id)
        for message in messages:
            self._put_job(job_id, message)

    async def _send_outputs(self, pushed: Envelope) -> None:
        job_id = str(pushed["job"])
        if job_id in self._jobs:
            data = await self._query(snapshots.outputs, self._user, job_id)
            if data is not None:
                self._put_job(job_id, envelope("job.output", data, job=job_id, seq=pushed["seq"]))

    # --- What the channel layer brings --------------------------------------------------------------------

    async def _pushed(self, message: Mapping[str, Any]) -> None:
        for pushed in message["messages"]:
            if pushed["type"] == "job.output":
                await self._send_outputs(pushed)
            elif pushed["job"] is not None:
                self._put_job(pushed["job"], pushed)
            elif self._workers is not None:
                self._put(pushed)

    def _put_job(self, job_id: str, message: Envelope) -> None:
        watched = self._jobs.get(job_id)
        if watched is not None and watched.is_news(message):
            self._put(watched.readable(message))
            if message["type"] == "job.state" and message["data"]["state"] == JobState.QUEUED:
                if "position" in message["data"]:
                    watched.standing = {key: message["data"][key] for key in STANDING}
                else:
                    self._refresh_now.set()  # the place in the queue is counted here, not by the publisher

    def _put(self, message: Envelope) -> None:
        try:
            self._outbox.put(message)
        except OutboxFull:
            self._end(TOO_SLOW)

    def _error(self, code: str, **about: str) -> None:
        self._put(envelope("error", {"code": code, **about}))

    async def _deliver(self) -> None:
        while True:
            text = await self._outbox.next()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send({"type": "websocket.send", "text": text})
            except TimeoutError:
                return self._end(TOO_SLOW)
            except OSError:
                return None  # the page has gone; a disconnect message follows

    # --- What is checked from time to time ----------------------------------------------------------------

    async def _watch(self) -> None:
        """Repair what the layer lost, keep places in the queue true, and ask again who this is."""
        checked = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(min(REFRESH_SECONDS, RECHECK_SECONDS)):
                    await self._refresh_now.wait()
            except TimeoutError:
                pass
            self._refresh_now.clear()
            if time.monotonic() - checked >= RECHECK_SECONDS:
                checked = time.monotonic()
                await self._recheck({})
            await self._refresh_jobs()
            await self._refresh_workers()

    async def _refresh_jobs(self) -> None:
        moving = [job_id for job_id, watched in self._jobs.items() if not watched.final]
        if not moving:
            return
        rows = await self._query(snapshots.queue_positions, moving)
        for job_id, (seq, standing) in (rows or {}).items():
            watched = self._jobs.get(job_id)
            if watched is None:
                continue
            if seq > watched.seq:
                await self._send_job(job_id)
            elif standing is not None and standing != watched.standing:
                watched.standing = standing
                self._put(envelope("queue.stats", standing, job=job_id, seq=seq))
        if rows is not None:
            for job_id in set(moving) - set(rows):  # deleted
                await self._forget(job_id)
                self._error("not_found", job=job_id)

    async def _refresh_workers(self) -> None:
        if self._workers is None:
            return
        counts = await self._query(payloads.queue_counts)
        if counts is not None and self._workers is not None and counts != self._workers.get("queues"):
            self._workers = {"queues": counts}
            self._put(envelope("queue.stats", self._workers))

    async def _recheck(self, message: Mapping[str, Any]) -> None:
        """Ask the session and the rows again; whoever lost their right is closed."""
        key = self.scope["session"].session_key
        if key and message.get("ended_session") == session_digest(key):
            return self._end(NOT_SIGNED_IN)
        store = import_module(settings.SESSION_ENGINE).SessionStore(key)
        try:
            user = await get_user({"session": store})
        except DatabaseProblem as error:
            log.warning("cannot ask who watches: %s", error)
            return None
        if not user.is_authenticated or user.pk != self._user.pk:
            return self._end(NOT_SIGNED_IN)
        self._user = user
        if self._workers is not None and await self._query(permissions.can_operate, user) is False:
            return self._end(NOT_ALLOWED)
        if self._jobs and await self._query(snapshots.may_watch_all, user, list(self._jobs)) is False:
            return self._end(NOT_ALLOWED)
        return None

    # --- The rows and the layer -----------------------------------------------------------------------------

    async def _query(self, question: Callable[..., T], *arguments: Any) -> T | None:
        """The answer of the database; None when it is away, which the page is told."""
        try:
            answer: T = await database_sync_to_async(question)(*arguments)
        except DatabaseProblem as error:
            log.warning("cannot read for a socket: %s", error)
            self._put(envelope("notice", {"code": "unavailable"}))
            return None
        return answer

    async def _forget(self, job_id: str) -> None:
        self._jobs.pop(job_id, None)
        await self._leave(job_group(job_id))

    async def _join(self, group: str) -> bool:
        try:
            async with asyncio.timeout(LAYER_SECONDS):
                await self._layer.group_add(group, self._channel)
        except Exception as error:  # whatever the Redis client raises
            log.warning("cannot join %s: %s", group, error)
            self._end(TRY_LATER)
            return False
        self._groups.add(group)
        return True

    async def _leave(self, group: str) -> None:
        if group in self._groups:
            self._groups.discard(group)
            try:
                async with asyncio.timeout(LAYER_SECONDS):
                    await self._layer.group_discard(group, self._channel)
            except Exception as error:  # the layer forgets a channel that ends
                log.debug("cannot leave %s: %s", group, error)
