"""Caps request bodies before Django reads them.

Django spools a body to disk whole before it looks at the address or at who asks, so the limit has to come
first: by the declared length at once, and by counting while a body of unknown length arrives. A body that
stalls is given up as well. Whoever is refused gets a small page, in both languages of the site, or JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.conf import settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

PLAIN_BYTES = 2**20
PICTURES_PER_FORM = 2
UPLOAD_PATHS = ("/studio/",)
STALL_SECONDS = 20.0
"""Longest silence in the middle of a body."""
DRAIN_SECONDS = 5.0
"""A browser shows the answer only when its upload is not cut off: so long the rest is read and dropped."""

REFUSALS = {
    408: ("timeout", "The upload stopped on its way. Please try again.", "上传中断了,请重试。"),
    413: ("too_large", "This is too large to be accepted.", "内容太大,无法接收。"),
}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{status}</title>
<body><h1>{english}</h1><h1 lang="zh-Hans">{chinese}</h1></body></html>"""
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
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        await self.application(scope, body.receive, watch)
        if body.refusal and not started:
            await _refuse(body.refusal, headers, receive, send)
        return None


class _Body:
    """Counts what arrives. Past the limit the application is told that the client has gone."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self.limit = limit
        self.refusal = 0
        self._receive = receive
        self._size = 0
        self._ended = False

    async def receive(self) -> Message:
        if self.refusal:
            return _GONE
        if self._ended:
            return await self._receive()
        try:
            async with asyncio.timeout(STALL_SECONDS):
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
