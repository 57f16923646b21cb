"""The pattern page: every partial is on it, in both languages, and nothing of it stays in the database."""

from __future__ import annotations

import pytest
from django.test import Client, override_settings
from django.urls import include, path, reverse

from artsite.urls import urlpatterns as site_urls
from gallery.models import Artwork, Job, User
from gallery.views.patterns.states import page_states
from tests.web.pages.test_templates import ROOT
from tests.web.site_pages import client_of

pytestmark = pytest.mark.django_db
urlpatterns = [path("patterns/", include("gallery.views.patterns.urls")), *site_urls]
PARTIALS = {
    str(path.relative_to(ROOT / "templates"))
    for path in (ROOT / "templates").rglob("*.html")
    if path.name.startswith("_") or path.parent.name in ("elements", "icons")
}


def test_there_is_no_pattern_page_in_service(client: Client) -> None:
    assert client.get("/patterns/").status_code == 404


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@override_settings(ROOT_URLCONF=__name__)
def test_every_partial_is_shown_and_nothing_stays(language: str) -> None:
    client = client_of(None, language)
    shown: set[str] = set()
    wrong = []
    for address in [reverse("patterns"), *(reverse("pattern", args=[one.name]) for one in page_states())]:
        response = client.get(address)
        content = response.content.decode()
        shown |= {str(template.name) for template in response.templates}
        if response.status_code != 200 or "/media/" in content or "</html>" not in content:
            wrong.append(address)
    assert wrong == []
    assert PARTIALS - shown == set()
    assert [model for model in (User, Job, Artwork) if model.objects.exists()] == []


@override_settings(ROOT_URLCONF=__name__)
def test_an_unknown_state_is_not_found(client: Client) -> None:
    assert client.get("/patterns/no-such-state/").status_code == 404
