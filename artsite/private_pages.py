"""Pages of a signed-in person are kept by nobody: no shared proxy, no disk of a shared computer."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

NOT_KEPT = "private, no-store"


def keep_private(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: ``private, no-store`` for whoever has or gets a session, unless the view said something.

    The session's cookie is enough to know: no query, and a session that ended is treated like one.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        name = settings.SESSION_COOKIE_NAME
        if (name in request.COOKIES or name in response.cookies) and not response.has_header("Cache-Control"):
            response["Cache-Control"] = NOT_KEPT
        return response

    return middleware
