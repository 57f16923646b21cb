"""Artworks: files that carry their recipe, rules of showing, naming and deleting, and who gets the bytes."""

from __future__ import annotations

import hashlib
import json
import os
import time
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from PIL import Image

from gallery.models import Artwork, Job, JobState, Lineage, Moderation, User, Visibility
from gallery.presentation import payloads
from gallery.services import artworks, files
from gallery.services.artworks import ArtworkProblem, PictureFile, PoemText
from tests.web import factories

pytestmark = pytest.mark.django_db
XMP = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
MARK = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: pytest.FixtureRequest) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")  # type: ignore[attr-defined]


def painted(person: User, **fields: Any) -> Job:
    values: dict[str, Any] = {
        "model_name": "painter",
        "model_digest": "d1" * 32,
        "parameters": {"prompt": "海 <&> sea"},
    }
    return factories.make_job(person, state=JobState.RUNNING, **{**values, **fields})


def build_one(job: Job, size: tuple[int, int] = (640, 480)) -> Artwork:
    image = Image.new("RGB", size, "#336699")
    prepared = artworks.artworks_build(job, [PictureFile(image, {"words": ["sea"]})])
    return artworks.artworks_save(prepared)[0]


def test_a_picture_file_carries_its_recipe_and_the_mark_of_ai(person: User) -> None:
    artwork = build_one(painted(person, seed=2**62))
    data = files.file_read(factories.name_of(artwork.file))
    with Image.open(BytesIO(data)) as image:
        image.load()
        assert json.loads(image.info["Recipe"]) == artwork.recipe
        packet = ElementTree.fromstring(image.info["XML:com.adobe.xmp"])  # noqa: S314 our own file
        mark = packet.find(f".//{XMP}")
        assert image.size == (artwork.width, artwork.height) == (640, 480)
    assert mark is not None
    assert mark.text == MARK
    assert hashlib.sha256(data).hexdigest() == artwork.sha256
    assert len(data) == artwork.size
    assert artwork.recipe["seed"] == 2**62
    assert artwork.recipe["digest"] == "d1" * 32
    assert artwork.recipe["parameters"]["prompt"] == "海 <&> sea"
    assert artwork.colour == "#336699"


def test_a_thumbnail_is_small_and_marked_too(person: User) -> None:
    artwork = build_one(painted(person), size=(1024, 300))
    with Image.open(BytesIO(files.file_read(factories.name_of(artwork.thumbnail)))) as image:
        assert (image.format, image.size) == ("WEBP", (512, 150))
        assert MARK.encode() in image.info["xmp"]


def test_metadata_of_the_image_object_stays_behind(person: User) -> None:
    image = Image.new("RGB", (32, 32))
    image.info.update(exif=b"Exif\x00\x00GPS of a person", comment=b"secret", icc_profile=b"x" * 200)
    prepared = artworks.artworks_build(painted(person), [PictureFile(image)])
    for file in (prepared[0].artwork.file, prepared[0].artwork.thumbnail):
        data = files.file_read(factories.name_of(file))
        assert b"GPS of" not in data
        assert b"secret" not in data
        assert b"x" * 50 not in data


def test_a_poem_has_text_and_no_file(person: User) -> None:
    job = factories.make_job(person, "verse", state=JobState.RUNNING)
    prepared = artworks.artworks_build(job, [PoemText(("江上秋风", "送客舟远"), "秋")])
    artwork = artworks.artworks_save(prepared)[0]
    artwork.refresh_from_db()
    assert artwork.lines == ["江上秋风", "送客舟远"]
    assert not artwork.is_picture
    assert artwork.title == "秋"


def test_works_remember_what_they_were_made_from(person: User) -> None:
    parent = factories.make_artwork(person)
    upload = factories.make_upload(person)
    job = factories.make_job(person, "restyle", state=JobState.RUNNING)
    factories.make_input(job, "image", upload)
    factories.make_input(job, "style", parent)
    artwork = build_one(job)
    assert list(Lineage.objects.values_list("child", "parent", "relation")) == [
        (artwork.pk, parent.pk, "style")
    ]
    assert artwork.recipe["inputs"] == {
        "image": {"upload": str(upload.pk), "sha256": upload.sha256},
        "style": {"artwork": str(parent.pk), "sha256": parent.sha256},
    }


def test_a_failure_midway_leaves_no_files(person: User, tmp_path: Path) -> None:
    good, bad = PictureFile(Image.new("RGB", (8, 8))), PictureFile(None)  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        artworks.artworks_build(painted(person), [good, bad])
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


