"""A poem written again in part: with another word, from a place on, or with some lines kept."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from gallery import kinds
from gallery.models import Artwork
from gallery.presentation.chinese_poem import draft_of_locked
from gallery.presentation.english_poem import draft_of_kept, is_english
from gallery.selectors import recipes
from gallery.views.access import person_of, signed_in, visible_artwork
from gallery.views.resubmission import submit_again

MOST_DIGITS = 4


@require_POST
@signed_in
def poem_lead(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """A new poem from the recipe of this one, with a draft of what stays.

    ``take``: the draft with another character or word, as far as it goes; the seed stays, so that what is
    written then differs only because of it. ``again``: the draft without one. ``lock`` (numbers of lines):
    they stay.
    """
    work = visible_artwork(request, artwork_id)
    if not work.text:
        raise Http404
    repeat = recipes.recipe_to_repeat(person_of(request), work.pk)
    if repeat is None or (spec := kinds.KINDS.get(repeat.kind)) is None or not spec.param("opening"):
        raise Http404
    opening = _opening(request, work)
    return submit_again(
        request,
        work,
        repeat,
        parameters={**repeat.parameters, "opening": opening, "count": 1},
        seed=repeat.seed if "take" in request.POST else None,
        button=hashlib.sha256(f"{sorted(request.POST.items())}{opening}".encode()).hexdigest()[:16],
    )


def _opening(request: HttpRequest, work: Artwork) -> str:
    for name in ("take", "again"):
        if name in request.POST:
            return request.POST[name]
    # Longer numbers than any poem has lines; Python refuses to read very long ones.
    locked = {int(one) for one in request.POST.getlist("lock") if one.isdecimal() and len(one) <= MOST_DIGITS}
    return draft_of_kept(work, locked) if is_english(work) else draft_of_locked(work, locked)
