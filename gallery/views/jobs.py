"""Jobs: the live page of one, its JSON for when the socket is away, and a person's list."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from gallery import kinds, permissions
from gallery.forms.studio import StudioForm
from gallery.kinds import InvalidRecipe, KindSpec
from gallery.kinds.verse_forms import ENGLISH, FORMS, VerseForm
from gallery.live import snapshots
from gallery.models import Job, JobState, User
from gallery.presentation import labels, payloads
from gallery.presentation.analysis import analysis_of
from gallery.presentation.poem_picture import background_of
from gallery.presentation.shapes import poem_ratio, ratio, size_ratio
from gallery.selectors import jobs as selectors
from gallery.selectors import recipes
from gallery.selectors.similarity import similar_works
from gallery.services import jobs, submissions
from gallery.services.accounts import security_log
from gallery.views.access import operators_only, own_job, person_of, signed_in, too_often, visible_job
from gallery.views.artworks import before_of
from gallery.views.studio import picker_of, places_of


@require_safe
@signed_in
def my_jobs(request: HttpRequest) -> HttpResponse:
    """The jobs of the person, newest first."""
    show = request.GET.get("show", "")
    page = selectors.jobs_page(
        request.user, show=show, onward=request.GET.get("onward", ""), back=request.GET.get("back", "")
    )
    return render(request, "jobs/list.html", {"page": page, "show": show})


@require_safe
@never_cache
@signed_in
def job(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Everything about one job. The page is complete as it is; the script only keeps it up to date."""
    row = visible_job(request, job_id)
    # Operators may look at jobs, but a private work is its owner's.
    mine = permissions.can_edit_job(request.user, row)
    reads = permissions.can_read_job(request.user, row) or _looks(request, row)
    artworks = [work for work in selectors.job_artworks(row) if permissions.can_view(request.user, work)]
    context: dict[str, Any] = {
        "job": row,
        "kind": kinds.KINDS.get(row.kind),
        "mine": mine,
        "reads": reads,
        "operator": permissions.can_operate(request.user),
        "standing": payloads.standing_data(row),
        "artworks": artworks,
        "inputs": selectors.job_pictures(request.user, row) if reads else [],
        "retry_key": uuid4().hex,
        "next_key": uuid4().hex if mine else "",
        "slots": _slots(row) if row.state not in (JobState.SUCCEEDED, *_WITHOUT_RESULT) else [],
        "slot_form": _english_form(row),
        "words": {
            "phases": {name: str(label) for name, label in labels.PHASES.items()},
            "states": {name: str(label) for name, label in labels.STATES.items()},
            "tones": labels.TONES,
            "seconds": _("%(seconds)d s"),
            "minutes": _("%(minutes)d min"),
        },
    }
    spec = kinds.KINDS.get(row.kind)
    if spec is None:
        return render(request, "jobs/detail.html", context)
    if not spec.on_job_page:
        context["parts"] = spec.job_page
    elif mine and (beside := _form_beside(person_of(request), row, spec)):
        context |= beside | {"parts": spec.job_page}
    if spec.compare_with and artworks:
        context["before"] = before_of(request.user, artworks[0], spec.compare_with)
    if spec.reads_pictures and artworks and (analysis := analysis_of(artworks[0])):
        context |= {"analysis": analysis, "similar": similar_works(request.user, artworks[0])}
    if artworks and not artworks[0].file:
        context["inscribable"] = background_of(request.user, artworks[0]) is not None
    return render(request, "jobs/detail.html", context)


LOOK_SECONDS = 900
SHORTEST_REASON, LONGEST_REASON = 5, 200


def _looks(request: HttpRequest, row: Job) -> bool:
    """Whether this operator gave a reason for looking into this job a moment ago."""
    looked: dict[str, float] = request.session.get("looked", {})
    return permissions.can_operate(request.user) and time.time() - looked.get(str(row.pk), 0) < LOOK_SECONDS


