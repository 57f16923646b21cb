"""Who may open a page: strangers are asked to sign in, and of what is not theirs they learn nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext

from gallery.models import Artwork, Job, User
from gallery.permissions import (
    Person,
    can_edit,
    can_edit_job,
    can_moderate,
    can_operate,
    can_view,
    can_view_job,
)
from gallery.selectors import artworks, jobs
from gallery.services.submissions import QuotaExceeded
from gallery.views import kept_forms

View = Callable[..., HttpResponse]


def signed_in(view: View) -> View:
    """A view for people who are signed in. Others sign in first and come to the page they were on.

    A button that was pressed after the session had ended changes nothing and says so; what was typed is kept.
    """

    @wraps(view)
    def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        if request.method in ("GET", "HEAD"):
            return redirect_to_login(request.get_full_path())
        if kept_forms.keep(request) and request.path.startswith(reverse("studio")):
            sentence, page = gettext("You were signed out. What you typed comes back."), request.path
        else:
            sentence = gettext("You were signed out, so nothing was changed.")
            page = kept_forms.own_page(request) or reverse("gallery")
        if _wants_json(request):
            return JsonResponse({"error": sentence}, status=401)
        messages.warning(request, sentence)
        return redirect_to_login(page)

    return cast("View", gate)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form whose token is not the browser's any more, or one that somebody else's page sends here."""
    page = kept_forms.own_page(request)
    if not page:
        return render(request, "403_csrf.html", status=403)
    sentence = gettext(
        "The page was open for too long, so nothing was changed. Please press the button again."
    )
    if _wants_json(request):
        return JsonResponse({"error": sentence}, status=403)
    if request.path.startswith(reverse("studio")) and kept_forms.keep(request):
        page = request.path
    messages.warning(request, sentence)
    return HttpResponseRedirect(page)


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _only(allowed: Callable[[Person], bool]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not allowed(request.user):
                raise Http404
            return view(request, *args, **kwargs)

        return signed_in(cast("View", gate))

    return decorate


moderators_only = _only(can_moderate)
operators_only = _only(can_operate)


def visible_artwork(request: HttpRequest, artwork_id: UUID) -> Artwork:
    """The work, for whoever may see it. Raises Http404 for all others, and when there is none."""
    work = artworks.artwork(artwork_id)
    # A listed work is answered without looking at the session, so that shared caches may keep it.
    if work is None or not (work.is_listed or can_view(request.user, work)):
        raise Http404
    return work


def own_artwork(request: HttpRequest, artwork_id: UUID) -> Artwork:
    """The work, for its owner. Raises Http404 for all others, and when there is none."""
    work = artworks.artwork(artwork_id)
    if work is None or not can_edit(request.user, work):
        raise Http404
    return work


def visible_job(request: HttpRequest, job_id: UUID) -> Job:
    """The job, for its owner and for operators. Raises Http404 for all others, and when there is none."""
    job = jobs.job(job_id)
    if job is None or not can_view_job(request.user, job):
        raise Http404
    return job


def own_job(request: HttpRequest, job_id: UUID) -> Job:
    """The job, for its owner. Raises Http404 for all others, and when there is none."""
    job = jobs.job(job_id)
    if job is None or not can_edit_job(request.user, job):
        raise Http404
    return job


def too_often(request: HttpRequest, problem: QuotaExceeded) -> HttpResponse:
    """429: what the person has to wait for, and how long."""
    response = render(request, "429.html", {"sentence": problem.visitor}, status=429)
    response["Retry-After"] = str(problem.retry_after)
    return response


def person_of(request: HttpRequest) -> User:
    """The person of a page that needs one."""
    person = request.user
    if not isinstance(person, User):
        raise Http404
    return person


def back(request: HttpRequest, otherwise: str) -> HttpResponse:
    """To where the form says that the person came from, within this site; or to the page named ``otherwise``.

    The field is an address and never the name of a page: anything may stand in it.
    """
    wanted = request.POST.get("next", "")
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, {request.get_host()}):
        return HttpResponseRedirect(wanted)
    return redirect(otherwise)
