"""Caps request bodies before Django reads them.

Django spools a body to disk whole before it looks at the address or at who asks, so the limit has to come
first: by the declared length at once, and by counting while a body of unknown length arrives. A body that
stalls, or takes longer than a phone's upload does, is given up as well, and nobody may send many large ones
at once. Whoever is refused gets a small page, in both languages of the site, or JSON.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

PLAIN_BYTES = 2**20
PICTURES_PER_FORM = 6
"""Restyle takes a picture, four styles and a mask."""
UPLOAD_PATHS = ("/studio/",)
STALL_SECONDS = 20.0
"""Longest silence in the middle of a body."""
PLAIN_SECONDS, UPLOAD_SECONDS = 30.0, 300.0
"""Longest time for a whole body: of a form, of pictures. A byte now and then keeps nothing open."""
UPLOADS_EACH, UPLOADS_ALL = 4, 24
"""Most large bodies at once: of one address or session, and of everybody, in one process."""
DRAIN_SECONDS = 5.0
"""A browser shows the answer only when its upload is not cut off: so long the rest is read and dropped."""

REFUSALS = {
    408: ("timeout", "The upload stopped on its way. Please try again.", "上传中断了,请重试。"),
    413: ("too_large", "This is too large to be accepted.", "内容太大,无法接收。"),
    429: ("too_many_uploads", "Too many uploads at once. Please try again.", "同时上传的太多,请稍后再试。"),
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{status}</title>
<body><h1>{english}</h1><h1 lang="zh-Hans">{chinese}</h1></body></html>"""
_ALL = "all"
_uploads: Counter[str] = Counter()
_GONE: Message = {"type": "http.disconnect"}


class BodyLimit:
    """Wraps an ASGI application; sockets pass untouched (their server caps their messages)."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request, or answer 413 or 408."""
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        headers = {name.lower(): value for name, value in scope["headers"]}
        body = _Body(receive, _limit(scope["path"], headers.get(b"content-type", b"")))
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > body.limit:
            return await _refuse(413, headers, receive, send)
        # A body of unknown length may become a large one.
        if int(declared) <= PLAIN_BYTES and b"transfer-encoding" not in headers:
            return await self._serve(scope, headers, body, receive, send)
        senders = _senders(scope, headers)
        if _uploads[_ALL] >= UPLOADS_ALL or any(_uploads[who] >= UPLOADS_EACH for who in senders[1:]):
            return await _refuse(429, headers, receive, send)
        _uploads.update(senders)
        try:
            return await self._serve(scope, headers, body, receive, send)
        finally:
            _uploads.subtract(senders)
            for who in senders:
                if not _uploads[who]:
                    del _uploads[who]

    async def _serve(
        self, scope: Scope, headers: dict[bytes, bytes], body: _Body, receive: Receive, send: Send
    ) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        await self.application(scope, body.receive, watch)
        if body.refusal and not started:
            await _refuse(body.refusal, headers, receive, send)
        return


class _Body:
    """Counts what arrives. Past the limit the application is told that the client has gone."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.limit = limit
        self.refusal = 0
        self._receive = receive
        self._size = 0
        self._ended = False
        self._deadline = time.monotonic() + (PLAIN_SECONDS if limit == PLAIN_BYTES else UPLOAD_SECONDS)

    async def receive(self) -> Message:
        if self.refusal:
            return _GONE
        if self._ended:
            return await self._receive()
        try:
            async with asyncio.timeout(min(STALL_SECONDS, self._deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            self.refusal = 408
            return _GONE
        self._size += len(message.get("body", b""))
        self._ended = not message.get("more_body", False)
        if self._size > self.limit:
            self.refusal = 413
            return _GONE
        return message


def _senders(scope: Scope, headers: dict[bytes, bytes]) -> list[str]:
    """Names of who sends: everybody, the address, and the session if there is one."""
    address = scope.get("client") or ("",)
    cookies = SimpleCookie()
    with suppress(CookieError):
        cookies.load(headers.get(b"cookie", b"").decode("latin-1"))
    session = cookies.get(settings.SESSION_COOKIE_NAME)
    return [_ALL, f"address {address[0]}", *([f"session {session.value}"] if session else [])]


def _limit(path: str, content_type: bytes) -> int:
    """Bytes that a request may bring: pictures where pictures are taken, little elsewhere."""
    if path.startswith(UPLOAD_PATHS) and content_type.lower().startswith(b"multipart/form-data"):
        return PICTURES_PER_FORM * int(settings.ARTSITE_MAX_UPLOAD_BYTES) + PLAIN_BYTES
    return PLAIN_BYTES


async def _refuse(status: int, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
    code, english, chinese = REFUSALS[status]
    if b"json" in headers.get(b"accept", b""):
        media_type = b"application/json"
        body = json.dumps({"error": {"code": code, "message": english}}).encode()
    else:
        media_type = b"text/html; charset=utf-8"
        body = _PAGE.format(status=status, english=english, chinese=chinese).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", media_type),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
                (b"cache-control", b"no-store"),
                (b"content-security-policy", b"default-src 'none'"),
                (b"x-content-type-options", b"nosniff"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body, "more_body": True})
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
