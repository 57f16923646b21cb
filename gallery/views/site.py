"""Pages of the site itself: health, the theme, the first administrator."""

from __future__ import annotations

import logging
import sys

from django.contrib.auth import login
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template import loader
from django.views import defaults
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gallery.forms.accounts import WelcomeForm
from gallery.services import setup, storage
from gallery.services.accounts import invitations
from gallery.services.accounts.adapter import INVITATION_KEY
from gallery.views.access import back

log = logging.getLogger(__name__)

YEAR = 365 * 24 * 3600


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


_checked = storage.Checked()


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Whether pages can be served and work be accepted: 503 when the database takes no writes.

    A low or full disk and Redis are told, but pages live without them.
    """
    database, files = _checked.states()
    parts = {"database": database, "storage": files, "redis": "ok"}
    try:
        cache.get("readyz")
    except Exception as error:  # whatever the cache's client raises
        log.warning("readyz: redis: %s", error)
        parts["redis"] = "down"
    if (database, files) != ("ok", "ok"):
        log.error("readyz: database %s, storage %s", database, files)
    return JsonResponse(parts, status=200 if database == "ok" else 503)


def server_error(request: HttpRequest) -> HttpResponse:
    """500; or 503 and a sentence, when the disk or the database took no writes."""
    code = ""
    error = sys.exc_info()[1]
    while error is not None and not code:
        code, error = storage.cause_of(error), error.__cause__ or error.__context__
    if not code:
        return defaults.server_error(request)
    sentence = str(storage.SENTENCES[code])
    if "json" in request.headers.get("Accept", ""):
        response: HttpResponse = JsonResponse({"error": {"code": f"cannot_save_{code}", "message": sentence}})
    else:
        # Without the request: its processors would ask the database for the person.
        response = HttpResponse(loader.render_to_string("503.html", {"sentence": sentence}))
    response.status_code = 503
    response["Retry-After"] = str(storage.RETRY_SECONDS)
    return response


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark for people without JavaScript."""
    response = back(request, "gallery")
    chosen = "light" if request.COOKIES.get("theme") == "dark" else "dark"
    response.set_cookie("theme", chosen, max_age=YEAR, samesite="Lax", secure=request.is_secure())
    return response


@require_safe
@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """A link from ``manage.py invite``: sign-up is open for this browser until it is used or too old."""
    if not invitations.is_valid(token):
        return render(request, "account/signup_closed.html", status=404)
    request.session[INVITATION_KEY] = token
    return redirect("account_signup")


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
