"""What somebody typed when it could not be taken: kept in their session until they have signed in again.

A session ends, or the token of a form does, while somebody types. Then the fields (pictures cannot be kept)
wait in the session of the browser, which sign-in carries over, and the form comes back as it was sent.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from django.http import HttpRequest, QueryDict

SESSION_KEY = "kept_form"
KEEP_SECONDS = 3600
MOST_CHARACTERS = 40_000
_TOKEN = "csrfmiddlewaretoken"  # noqa: S105 (a field's name)


def own_page(request: HttpRequest) -> str:
    """The address of our own page that the request was sent from, without the host; empty for any other."""
    address = request.headers.get("Referer", "")
    if urlsplit(address).netloc != request.get_host():
        return ""
    parts = urlsplit(address)
    return parts.path + (f"?{parts.query}" if parts.query else "")


def keep(request: HttpRequest) -> bool:
    """Keep the fields of a form of ours that was sent to this address. Whether there was anything to keep."""
    fields = request.POST.copy()
    fields.pop(_TOKEN, None)
    text = fields.urlencode()
    if not text or len(text) > MOST_CHARACTERS or not own_page(request):
        return False
    request.session[SESSION_KEY] = {"path": request.path, "fields": text, "at": time.time()}
    return True


def take(request: HttpRequest) -> QueryDict | None:
    """The fields that were kept for this address, once; None when there are none, or old ones."""
    kept = request.session.get(SESSION_KEY)
    if kept is None or kept["path"] != request.path:
        return None
    del request.session[SESSION_KEY]
    return QueryDict(kept["fields"]) if time.time() - kept["at"] < KEEP_SECONDS else None
