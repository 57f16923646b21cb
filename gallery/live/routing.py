"""Socket routes, and the check that a socket was opened by one of our own pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from django.urls import path, re_path

from gallery.live.consumers import LiveConsumer

Application = Callable[[Any, Any, Any], Awaitable[None]]


async def refuse(_scope: Any, receive: Any, send: Any) -> None:
    """Answer the handshake with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 4403})


class SameOrigin:
    """Lets a handshake through only from a full origin (scheme, host and port) that is ours.

    Cookies travel with every handshake, whoever's page opens it; so another origin, and none at all, is
    refused. Ours are ``settings.ORIGINS``; where that is empty (a laptop, any port), the origin must be the
    address that the handshake itself went to, and its host one of ``ALLOWED_HOSTS``.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the socket or refuse it."""
        await (self.application if self.allows(scope) else refuse)(scope, receive, send)

    def allows(self, scope: Any) -> bool:
        """Whether the handshake's origin is ours."""
        headers = dict(scope["headers"])
        origin = _address(headers.get(b"origin", b"").decode("latin-1"))
        if origin is None:
            return False
        if settings.ORIGINS:
            return origin in {_address(ours) for ours in settings.ORIGINS}
        scheme = "https" if scope.get("scheme") == "wss" else "http"
        host = headers.get(b"host", b"").decode("latin-1")
        return origin == _address(f"{scheme}://{host}") and validate_host(
            split_domain_port(host)[0], settings.ALLOWED_HOSTS
        )


def _address(origin: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


websocket_urlpatterns: list[Any] = [
    path("ws/", LiveConsumer.as_asgi()),
    re_path(r"", refuse),  # type: ignore[arg-type]  # an ASGI application, not a view
]
websocket_application = SameOrigin(AuthMiddlewareStack(URLRouter(websocket_urlpatterns)))
