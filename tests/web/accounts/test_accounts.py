"""Accounts: who may have one, under which name, and that nobody can lock out somebody else."""

from __future__ import annotations

import logging
from io import StringIO
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from gallery.models import Invitation, User
from gallery.services.accounts import adapter
from tests.web import factories

pytestmark = pytest.mark.django_db
PASSWORD = "four long horses"
LOGIN, SIGNUP = "/accounts/login/", "/accounts/signup/"


@pytest.fixture(autouse=True)
def _no_guesses_yet() -> None:
    cache.clear()


@pytest.fixture
def ana() -> User:
    person = factories.make_user("ana")
    person.set_password(PASSWORD)
    person.save()
    return person


def sign_up(name: str, password: str = PASSWORD, client: Client | None = None) -> bool:
    fields = {"username": name, "password1": password, "password2": password}
    return (client or Client()).post(SIGNUP, fields).status_code == 302


def sign_in(password: str, address: str) -> bool:
    client = Client(REMOTE_ADDR=address)
    return client.post(LOGIN, {"login": "ana", "password": password}).status_code == 302


def test_wrong_guesses_from_elsewhere_lock_nobody_out(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "DELAY_SECONDS", 0)
    for _ in range(6):
        assert not sign_in("wrong", "192.0.2.1")
    assert not sign_in(PASSWORD, "192.0.2.1"), "who guesses has to wait"
    assert sign_in(PASSWORD, "192.0.2.2"), "who is somewhere else has not"


def test_many_guesses_from_everywhere_slow_the_name_down(ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(adapter.time, "sleep", slept.append)  # type: ignore[attr-defined]
    for number in range(adapter.GUESSES_UNDELAYED):
        assert not sign_in("wrong", f"192.0.2.{number}")
    assert slept == []
    assert sign_in(PASSWORD, "198.51.100.1")
    assert slept == [adapter.DELAY_SECONDS]


@pytest.mark.parametrize(
    "name",
    [
        "Ana",
        "\u0430na",  # a Cyrillic a
        "\uff41\uff4e\uff41",  # full width
        "a\u200bna",  # a space without width
        "\u00e1na",
    ],
)
def test_a_name_that_reads_like_somebody_elses_is_refused(ana: User, name: str) -> None:
    assert not sign_up(name)
    assert list(User.objects.values_list("username", flat=True)) == ["ana"]


@pytest.mark.parametrize("name", ["admin", "Adm1n", "m0derator", "\u0430dministrator", "\u7ba1\u7406\u5458"])
def test_a_name_that_speaks_for_the_site_is_refused(name: str) -> None:
    assert not sign_up(name)


def test_other_names_are_taken_in_every_script(ana: User) -> None:
    for name in ("anna", "\u674e\u767d", "\u0438\u0432\u0430\u043d", "\u0645\u0631\u064a\u0645"):
        assert sign_up(name), name


def test_an_account_of_an_earlier_version_is_compared_too(ana: User) -> None:
    User.objects.update(name_skeleton="")
    call_command("migrate", verbosity=0)
    assert not sign_up("\u0430na")


@pytest.mark.parametrize("password", ["artsite2026", "Artsite!!", "ARTSITE-12"])
def test_the_sites_name_is_no_password(password: str) -> None:
    assert not sign_up("ben", password)


def test_a_password_may_hold_the_sites_name_among_much_else() -> None:
    assert sign_up("ben", "artsite and a horse")


def test_sign_up_can_be_closed(settings: Any) -> None:
    settings.ARTSITE_SIGNUP = "closed"
    assert "does not take new accounts" in Client().get(SIGNUP).content.decode()
    sign_up("ben")
    assert not User.objects.exists()


def test_an_invitation_lets_one_person_in(settings: Any) -> None:
    settings.ARTSITE_SIGNUP = "invite"
    assert "does not take new accounts" in Client().get(SIGNUP).content.decode()
    out = StringIO()
    call_command("invite", note="Ben", stdout=out)
    link = out.getvalue().strip()
    first, second = Client(), Client()
    for client in (first, second):
        assert client.get(link).headers["Location"] == SIGNUP
    assert sign_up("ben", client=first)
    sign_up("cleo", client=second)
    assert [user.username for user in User.objects.all()] == ["ben"]
    assert Client().get(link).status_code == 404
    assert Invitation.objects.get().used_by == User.objects.get()


def test_an_old_or_made_up_invitation_is_none(settings: Any) -> None:
    settings.ARTSITE_SIGNUP = "invite"
    out = StringIO()
    call_command("invite", days=1, stdout=out)
    Invitation.objects.update(expires_at="2020-01-01T00:00:00Z")
    for link in (out.getvalue().strip(), "/accounts/invite/x/"):
        assert Client().get(link).status_code == 404


def test_an_invitation_that_nobody_could_use_is_not_made(settings: Any) -> None:
    settings.ARTSITE_SIGNUP = "open"
    with pytest.raises(CommandError, match="ARTSITE_SIGNUP"):
        call_command("invite")


def test_what_happens_to_accounts_is_written_down(ana: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "artsite.security")
    sign_in("wrong", "192.0.2.1")
    sign_in(PASSWORD, "192.0.2.2")
    ana.user_permissions.clear()
    lines = [record.getMessage() for record in caplog.records if record.name == "artsite.security"]
    assert lines[:2] == [
        f"sign_in_failed person={ana.pk} address=192.0.2.1",
        f"sign_in person={ana.pk} address=192.0.2.2",
    ]
    assert lines[2].startswith(f"roles_changed what=user {ana.pk}")
    assert not any(PASSWORD in line or "wrong" in line for line in lines)
