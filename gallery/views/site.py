"""Pages of the site itself: health, the theme, the first administrator."""

from __future__ import annotations

import logging

from django.contrib.auth import login
from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gallery.forms.accounts import WelcomeForm
from gallery.services import setup
from gallery.views.access import back

log = logging.getLogger(__name__)

YEAR = 365 * 24 * 3600


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether pages can be served: 503 without the database. Redis is told, but pages live without it."""
    parts = {"database": "ok", "redis": "ok"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        log.error("readyz: database: %s", error)
        parts["database"] = "down"
    try:
        cache.get("readyz")
    except Exception as error:  # whatever the cache's client raises
        log.warning("readyz: redis: %s", error)
        parts["redis"] = "down"
    return JsonResponse(parts, status=503 if parts["database"] == "down" else 200)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark for people without JavaScript."""
    response = back(request, "gallery")
    chosen = "light" if request.COOKIES.get("theme") == "dark" else "dark"
    response.set_cookie("theme", chosen, max_age=YEAR, samesite="Lax", secure=request.is_secure())
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_post_parameters()
def welcome(request: HttpRequest, token: str) -> HttpResponse:
    """The one-time link of the first start: make the administrator and sign in."""
    if not setup.link_is_valid(token):
        raise Http404
    form = WelcomeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            person = setup.administrator_create(
                token=token,
                username=form.cleaned_data["username"],
                email=form.cleaned_data["email"],
                password=form.cleaned_data["password1"],
            )
        except setup.LinkUsed:
            raise Http404 from None
        login(request, person, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("studio")
    return render(request, "welcome.html", {"form": form}, status=422 if form.is_bound else 200)