def test_a_full_disk_is_an_error_that_leaves_nothing(person: User, tmp_path: Path) -> None:
    blocked = tmp_path / "media" / "artworks"
    blocked.parent.mkdir()
    blocked.write_bytes(b"a file where a folder is needed")
    with pytest.raises(OSError, match="artworks"):
        build_one(painted(person))


def test_publishing_puts_a_work_into_the_review_queue(person: User) -> None:
    artwork = build_one(painted(person))
    assert (artwork.visibility, artwork.published_at) == (Visibility.PRIVATE, None)
    shown = artworks.artwork_set_visibility(artwork=artwork, visibility="public", by=person)
    assert shown.published_at is not None
    assert shown.moderation == Moderation.PENDING
    assert build_one(painted(person, publish_as="public")).published_at is not None


def test_hiding_and_showing_again_does_not_clear_a_decision(person: User) -> None:
    artwork = factories.make_listed(person, moderation=Moderation.REJECTED)
    artworks.artwork_set_visibility(artwork=artwork, visibility="private", by=person)
    again = artworks.artwork_set_visibility(artwork=artwork, visibility="public", by=person)
    assert again.moderation == Moderation.REJECTED


def test_a_removed_work_can_only_be_private(person: User) -> None:
    artwork = factories.make_listed(person, moderation=Moderation.REMOVED)
    for visibility in ("public", "unlisted"):
        with pytest.raises(ArtworkProblem) as refusal:
            artworks.artwork_set_visibility(artwork=artwork, visibility=visibility, by=person)
        assert refusal.value.code == "removed"
    artworks.artwork_set_visibility(artwork=artwork, visibility="private", by=person)


def test_a_new_title_is_reviewed_again(person: User) -> None:
    artwork = factories.make_listed(person)
    renamed = artworks.artwork_rename(artwork=artwork, title="  A\x00 new\ntitle ", by=person)
    assert (renamed.title, renamed.moderation) == ("A new title", Moderation.PENDING)
    with pytest.raises(ArtworkProblem) as refusal:
        artworks.artwork_rename(artwork=artwork, title="x" * 201, by=person)
    assert refusal.value.code == "invalid_title"


@pytest.mark.parametrize("visibility", ["", "PUBLIC", "everyone", "public\n"])
def test_an_unknown_visibility_is_refused(person: User, visibility: str) -> None:
    with pytest.raises(ArtworkProblem):
        artworks.artwork_set_visibility(
            artwork=factories.make_artwork(person), visibility=visibility, by=person
        )


def test_only_the_owner_may_change_or_delete(person: User, stranger: User, moderator: User) -> None:
    artwork = factories.make_listed(person)
    for other in (stranger, moderator):
        with pytest.raises(PermissionDenied):
            artworks.artwork_set_visibility(artwork=artwork, visibility="private", by=other)
        with pytest.raises(PermissionDenied):
            artworks.artwork_rename(artwork=artwork, title="mine", by=other)
        with pytest.raises(PermissionDenied):
            artworks.artwork_delete(artwork=artwork, by=other)
    artwork.refresh_from_db()
    assert artwork.is_listed


def test_deleting_removes_files_after_the_commit(
    person: User, django_capture_on_commit_callbacks: pytest.FixtureRequest
) -> None:
    parent = build_one(painted(person))
    child = factories.make_artwork(person)
    factories.make_lineage(child, parent)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        artworks.artwork_delete(artwork=parent, by=person)
        assert default_storage.exists(factories.name_of(parent.file))
    assert not default_storage.exists(factories.name_of(parent.file))
    assert not default_storage.exists(factories.name_of(parent.thumbnail))
    assert Lineage.objects.get(child=child).parent is None


def test_orphans_are_swept_and_owned_files_stay(person: User, tmp_path: Path) -> None:
    owned = build_one(painted(person))
    lost = artworks.artworks_build(painted(person), [PictureFile(Image.new("RGB", (8, 8)))])[0].artwork
    folder = Path(default_storage.path(factories.name_of(owned.file))).parent
    part = folder / f".{'0' * 32}.png.part"
    part.write_bytes(b"half")
    assert artworks.orphan_files_sweep() == 0
    hours_ago = time.time() - 7200
    for path in (tmp_path / "media").rglob("*"):
        os.utime(path, (hours_ago, hours_ago))
    assert artworks.orphan_files_sweep(older_than=timedelta(hours=1)) == 3
    assert default_storage.exists(factories.name_of(owned.file))
    assert default_storage.exists(factories.name_of(owned.thumbnail))
    assert not default_storage.exists(factories.name_of(lost.file))
    assert not part.exists()


# --- Media ----------------------------------------------------------------------------------------


def status(client: Client, url: str) -> int:
    return client.get(url).status_code


