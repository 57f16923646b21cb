"""A poem led on: another character taken, written again from a place, some lines kept and the others anew."""

from __future__ import annotations

import hashlib
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from gallery import catalogue, permissions, selectors
from gallery.catalogue import InvalidRecipe
from gallery.models import Artwork
from gallery.poemcraft import draft_of_locked
from gallery.services import submissions
from gallery.views.gates import person_of, too_often


@require_POST
@login_required
def poem_lead(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """A new poem from the recipe of this one, with a draft of what stays.

    ``take``: the draft up to and with another character; the seed stays, so that what follows differs only
    because of it. ``again``: the draft up to a character. ``lock`` (numbers of lines): they stay.
    """
    work = selectors.artwork(artwork_id)
    if work is None or not permissions.can_view(request.user, work) or not work.text:
        raise Http404
    person = person_of(request)
    repeat = selectors.recipe_to_repeat(person, work.pk)
    if repeat is None or (spec := catalogue.KINDS.get(repeat.kind)) is None or not spec.param("opening"):
        raise Http404
    opening = _opening(request, work)
    key = request.POST.get("key", "")[:32]
    content = hashlib.sha256(f"{sorted(request.POST.items())}{opening}".encode()).hexdigest()[:16]
    try:
        job = submissions.job_submit(
            owner=person,
            kind=repeat.kind,
            parameters={**repeat.parameters, "opening": opening, "count": 1},
            seed=repeat.seed if "take" in request.POST else None,
            inputs=repeat.inputs,
            idempotency_key=f"{key}-{content}" if key else "",
        )
    except InvalidRecipe:
        messages.warning(request, _("Something this work was made from is not at hand. Complete the form."))
        return redirect(f"{reverse('studio_kind', args=[repeat.kind])}?again={work.pk}")
    except submissions.IdempotencyConflict:
        return redirect("my_jobs")
    except submissions.QuotaExceeded as problem:
        return too_often(request, problem)
    return redirect("job", job_id=job.pk)


def _opening(request: HttpRequest, work: Artwork) -> str:
    for name in ("take", "again"):
        if name in request.POST:
            return request.POST[name]
    return draft_of_locked(work, {int(one) for one in request.POST.getlist("lock") if one.isdecimal()})
