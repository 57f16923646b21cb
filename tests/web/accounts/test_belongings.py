"""A person's own things: what they brought can be deleted, and so can they."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.test import Client

from gallery.models import Artwork, Job, JobInput, Lineage, ModerationEntry, Upload, User
from gallery.services import moderation
from gallery.services.submissions import QuotaExceeded, job_submit
from tests.web import factories
from tests.web.site_pages import client_of

pytestmark = pytest.mark.django_db
PASSWORD = "four long horses"


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture
def ana() -> User:
    person = factories.make_user("ana")
    person.set_password(PASSWORD)
    person.save()
    return person


def restyle_of(person: User, upload: Upload) -> Job:
    return job_submit(
        owner=person, kind="restyle", parameters={"style": "starry_night"}, inputs={"image": upload}
    )


def finish(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state="succeeded")


def test_ones_own_uploads_are_listed_with_the_space_they_take(ana: User) -> None:
    mine, other = factories.make_upload(ana), factories.make_upload(factories.make_user("ben"))
    page = client_of(ana).get("/uploads/").content.decode()
    assert str(mine.pk) in page
    assert str(other.pk) not in page
    assert "Uploads:" in page


def test_a_used_upload_can_be_deleted_and_its_works_stay(ana: User) -> None:
    upload = factories.make_upload(ana)
    job = restyle_of(ana, upload)
    finish(job)
    name = str(upload.file.name)
    with default_storage.open(name, "wb") as file:
        file.write(b"pixels")
    work = factories.make_artwork(ana, job=job)
    client_of(ana).post(f"/uploads/{upload.pk}/delete/")
    assert not Upload.objects.exists()
    assert Artwork.objects.filter(pk=work.pk).exists()
    assert JobInput.objects.get().upload is None
    assert client_of(ana).get(f"/jobs/{job.pk}/").status_code == 200


def test_an_upload_that_a_job_waits_for_stays(ana: User) -> None:
    upload = factories.make_upload(ana)
    restyle_of(ana, upload)
    answer = client_of(ana).post(f"/uploads/{upload.pk}/delete/", follow=True)
    assert "A job needs this picture" in answer.content.decode()
    assert Upload.objects.exists()


def test_nobody_deletes_somebody_elses_upload(ana: User) -> None:
    upload = factories.make_upload(factories.make_user("ben"))
    assert client_of(ana).post(f"/uploads/{upload.pk}/delete/").status_code == 404
    assert Upload.objects.exists()


def test_bytes_of_works_count(ana: User, settings: Any) -> None:
    settings.ARTSITE_WORKS_QUOTA_BYTES = 1000
    work = factories.make_artwork(ana)
    Artwork.objects.update(size=1000)
    with pytest.raises(QuotaExceeded) as refused:
        job_submit(owner=ana, kind="paint", parameters={})
    assert refused.value.code == "space_exceeded"
    assert client_of(ana).post("/studio/paint/", {"prompt": "sea"}).status_code == 429
    work.delete()
    job_submit(owner=ana, kind="paint", parameters={})


def delete_account(person: User, password: str = PASSWORD) -> int:
    return client_of(person).post("/accounts/delete/", {"password": password}).status_code


def test_a_person_erases_everything_that_is_theirs(ana: User) -> None:
    ben, otto = factories.make_user("ben"), factories.make_user("otto")
    upload = factories.make_upload(ana)
    finish(restyle_of(ana, upload))
    parent, child = factories.make_listed(ana), factories.make_artwork(ben)
    Lineage.objects.create(child=child, parent=parent, relation="image")
    assert delete_account(ana, "wrong") == 422
    assert User.objects.filter(pk=ana.pk).exists()
    assert delete_account(ana) == 302
    assert set(User.objects.values_list("username", flat=True)) == {ben.username, otto.username}
    assert not Upload.objects.exists()
    assert not Job.objects.exists()
    # What others made from it stays, with an empty place.
    assert Lineage.objects.get().parent is None
    assert Client().get(f"/works/{parent.pk}/").status_code == 404


def test_a_moderator_who_leaves_leaves_the_log(ana: User, moderator: User) -> None:
    moderator.set_password(PASSWORD)
    moderator.save()
    work = factories.make_listed(ana)
    moderation.artwork_remove(artwork=work, by=moderator, reason="copied")
    assert delete_account(moderator) == 302
    assert ModerationEntry.objects.get().moderator is None


def test_the_last_administrator_stays() -> None:
    root = User.objects.create_superuser("root-of-all", password=PASSWORD)
    assert delete_account(root) == 422
    User.objects.create_superuser("another", password=PASSWORD)
    assert delete_account(root) == 302