@pytest.mark.parametrize(
    ("visibility", "moderation", "others", "moderators"),
    [
        ("private", "pending", 404, 404),
        ("private", "approved", 404, 404),
        ("unlisted", "pending", 200, 200),
        ("unlisted", "approved", 200, 200),
        ("unlisted", "rejected", 404, 404),
        ("unlisted", "removed", 404, 404),
        ("public", "pending", 404, 200),
        ("public", "approved", 200, 200),
        ("public", "rejected", 404, 200),
        ("public", "removed", 404, 200),
    ],
)
def test_bytes_obey_visibility_and_moderation(
    person: User,
    stranger: User,
    moderator: User,
    visibility: str,
    moderation: str,
    others: int,
    moderators: int,
) -> None:
    artwork = build_one(painted(person))
    Artwork.objects.filter(pk=artwork.pk).update(visibility=visibility, moderation=moderation)
    for url in (payloads.picture_url(artwork), payloads.thumbnail_url(artwork)):
        for who, expected in (
            (None, others),
            (stranger, others),
            (moderator, moderators),
            (person, 200),
        ):
            client = Client()
            if who is not None:
                client.force_login(who)
            assert status(client, url) == expected, (who, url)


def test_only_listed_works_with_their_hash_may_be_kept_by_caches(client: Client, person: User) -> None:
    artwork = build_one(painted(person))
    client.force_login(person)
    assert client.get(payloads.picture_url(artwork))["Cache-Control"] == "private, no-store"
    Artwork.objects.filter(pk=artwork.pk).update(visibility="public", moderation="approved")
    client.logout()
    listed = client.get(payloads.picture_url(artwork))
    assert listed["Cache-Control"] == "public, max-age=14400"
    assert "Cookie" not in listed.get("Vary", "")
    untagged = client.get(payloads.picture_url(artwork).partition("?")[0])
    assert untagged["Cache-Control"] == "private, no-store"


def test_files_are_served_so_that_they_cannot_act(client: Client, person: User) -> None:
    artwork = build_one(painted(person))
    client.force_login(person)
    response = client.get(f"{payloads.picture_url(artwork)}&download=1")
    assert response["Content-Type"] == "image/png"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith('attachment; filename="artsite-')
    assert client.post(payloads.picture_url(artwork)).status_code == 405


def test_a_poem_is_downloaded_as_text_that_says_what_made_it(
    client: Client, person: User, stranger: User
) -> None:
    poem = factories.make_artwork(person, "verse", title="秋 <b>")
    url = reverse("media_poem", args=[poem.pk])
    assert status(client, url) == 404
    client.force_login(stranger)
    assert status(client, url) == 404
    client.force_login(person)
    response = client.get(url)
    text = response.content.decode()
    assert text.startswith(f"秋 <b>\n\n{factories.POEM}\n\n-- \n")
    assert MARK in text
    assert json.loads(text.splitlines()[-1]) == poem.recipe
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response["Content-Disposition"].endswith('.txt"')
    assert response["Cache-Control"] == "private, no-store"
    assert url in client.get(reverse("artwork", args=[poem.pk])).content.decode()
    assert status(client, reverse("media_poem", args=[build_one(painted(person)).pk])) == 404


def test_an_upload_is_its_owners_alone(client: Client, person: User, operator: User) -> None:
    url = payloads.upload_url(factories.make_upload(person))
    assert status(client, url) == 404
    client.force_login(operator)
    assert status(client, url) == 404
    client.force_login(person)
    assert client.get(url)["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize("accel", ["", "/protected/"])
def test_a_file_that_rotted_is_never_served(
    client: Client,
    person: User,
    settings: pytest.FixtureRequest,
    accel: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.MEDIA_ACCEL_LOCATION = accel  # type: ignore[attr-defined]
    artwork = build_one(painted(person))
    client.force_login(person)
    assert status(client, payloads.picture_url(artwork)) == 200
    path = Path(default_storage.path(factories.name_of(artwork.file)))
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    assert status(client, payloads.picture_url(artwork)) == 503
    assert "does not match its hash" in caplog.text
    path.unlink()
    assert status(client, payloads.picture_url(artwork)) == 404


def test_behind_a_proxy_the_proxy_sends_the_bytes(
    client: Client, person: User, stranger: User, settings: pytest.FixtureRequest
) -> None:
    settings.MEDIA_ACCEL_LOCATION = "/protected/"  # type: ignore[attr-defined]
    artwork = build_one(painted(person))
    client.force_login(stranger)
    assert "X-Accel-Redirect" not in client.get(payloads.picture_url(artwork))
    client.force_login(person)
    response = client.get(payloads.picture_url(artwork))
    assert response["X-Accel-Redirect"] == f"/protected/{artwork.file.name}"
    assert response.content == b""
