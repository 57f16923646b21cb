"""A poem set on the picture that it was written for."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from gallery import permissions
from gallery.presentation.poem_picture import background_of, reading_of
from gallery.views.access import visible_artwork


@require_safe
def artwork_inscribe(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """The poem on its picture, for whoever may see both; the browser sets it and keeps it as a file."""
    poem = visible_artwork(request, artwork_id)
    background = background_of(request.user, poem)
    if background is None:
        raise Http404
    context = {
        "artwork": poem,
        "ground": background,
        "read": reading_of(poem),
        "mine": permissions.can_edit(request.user, poem),
    }
    return render(request, "artworks/inscribe.html", context)
