"""Making a work's recipe once more, as it was or a little changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from gallery.kinds import InvalidRecipe
from gallery.models import Artwork
from gallery.selectors.recipes import Repeat
from gallery.services import submissions
from gallery.views.access import person_of, too_often


def submit_again(
    request: HttpRequest,
    work: Artwork,
    repeat: Repeat,
    *,
    parameters: dict[str, Any],
    seed: int | None,
    button: str,
) -> HttpResponse:
    """Submit ``repeat`` of ``work`` with these parameters and show the job, or say why it cannot be.

    ``seed``: None draws one. The buttons of a page share its ``key``: ``button`` makes each a submission of
    its own.
    """
    key = request.POST.get("key", "")[:32]
    try:
        job = submissions.job_submit(
            owner=person_of(request),
            kind=repeat.kind,
            parameters=parameters,
            seed=seed,
            inputs=repeat.inputs,
            idempotency_key=f"{key}-{button}" if key else "",
        )
    except InvalidRecipe:
        # A picture is missing, or the kind has changed: the studio says what, beside the field.
        messages.warning(request, _("Something this work was made from is not at hand. Complete the form."))
        return redirect(f"{reverse('studio_kind', args=[repeat.kind])}?again={work.pk}")
    except submissions.IdempotencyConflict:
        return redirect("my_jobs")
    except submissions.QuotaExceeded as problem:
        return too_often(request, problem)
    return redirect("job", job_id=job.pk)