@require_POST
@operators_only
def job_look(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """An operator looks into somebody's job: with a reason, which is written down, and for a while only."""
    row = visible_job(request, job_id)
    reason = kinds.clean_text(request.POST.get("reason", ""))[:LONGEST_REASON]
    if len(reason) < SHORTEST_REASON:
        messages.warning(request, _("Say why you need to look; it is written down."))
        return redirect("job", job_id=row.pk)
    security_log.record("private_access", person=request.user.pk, request=request, job=row.pk, reason=reason)
    now = time.time()
    looked = {key: at for key, at in request.session.get("looked", {}).items() if now - at < LOOK_SECONDS}
    request.session["looked"] = {**looked, str(row.pk): now}
    return redirect("job", job_id=row.pk)


def _form_beside(person: User, row: Job, spec: KindSpec) -> dict[str, Any]:
    """The recipe of a job in its form, to be changed beside the results."""
    repeat = recipes.recipe_to_repeat(person, row.pk)
    if repeat is None:
        return {}
    form = StudioForm(
        spec,
        repeat.parameters,
        seed=str(repeat.seed),
        pictures=repeat.inputs,
        publish_as=repeat.publish_as,
    )
    return {"form": form, "places": places_of(form), "picker": picker_of(person)}


_WITHOUT_RESULT = (JobState.FAILED, JobState.CANCELED, JobState.EXPIRED)


def _slots(row: Job) -> list[str]:
    """The shape of every result that is to come, so that nothing jumps when it does."""
    count = 1 if row.parameters.get("mode") == "bridge" else row.parameters.get("count", 1)
    shape = "r100"
    spec = kinds.KINDS.get(row.kind)
    if spec is not None and spec.makes == "poem":
        form = FORMS.get(str(row.parameters.get("form", "")))
        shape = poem_ratio(form.lines if form else 4, across=_english_form(row) is not None)
    else:
        image = next((one for one in selectors.job_inputs(row) if one.role == "image"), None)
        if image is not None:
            shape = ratio(image.upload or image.artwork)
        elif aspect := str(row.parameters.get("aspect", "")):
            across, _colon, down = aspect.partition(":")
            shape = size_ratio(int(across), int(down))
    return [shape] * (count if isinstance(count, int) else 1)


def _english_form(row: Job) -> VerseForm | None:
    """The form of an English poem that is to come."""
    form = FORMS.get(str(row.parameters.get("form", "")))
    return form if form is not None and form.language == ENGLISH else None


@require_safe
@never_cache
@signed_in
def job_json(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The truth about one job, with the newest progress, previews and text: what polling pages read."""
    row = visible_job(request, job_id)
    payload = payloads.job_payload(row, request.user)
    payload["live"] = [] if row.is_final else snapshots.newest_messages(request.user, row)
    return JsonResponse(payload)


@require_POST
@signed_in
def job_cancel(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """Ask for the end of a job; pressing it again changes nothing."""
    row = own_job(request, job_id)
    jobs.job_cancel(job_id=row.pk, by=person_of(request))
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse(payloads.job_payload(selectors.job(job_id) or row, request.user))
    return redirect("job", job_id=row.pk)


@require_POST
@signed_in
def job_finish_early(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """End work that only gets better with time and keep its result; nothing changes for other work."""
    row = own_job(request, job_id)
    jobs.job_finish_early(job_id=row.pk, by=person_of(request))
    return redirect("job", job_id=row.pk)


@require_POST
@signed_in
def job_retry(request: HttpRequest, job_id: UUID) -> HttpResponse:
    """The same recipe once more, as a new job."""
    row = own_job(request, job_id)
    try:
        new = submissions.job_retry(
            job=row, by=person_of(request), idempotency_key=request.POST.get("key", "")[:64]
        )
    except InvalidRecipe as problem:
        texts = [str(text) for found in problem.errors.values() for text in found]
        messages.error(request, _("This cannot be made again as it was: %(why)s") % {"why": " ".join(texts)})
        return redirect(f"{reverse('studio')}?again={row.pk}")
    except submissions.IdempotencyConflict:
        return redirect("my_jobs")
    except submissions.QuotaExceeded as problem:
        return too_often(request, problem)
    return redirect("job", job_id=new.pk)
