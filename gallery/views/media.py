"""Files behind a permission check: nothing in the media folder has an address of its own."""

from __future__ import annotations

import json
import logging
import uuid
from pathlib import PurePosixPath
from urllib.parse import quote

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from gallery import permissions
from gallery.models import Artwork, Upload
from gallery.presenters import TAG_LENGTH
from gallery.services import files
from gallery.services.provenance import DIGITAL_SOURCE_TYPE

log = logging.getLogger(__name__)

MEDIA_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}
FOR_EVER = "public, max-age=31536000, immutable"
NOT_KEPT = "private, no-store"


@require_safe
def picture(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The picture of a work; ``?download`` offers it as a file. 404 for whoever may not see it."""
    artwork = _visible(request, pk)
    response = _file_response(artwork.file.name or "", artwork.sha256)
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="artsite-{artwork.pk.hex[:12]}.png"'
    return _cached(response, request, artwork)


@require_safe
def thumb(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The thumbnail of a work. 404 for whoever may not see it."""
    artwork = _visible(request, pk)
    return _cached(_file_response(artwork.thumbnail.name or ""), request, artwork)


@require_safe
def poem(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A poem as a text file that says what made it. 404 for a picture, and for whoever may not see it."""
    artwork = _visible(request, pk)
    if artwork.is_picture:
        raise Http404
    recipe = json.dumps(artwork.recipe, ensure_ascii=False, sort_keys=True)
    parts = [artwork.title, artwork.text, f"-- \nArtsite · {DIGITAL_SOURCE_TYPE}\n{recipe}\n"]
    response = HttpResponse("\n\n".join(filter(None, parts)), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="artsite-{artwork.pk.hex[:12]}.txt"'
    # A title may change: the text has no address of its own that could be kept for ever.
    response["Cache-Control"] = NOT_KEPT
    return _harmless(response)


@require_safe
def upload(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """A picture that the person brought; nobody else gets it."""
    found = get_object_or_404(Upload, pk=pk)
    if not request.user.is_authenticated or request.user.pk != found.owner_id:
        raise Http404
    response = _file_response(found.file.name or "", found.sha256)
    response["Cache-Control"] = NOT_KEPT
    return response


def _visible(request: HttpRequest, pk: uuid.UUID) -> Artwork:
    artwork = get_object_or_404(Artwork, pk=pk)
    # A listed work is answered without looking at the session, so that shared caches may keep it.
    if not artwork.is_listed and not permissions.can_view(request.user, artwork):
        raise Http404
    return artwork


def _cached(response: HttpResponse, request: HttpRequest, artwork: Artwork) -> HttpResponse:
    tagged = request.GET.get("v", "") == artwork.sha256[:TAG_LENGTH]
    lasting = response.status_code == 200 and artwork.is_listed and tagged
    response["Cache-Control"] = FOR_EVER if lasting else NOT_KEPT
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
    return _harmless(response)


def _harmless(response: HttpResponse) -> HttpResponse:
    """What people made cannot act, whatever a browser takes it for."""
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
