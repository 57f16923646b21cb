"""A disk or a database that takes no writes: a sentence, 503, and the form as it was sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client

from gallery.models import Artwork, Job, Upload, User
from gallery.services import storage
from gallery.views import site
from tests.web import factories
from tests.web.site_pages import client_of

FULL = "disk is full"
LINK = "/studio/paint/"


@pytest.fixture(autouse=True)
def _ask_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_checked", storage.Checked())


@pytest.fixture
def read_only(person: User) -> Iterator[None]:
    """A database that SQLite itself refuses to write."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        yield
        cursor.execute("PRAGMA query_only = OFF")


@pytest.fixture
def low(settings: Any) -> None:
    settings.ARTSITE_MIN_FREE_BYTES = 2**62


def assert_form_is_back(response: object, sentence: str) -> None:
    assert getattr(response, "status_code", 0) == 503
    assert response["Retry-After"] == str(storage.RETRY_SECONDS)  # type: ignore[index]
    text = response.content.decode()  # type: ignore[attr-defined]
    assert sentence in text
    assert "harbour at dawn" in text


@pytest.mark.usefixtures("low")
def test_below_the_mark_no_job_is_taken_and_the_form_is_filled(person: User) -> None:
    response = client_of(person).post(LINK, {"prompt": "harbour at dawn"})
    assert_form_is_back(response, FULL)
    assert not Job.objects.exists()


@pytest.mark.usefixtures("low")
def test_below_the_mark_no_upload_is_taken(person: User) -> None:
    file = SimpleUploadedFile("a.png", factories.png(), "image/png")
    response = client_of(person).post("/studio/restyle/", {"picture_image": file, "style": "starry_night"})
    assert response.status_code == 503
    assert FULL in response.content.decode()
    assert not Upload.objects.exists()


@pytest.mark.usefixtures("read_only")
def test_a_database_that_cannot_be_written_gives_the_form_back(person: User) -> None:
    client = Client()
    # Signed in before: a session cannot be made any more.
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = OFF")
        client.force_login(person)
        cursor.execute("PRAGMA query_only = ON")
    assert_form_is_back(client.post(LINK, {"prompt": "harbour at dawn"}), "cannot write to its disk")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        ("database or disk is full", FULL),
        ("database is locked", "database is busy"),
        ("server closed the connection unexpectedly", "does not answer"),
    ],
)
def test_each_trouble_of_the_database_has_its_sentence(
    person: User, monkeypatch: pytest.MonkeyPatch, error: str, sentence: str
) -> None:
    def refuse(**_: object) -> None:
        raise OperationalError(error)

    monkeypatch.setattr(Job.objects, "create", refuse)
    assert_form_is_back(client_of(person).post(LINK, {"prompt": "harbour at dawn"}), sentence)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_any_other_page_says_it_too(person: User, accept: str) -> None:
    work = factories.make_artwork(person)
    client = Client(raise_request_exception=False)
    client.force_login(person)
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            response = client.post(
                f"/works/{work.pk}/edit/",
                {"title": "Harbour", "visibility": "private"},
                headers={"accept": accept},
            )
        finally:
            cursor.execute("PRAGMA query_only = OFF")
    assert response.status_code == 503
    assert "cannot write to its disk" in response.content.decode()
    assert not Artwork.objects.filter(title="Harbour").exists()


def test_an_error_of_ours_stays_one(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gallery.views.studio._page", broken)
    client = Client(raise_request_exception=False)
    client.force_login(person)
    assert client.get(LINK).status_code == 500


def test_ready_means_that_the_database_was_written(db: None) -> None:
    ready = Client().get("/readyz")
    assert (ready.status_code, ready.json()["database"], ready.json()["storage"]) == (200, "ok", "ok")


@pytest.mark.usefixtures("read_only")
def test_a_database_that_cannot_be_written_is_not_ready() -> None:
    ready = Client().get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (503, "read_only")
    assert Client().get("/healthz").status_code == 200


@pytest.mark.usefixtures("low")
def test_a_low_disk_is_told_to_probes_and_operators(operator: User) -> None:
    ready = Client().get("/readyz")
    assert (ready.status_code, ready.json()["storage"]) == (200, "low")
    assert "The disk is nearly full" in client_of(operator).get("/workers/").content.decode()


def test_a_folder_that_cannot_be_written_is_noticed(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    assert storage.folder_state() == "ok"
    (tmp_path / "file").write_bytes(b"")
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    assert storage.folder_state() == "read_only"
