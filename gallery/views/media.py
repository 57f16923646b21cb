"""Files behind a permission check: nothing in the media folder has an address of its own."""

from __future__ import annotations

import json
import logging
import re
import uuid
from pathlib import PurePosixPath
from urllib.parse import quote

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from gallery.models import Artwork, Upload
from gallery.presentation.english_poem import stanza_text
from gallery.presentation.payloads import TAG_LENGTH
from gallery.services import files
from gallery.services.provenance import DIGITAL_SOURCE_TYPE
from gallery.views.access import visible_artwork

log = logging.getLogger(__name__)

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".mp4": "video/mp4"}
# Hours, not for ever: what moderators remove must be gone from shared caches on the same day.
PUBLIC = "public, max-age=14400"
NOT_KEPT = "private, no-store"
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@require_safe
def picture(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The picture of a work; ``?download`` offers it as a file. 404 for whoever may not see it."""
    artwork = visible_artwork(request, pk)
    name = artwork.file.name or ""
    return _with_caching(
        _as_download(_file_response(name, artwork.sha256), request, artwork, name), request, artwork
    )


@require_safe
def video(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A loop as MP4, whole or the range that a player asks for; ``?download`` offers it as a file.

    404 for a work that is no loop, and for whoever may not see it.
    """
    artwork = visible_artwork(request, pk)
    name = artwork.video.name or ""
    response = _byte_range(_file_response(name, artwork.video_sha256), request, artwork.video_sha256)
    return _with_caching(_as_download(response, request, artwork, name), request, artwork)


@require_safe
def thumb(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The thumbnail of a work. 404 for whoever may not see it."""
    artwork = visible_artwork(request, pk)
    return _with_caching(_file_response(artwork.thumbnail.name or ""), request, artwork)


@require_safe
def poem(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A poem as a text file that says what made it. 404 for a picture, and for whoever may not see it."""
    artwork = visible_artwork(request, pk)
    if artwork.is_picture:
        raise Http404
    recipe = json.dumps(artwork.recipe, ensure_ascii=False, sort_keys=True)
    parts = [artwork.title, stanza_text(artwork), f"-- \nArtsite · {DIGITAL_SOURCE_TYPE}\n{recipe}\n"]
    response = HttpResponse("\n\n".join(filter(None, parts)), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="artsite-{artwork.pk.hex[:12]}.txt"'
    # A title may change: the text has no address of its own that could be kept for ever.
    response["Cache-Control"] = NOT_KEPT
    return _without_scripts(response)


@require_safe
def upload(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A picture that the person brought; nobody else gets it."""
    found = get_object_or_404(Upload, pk=pk)
    if not request.user.is_authenticated or request.user.pk != found.owner_id:
        raise Http404
    response = _file_response(found.file.name or "", found.sha256)
    response["Cache-Control"] = NOT_KEPT
    return response


def _as_download(response: HttpResponse, request: HttpRequest, artwork: Artwork, name: str) -> HttpResponse:
    """As a file to keep, when that is asked for."""
    if "download" in request.GET:
        filename = f"artsite-{artwork.pk.hex[:12]}{PurePosixPath(name).suffix}"
        response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


def _byte_range(response: HttpResponse, request: HttpRequest, sha256: str) -> HttpResponse:
    """The one range of bytes that is asked for (RFC 9110, 14). Safari plays and others seek only with it.

    A proxy that sends the file itself does this itself. Several ranges at once, and what is no range, get
    the whole file, as the RFC allows.
    """
    if response.status_code != 200 or response.has_header("X-Accel-Redirect"):
        return response
    tag = f'"{sha256[:TAG_LENGTH]}"'
    response["Accept-Ranges"], response["ETag"] = "bytes", tag
    wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
    if wanted is None or wanted.groups() == ("", "") or request.headers.get("If-Range", tag) != tag:
        return response
    size = len(response.content)
    first, last = (int(digits) if digits else None for digits in wanted.groups())
    if first is not None and last is not None and last < first:
        return response
    if first is None:
        first, last = max(0, size - (last or 0)), size - 1
    last = size - 1 if last is None else min(last, size - 1)
    if first > last:
        response = _without_scripts(HttpResponse(status=416))
        response["Content-Range"] = f"bytes */{size}"
        return response
    response.content = response.content[first : last + 1]
    response.status_code = 206
    response["Content-Range"] = f"bytes {first}-{last}/{size}"
    return response


def _with_caching(response: HttpResponse, request: HttpRequest, artwork: Artwork) -> HttpResponse:
    tagged = request.GET.get("v", "") == artwork.sha256[:TAG_LENGTH]
    lasting = response.status_code in (200, 206) and artwork.is_listed and tagged
    response["Cache-Control"] = PUBLIC if lasting else NOT_KEPT
    return response


def _file_response(name: str, sha256: str = "") -> HttpResponse:
    """The file, from the proxy or from here. 404 when it is gone, 503 when its bytes have changed."""
    if not name:
        raise Http404
    try:
        if settings.MEDIA_ACCEL_LOCATION:
            if sha256:
                files.file_check(name, sha256)
            response = HttpResponse()
            response["X-Accel-Redirect"] = f"{settings.MEDIA_ACCEL_LOCATION.rstrip('/')}/{quote(name)}"
        else:
            response = HttpResponse(files.file_read(name, sha256))
    except FileNotFoundError:
        log.error("the file %s is missing", name)
        raise Http404 from None
    except files.FileDamaged as error:
        log.error("%s; it is not served", error)
        return HttpResponse("This file is damaged. The operators can read it in the log.", status=503)
    response["Content-Type"] = MEDIA_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
    return _without_scripts(response)


def _without_scripts(response: HttpResponse) -> HttpResponse:
    """Headers by which a browser runs nothing in a file that a person brought or made."""
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
