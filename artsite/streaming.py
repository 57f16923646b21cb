"""Files under ASGI: read in pieces off the event loop.

File responses (ours and WhiteNoise's) are synchronous iterators. Django's ASGI handler reads such a
response whole into memory first, and warns about it; here each piece is read in a thread when it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.utils.decorators import async_only_middleware

Handler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


# Only asynchronous: one that can do both is given the mode of the middleware below it, which is synchronous.
@async_only_middleware
def stream_files(get_response: Handler) -> Handler:
    """Middleware: a streaming response becomes asynchronous. The outermost, so that it sees every file."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        response = await get_response(request)
        if (
            isinstance(request, ASGIRequest)
            and isinstance(response, StreamingHttpResponse)
            and not response.is_async
        ):
            response.streaming_content = _pieces(iter(response))
        return response

    return middleware


async def _pieces(source: Iterator[bytes]) -> AsyncIterator[bytes]:
    def following() -> bytes | None:
        return next(source, None)

    while (piece := await sync_to_async(following, thread_sensitive=False)()) is not None:
        yield piece
