"""Lists of works: the public gallery, and those that one person made."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from gallery import kinds
from gallery.models import Visibility
from gallery.selectors import artworks
from gallery.views.access import person_of, signed_in

SEARCH_LIMIT = 100


@require_safe
def gallery(request: HttpRequest) -> HttpResponse:
    """Public and approved works, newest first."""
    kind, search = _filters(request)
    page = artworks.gallery_page(
        kind=kind, search=search, onward=request.GET.get("onward", ""), back=request.GET.get("back", "")
    )
    return render(request, "gallery/index.html", {"page": page, "kind": kind, "search": search})


@require_safe
@signed_in
def my_works(request: HttpRequest) -> HttpResponse:
    """Everything that the person made and kept."""
    kind, search = _filters(request)
    show = request.GET.get("show", "")
    page = artworks.works_page(
        person_of(request),
        kind=kind,
        search=search,
        show=show,
        onward=request.GET.get("onward", ""),
        back=request.GET.get("back", ""),
    )
    context = {"page": page, "kind": kind, "search": search, "show": show, "visibilities": Visibility.choices}
    return render(request, "gallery/works.html", context)


def _filters(request: HttpRequest) -> tuple[str, str]:
    """The kind ("" for all) and the words to look for."""
    kind = request.GET.get("kind", "")
    search = kinds.clean_text(request.GET.get("q", ""))[:SEARCH_LIMIT]
    return (kind if kind in kinds.KINDS else ""), search
