"""Search for works that look alike: from any work, and from a picture that a person brings."""

from __future__ import annotations

import uuid
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from gallery import kinds
from gallery.forms.studio import PictureControl
from gallery.models import Embedding
from gallery.selectors import artworks
from gallery.selectors.similarity import MANY, similar_works
from gallery.views.access import person_of, signed_in, visible_artwork


@require_safe
def artwork_similar(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """The works most like one that the person may see."""
    work = visible_artwork(request, artwork_id)
    if not work.file:
        raise Http404
    context = {
        "artwork": work,
        "works": similar_works(request.user, work, MANY),
        "placed": Embedding.objects.filter(artwork=work).exists(),
    }
    return render(request, "artworks/similar.html", context)


@require_safe
@signed_in
def picture_search(request: HttpRequest) -> HttpResponse:
    """A form that submits a picture for analysis: the page of that job shows similar works."""
    person = person_of(request)
    # The kind by which a picture that a person brings gets an embedding.
    spec = kinds.kind(kinds.READING[0])
    (role,) = spec.inputs
    context = {
        "kind": spec,
        "picture": PictureControl(role),
        "key": uuid.uuid4().hex,
        "own": artworks.recent_pictures(person),
    }
    return render(request, "search/picture.html", context)
