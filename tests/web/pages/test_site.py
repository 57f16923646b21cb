"""Accounts, the first administrator, health, theme, language and the operators' page."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.utils import timezone

from gallery.models import JobState, User, Worker
from gallery.services import setup
from gallery.services.sweep import expired_sessions_sweep
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db
GOOD = "a long enough pass phrase"


@pytest.fixture
def data(tmp_path: Path, settings: Any) -> Path:
    settings.DATA = tmp_path
    return tmp_path


def administrator(**fields: str) -> dict[str, str]:
    return {"username": "root", "email": "", "password1": GOOD, "password2": GOOD, **fields}


# --- The first administrator ----------------------------------------------------------------------------


def test_the_link_makes_one_administrator_once(data: Path) -> None:
    link = setup.setup_link()
    assert link
    client = Client()
    assert Page(client.get(link).content.decode()).problems == []
    response = client.post(link, administrator())
    assert response["Location"] == "/studio/"
    person = User.objects.get()
    assert person.is_superuser
    assert person.is_staff
    assert person.check_password(GOOD)
    assert client.get("/workers/").status_code == 200  # signed in, and may do everything
    for method in (Client().get, Client().post):
        assert method(link, administrator(username="second")).status_code == 404
    assert setup.setup_link() is None


def test_only_the_newest_link_is_valid_and_no_token_is_stored(data: Path) -> None:
    old, new = setup.setup_link(), setup.setup_link()
    assert old
    assert new
    assert Client().get(old).status_code == 404
    assert Client().get(new).status_code == 200
    kept = data / "welcome_token"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert new.split("/")[2] not in kept.read_text()


@pytest.mark.parametrize(
    "fields",
    [{"password2": "different"}, {"password1": "12345678", "password2": "12345678"}, {"username": ""},
     {"username": "a b"}, {"email": "x"}, {"password1": "", "password2": ""}],
)  # fmt: skip
def test_a_bad_form_does_not_use_the_link_up(data: Path, fields: dict[str, str]) -> None:
    link = setup.setup_link()
    assert link
    response = Client().post(link, administrator(**fields))
    assert response.status_code == 422
    assert Page(response.content.decode()).problems == []
    assert not User.objects.exists()
    assert Client().get(link).status_code == 200


@pytest.mark.parametrize("token", ["x", "..%2f", "a" * 5000, "é"])
def test_a_guessed_link_is_no_page(data: Path, token: str) -> None:
    setup.setup_link()
    assert Client().get(f"/welcome/{token}/").status_code == 404
    (data / "welcome_token").unlink()
    assert Client().get(f"/welcome/{token}/").status_code == 404


def test_a_link_ends_when_an_administrator_is_made_otherwise(data: Path) -> None:
    link = setup.setup_link()
    assert link
    User.objects.create_superuser("root", password=GOOD)
    assert Client().get(link).status_code == 404


# --- Accounts --------------------------------------------------------------------------------------------


def test_a_person_signs_up_out_and_in(db: None) -> None:
    client = Client()
    data = {"username": "wenqing", "email": "", "password1": GOOD, "password2": GOOD}
    response = client.post("/accounts/signup/?next=/works/", {**data, "next": "/works/"})
    assert response["Location"] == "/works/"
    assert client.post("/accounts/logout/")["Location"] == "/"
    assert client.get("/works/").status_code == 302
    response = client.post("/accounts/login/", {"login": "wenqing", "password": GOOD})
    assert response["Location"] == "/studio/"


@pytest.mark.parametrize("next_", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_signing_in_redirects_within_this_site_only(person: User, next_: str) -> None:
    data = {"login": "ana", "password": factories.PASSWORD, "next": next_}
    assert Client().post("/accounts/login/", data)["Location"] == "/studio/"


def test_a_wrong_password_and_an_unknown_name_get_one_answer(person: User) -> None:
    texts = []
    for name in ("ana", "nobody-at-all"):
        response = Client().post("/accounts/login/", {"login": name, "password": "wrong"})
        page = Page(response.content.decode())
        assert page.problems == []
        texts.append(page.text.replace(name, ""))
    assert texts[0] == texts[1]


def test_signing_in_is_throttled(person: User) -> None:
    client = Client()
    data = {"login": "ana", "password": "wrong"}
    answers = [client.post("/accounts/login/", data) for _ in range(12)]
    refused = answers[-1].content.decode()
    assert answers[-1].status_code == 429 or "Too many failed" in refused
    right = client.post("/accounts/login/", {"login": "ana", "password": factories.PASSWORD})
    assert right.status_code != 302


def test_sessions_that_have_ended_are_forgotten(person: User) -> None:
    browsers = [client_of(person), client_of(person)]
    old, new = (browser.session.session_key for browser in browsers)
    Session.objects.filter(pk=old).update(expire_date=timezone.now() - timedelta(seconds=1))
    expired_sessions_sweep()
    assert list(Session.objects.values_list("pk", flat=True)) == [new]
    assert browsers[1].get("/works/").status_code == 200


def test_the_admin_uses_the_throttled_sign_in(operator: User) -> None:
    for method in ("get", "post"):
        answer = getattr(Client(), method)(
            "/admin/login/?next=/admin/", {"username": "otto", "password": factories.PASSWORD}
        )
        assert answer.status_code == 302
        assert answer["Location"].startswith("/accounts/login/?next=")
        assert settings.SESSION_COOKIE_NAME not in answer.cookies


def test_pages_of_a_signed_in_person_are_kept_by_nobody(operator: User) -> None:
    client = client_of(operator)
    for path in ("/", "/studio/paint/", "/jobs/", "/works/", "/no/such/page/"):
        assert "no-store" in client.get(path)["Cache-Control"], path
        assert "private" in client.get(path)["Cache-Control"], path
    assert "no-store" not in Client().get("/").get("Cache-Control", "")


def test_a_forgotten_password_is_reset_by_mail(db: None) -> None:
    factories.make_user("ana", email="ana@example.org")
    client = Client()
    for address in ("ana@example.org", "nobody@example.org"):
        response = client.post("/accounts/password/reset/", {"email": address}, follow=True)
        assert "If there is an account with this address" in response.content.decode()
    letter = next(one for one in mail.outbox if one.to == ["ana@example.org"])
    link = next(word for word in str(letter.body).split() if "/accounts/password/reset/key/" in word)
    path = link.partition("://")[2].partition("/")[2]
    page = client.get(f"/{path}", follow=True)
    assert Page(page.content.decode()).problems == []
    form = page.redirect_chain[-1][0]
    assert client.post(form, {"password1": GOOD, "password2": GOOD}).status_code == 302
    assert Client().login(username="ana", password=GOOD)
    assert "This link has been used" in Client().get(f"/{path}", follow=True).content.decode()


def test_a_bad_sign_up_says_what_is_wrong_beside_the_field(person: User) -> None:
    data = {"username": "ana", "email": "x", "password1": "1234", "password2": "12345"}
    response = Client().post("/accounts/signup/", data)
    page = Page(response.content.decode())
    assert page.problems == []
    assert {"id_username_error", "id_email_error", "id_password1_error"} <= page.ids
    assert 'value="ana"' in response.content.decode()


# --- Health, theme, language -------------------------------------------------------------------------------


def test_health_says_ok() -> None:
    assert Client().get("/healthz").content == b"ok\n"


def test_the_theme_is_in_the_first_response(db: None) -> None:
    client = Client()
    assert "data-theme" not in client.get("/").content.decode().split("<head>")[0]
    response = client.post("/theme/", {"next": "/accounts/login/"})
    assert response["Location"] == "/accounts/login/"
    assert '<html lang="en" data-theme="dark">' in client.get("/").content.decode()
    client.post("/theme/")
    assert 'data-theme="light"' in client.get("/").content.decode()
    client.cookies["theme"] = '"><script>'
    assert '<html lang="en">' in client.get("/").content.decode()


def test_the_language_switch_stays_on_the_page(db: None) -> None:
    client = Client()
    response = client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/accounts/login/?next=/works/"})
    assert response["Location"] == "/accounts/login/?next=/works/"
    assert '<html lang="zh-Hans">' in client.get("/").content.decode()
    assert (
        '<html lang="zh-Hans">'
        in Client(headers={"accept-language": "zh-CN,zh;q=0.9"}).get("/").content.decode()
    )


# --- The operators' desk -----------------------------------------------------------------------------------


def test_the_operators_page_shows_queues_workers_and_failures(operator: User, person: User) -> None:
    now = timezone.now()
    job = factories.make_job(person, state=JobState.RUNNING, phase="painting")
    factories.make_job(person, created_at=now - timedelta(minutes=7))
    factories.make_job(
        person, "verse", JobState.FAILED, error_code="engine_failed", error_operator="Traceback: boom"
    )
    factories.make_worker(
        "alive", queues=["gan"], device="NVIDIA H200", current_job=job, succeeded=5, failed=1
    )
    factories.make_worker("silent", seen_at=now - timedelta(minutes=5), last_error="CUDA error")
    factories.make_worker("long gone", seen_at=now - timedelta(days=2))
    content = client_of(operator).get("/workers/").content.decode()
    for text in ("alive", "NVIDIA H200", "5 / 1", "online", "silent", "CUDA error", "oldest waits 7 min",
                 "Traceback: boom", "engine_failed", "no worker"):  # fmt: skip
        assert text in content
    assert "long gone" not in content


def test_a_worker_is_drained_and_resumed(operator: User) -> None:
    factories.make_worker("w")
    client = client_of(operator)
    client.post("/workers/drain/", {"name": "w", "draining": "on"})
    assert Worker.objects.get().draining
    assert "draining" in client.get("/workers/").content.decode()
    client.post("/workers/drain/", {"name": "w", "draining": "off"})
    assert not Worker.objects.get().draining
    assert client.post("/workers/drain/", {"name": "nobody", "draining": "on"}).status_code == 404


def test_the_administration_only_shows_what_services_decide(db: None) -> None:
    root = User.objects.create_superuser("root", password=GOOD)
    factories.make_worker()
    work = factories.make_listed(root)
    client = client_of(root)
    for model in ("job", "artwork", "moderationentry", "upload", "worker", "user"):
        assert client.get(f"/admin/gallery/{model}/").status_code == 200
    assert client.post(f"/admin/gallery/artwork/{work.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/gallery/artwork/add/").status_code == 403
