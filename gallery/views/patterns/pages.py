"""The pattern page and the pages that it shows in frames."""

from __future__ import annotations

import re

from csp.constants import SELF
from csp.decorators import csp_replace, csp_update
from django import forms
from django.contrib.messages import constants
from django.contrib.messages.storage.base import Message
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.test import RequestFactory
from django.urls import resolve
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from gallery import kinds
from gallery.models import JobState
from gallery.selectors.pagination import Page
from gallery.views.patterns import samples
from gallery.views.patterns.states import PageState, page_states

LIVE = re.compile(r'<script type="module" src="[^"]*/(?:live|desk)[^"/]*\.js"></script>')
"""Scripts that ask the server about jobs and workers, which do not exist any more when the page is shown."""
MEDIA = re.compile(r"/media/(?:artworks|uploads)/([0-9a-f-]{36})(?:/(?:picture|thumb|video))?(?:\?v=\w*)?")


class SampleForm(forms.Form):
    """A field of every sort that forms of accounts use."""

    text = forms.CharField(label="Text", help_text="Help below the field.")
    password = forms.CharField(label="Password", widget=forms.PasswordInput)
    choice = forms.ChoiceField(label="Choice", choices=[("a", "First"), ("b", "Second")])
    radios = forms.ChoiceField(
        label="Radio buttons", choices=[("a", "First"), ("b", "Second")], widget=forms.RadioSelect
    )
    long = forms.CharField(label="Long text", widget=forms.Textarea(attrs={"rows": 2}), required=False)
    check = forms.BooleanField(label="Checkbox", required=False)


@require_safe
@never_cache
@csp_update({"frame-src": [SELF]})
def patterns(request: HttpRequest) -> HttpResponse:
    """Small parts in their states, and every page state in a frame."""
    with transaction.atomic():
        made = samples.make()
        context = {
            "states": [state.name for state in page_states()],
            "job_states": [(state, made.states[state]) for state in JobState.values],
            "messages": [
                Message(level, f"A message: {tag}") for level, tag in constants.DEFAULT_TAGS.items()
            ],
            "filled": SampleForm(),
            "wrong": SampleForm({"text": "", "choice": "c"}),
            "pagers": [Page([], "1", "2"), Page([], None, "2"), Page([], "1", None)],
            "cards": [made.picture, *made.loops, *made.poems.values()],
            "own_cards": [made.picture, *made.moderated.values()],
            "artwork": made.picture,
            "similar": made.listed,
        }
        html = render(request, "patterns/index.html", context).content.decode()
        transaction.set_rollback(True)
    return HttpResponse(_with_static_pictures(html))


@require_safe
@never_cache
@xframe_options_sameorigin
@csp_replace({"frame-ancestors": [SELF]})  # type: ignore[arg-type]  # its stub knows no further arguments
def pattern(request: HttpRequest, name: str) -> HttpResponse:
    """One page in one state."""
    state = next((one for one in page_states() if one.name == name), None)
    if state is None:
        raise Http404
    with transaction.atomic():
        html = _answer(request, state, samples.make()).content.decode()
        transaction.set_rollback(True)
    return HttpResponse(_with_static_pictures(LIVE.sub("", html)))


def _answer(request: HttpRequest, state: PageState, made: samples.Samples) -> HttpResponse:
    """The response of the real view, in the language and theme of the visitor of the pattern page."""
    if state.template:
        return render(request, state.template)
    factory, address = RequestFactory(headers={"host": request.get_host()}), state.address(made)
    inner: HttpRequest = factory.get(address) if state.post is None else factory.post(address, state.post)
    inner.user, inner.session, inner.COOKIES = state.visitor(made), request.session, request.COOKIES
    inner.resolver_match = match = resolve(inner.path)
    response: HttpResponse = match.func(inner, *match.args, **match.kwargs)
    return response


def _with_static_pictures(html: str) -> str:
    """Pictures of sample rows have no files: each gets the thumbnail of a ready style."""
    thumbnails = [static(style.thumbnail) for style in kinds.styles()]
    return MEDIA.sub(lambda found: thumbnails[int(found[1][:8], 16) % len(thumbnails)], html)
