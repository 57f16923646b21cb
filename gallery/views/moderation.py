"""The moderators' pages: works that wait, the log of decisions, and undo."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from gallery.errors import storable
from gallery.forms.moderation import DecisionForm
from gallery.models import ModerationEntry
from gallery.selectors import artworks
from gallery.selectors import moderation as selectors
from gallery.services import moderation
from gallery.views.access import back, moderators_only, person_of

DECISIONS = {
    "approve": moderation.artwork_approve,
    "reject": moderation.artwork_reject,
    "remove": moderation.artwork_remove,
}


@require_safe
@moderators_only
def queue(request: HttpRequest) -> HttpResponse:
    """Public works that wait, oldest first, and the newest decision with its undo."""
    page = selectors.to_review(request.GET.get("onward", ""), request.GET.get("back", ""))
    context = {
        "page": page,
        "waiting": selectors.review_count(),
        "form": DecisionForm(),
        "last": selectors.last_decision(person_of(request)),
    }
    return render(request, "moderation/queue.html", context)


@require_safe
@moderators_only
def log(request: HttpRequest) -> HttpResponse:
    """Every decision, newest first."""
    page = selectors.moderation_log(request.GET.get("onward", ""), request.GET.get("back", ""))
    return render(request, "moderation/log.html", {"page": page})


@require_POST
@moderators_only
def decide(request: HttpRequest, artwork_id: UUID) -> HttpResponse:
    """Approve, reject or remove one work."""
    work = artworks.artwork(artwork_id)
    form = DecisionForm(request.POST)
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    if work is None:
        raise Http404
    if not form.is_valid():
        texts = " ".join(str(text) for found in form.errors.values() for text in found)
        if wants_json:
            return JsonResponse({"error": texts}, status=422)
        messages.error(request, texts)
        return back(request, "moderation")
    # What was on the page when the button was pressed: its author may have renamed it meanwhile.
    work.title = storable(request.POST.get("title", work.title))
    try:
        entry = DECISIONS[form.cleaned_data["action"]](
            artwork=work,
            by=person_of(request),
            reason=form.cleaned_data["reason"],
            note=form.cleaned_data["note"],
        )
    except moderation.ModerationConflict:
        text = _("This work has changed meanwhile; nothing was decided.")
        if wants_json:
            return JsonResponse({"error": text}, status=409)
        messages.warning(request, text)
        return back(request, "moderation")
    if wants_json:
        undo = reverse("moderation_undo", args=[entry.pk])
        return JsonResponse({"label": entry.get_action_display(), "undo": undo})
    return back(request, "moderation")


@require_POST
@moderators_only
def undo(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Take one decision back."""
    entry = get_object_or_404(ModerationEntry, pk=entry_id)
    wants_json = request.headers.get("Accept", "").startswith("application/json")
    try:
        moderation.moderation_undo(entry=entry, by=person_of(request))
    except moderation.ModerationConflict:
        text = _("This decision can no longer be undone.")
        if wants_json:
            return JsonResponse({"error": text}, status=409)
        messages.warning(request, text)
    else:
        if wants_json:
            return JsonResponse({"label": _("undone")})
        messages.success(request, _("The decision was undone."))
    return back(request, "moderation")
