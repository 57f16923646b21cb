"""Who may open a page: strangers are asked to sign in, and of what is not theirs they learn nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from gallery.models import User
from gallery.permissions import Person, can_moderate, can_operate
from gallery.services.submissions import QuotaExceeded

View = Callable[..., HttpResponse]


def _only(allowed: Callable[[Person], bool]) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        @wraps(view)
        def gate(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not allowed(request.user):
                raise Http404
            return view(request, *args, **kwargs)

        return cast("View", login_required(gate))

    return decorate


moderators_only = _only(can_moderate)
operators_only = _only(can_operate)


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
