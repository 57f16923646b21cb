"""A session or a token that ends while somebody types: nothing is changed or lost, and it is said."""

from __future__ import annotations

import re

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from gallery.models import Job, User
from gallery.views import kept_forms
from tests.web import factories
from tests.web.site_pages import client_of

LINK = "/studio/paint/"
FROM = {"referer": f"http://testserver{LINK}"}
TYPED = {"prompt": "harbour at dawn", "seed": "77"}


@pytest.fixture
def ana(db: None) -> User:
    person = factories.make_user("ana")
    person.set_password("a long horse")
    person.save()
    return person


def sign_in(client: Client, link: str) -> str:
    response = client.post(link, {"login": "ana", "password": "a long horse"}, follow=True)
    return response.content.decode()


def test_who_was_signed_out_signs_in_and_finds_the_form_as_it_was(ana: User) -> None:
    client = client_of(ana)
    Session.objects.all().delete()
    answer = client.post(LINK, TYPED, headers=FROM)
    assert answer.status_code == 302
    assert not Job.objects.exists()
    page = sign_in(client, answer["Location"])
    assert "You were signed out. What you typed comes back." in page
    assert "harbour at dawn" in page
    assert 'value="77"' in page
    # It comes back once.
    assert "harbour at dawn" not in client.get(LINK).content.decode()


def test_a_form_of_somebody_elses_page_is_not_kept(ana: User) -> None:
    client = Client()
    answer = client.post(LINK, TYPED, headers={"referer": "https://elsewhere.example/"})
    assert "harbour at dawn" not in sign_in(client, answer["Location"])


def test_a_kept_form_grows_old(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = client_of(ana)
    Session.objects.all().delete()
    answer = client.post(LINK, TYPED, headers=FROM)
    monkeypatch.setattr(kept_forms, "KEEP_SECONDS", 0)
    assert "harbour at dawn" not in sign_in(client, answer["Location"])


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_button_pressed_after_the_session_ended_changes_nothing_and_says_so(ana: User, accept: str) -> None:
    job = factories.make_job(ana)
    client = client_of(ana)
    Session.objects.all().delete()
    page = f"/jobs/{job.pk}/"
    answer = client.post(f"{page}cancel/", headers={"referer": f"http://testserver{page}", "accept": accept})
    job.refresh_from_db()
    assert job.state == "queued"
    if accept == "application/json":
        assert (answer.status_code, "signed out" in answer.json()["error"]) == (401, True)
    else:
        # Back to the page itself: the address of the button cannot be opened.
        text = sign_in(client, answer["Location"])
        assert "You were signed out, so nothing was changed." in text
        assert str(job.pk) in text


def with_old_token(person: User) -> Client:
    client = Client(enforce_csrf_checks=True)
    client.force_login(person)
    client.get(LINK)
    return client


def test_a_form_with_an_old_token_comes_back_as_it_was(ana: User) -> None:
    client = with_old_token(ana)
    answer = client.post(LINK, {**TYPED, "csrfmiddlewaretoken": "x" * 64}, headers=FROM)
    page = client.get(answer["Location"]).content.decode()
    assert "open for too long" in page
    assert "harbour at dawn" in page
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    sent = client.post(LINK, {**TYPED, "csrfmiddlewaretoken": token[1]}, headers=FROM)
    assert sent.status_code == 302
    assert Job.objects.get().prompt == "harbour at dawn"


def test_a_cancel_with_an_old_token_says_so_on_its_page(ana: User) -> None:
    job = factories.make_job(ana)
    client = with_old_token(ana)
    page = f"/jobs/{job.pk}/"
    answer = client.post(
        f"{page}cancel/",
        {"csrfmiddlewaretoken": "x" * 64},
        headers={"referer": f"http://testserver{page}"},
    )
    assert answer["Location"] == page
    assert "open for too long" in client.get(page).content.decode()
    job.refresh_from_db()
    assert job.state == "queued"


def test_a_form_from_elsewhere_is_refused_with_403(ana: User) -> None:
    client = with_old_token(ana)
    answer = client.post(LINK, TYPED, headers={"referer": "https://elsewhere.example/"})
    assert answer.status_code == 403
    assert not Job.objects.exists()
