"""``/healthz``, answered before Django: pages that wait for threads must not make a live process look dead.

With every thread of the web busy, a probe that needs one too would time out, and the process would be killed
for being popular. The route in ``gallery/urls.py`` is for servers that bring no ASGI application of ours.
"""

from __future__ import annotations

from artsite.limits import Application, Receive, Scope, Send

PATH = "/healthz"
BODY = b"ok\n"


class Health:
    """Wraps an ASGI application."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the probe, or hand the request on."""
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] not in ("GET", "HEAD"):
            return await self.application(scope, receive, send)
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"%d" % len(BODY)),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY if scope["method"] == "GET" else b""})
        return None
