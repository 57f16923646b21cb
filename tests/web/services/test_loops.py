"""Loops of pictures: their files, what those say about themselves, and who gets which bytes of them."""

from __future__ import annotations

import hashlib
import os
import time
from io import BytesIO
from pathlib import Path

import av
import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from PIL import Image, ImageSequence

from gallery.models import Artwork, JobState, User
from gallery.presentation import payloads
from gallery.services import artworks, files, moderation, provenance
from gallery.services.artworks import AnimationFile
from tests.web import factories
from workers.engines.base import Animation, EngineError
from workers.runtime import video_encoding
from workers.runtime.outputs import as_file

pytestmark = pytest.mark.django_db
MARK = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COLOURS = ("#ff0000", "#00ff00", "#0000ff", "#ffffff")


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: pytest.FixtureRequest) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")  # type: ignore[attr-defined]


def loop(size: tuple[int, int] = (64, 48), seconds: float = 1.0) -> Animation:
    frames = tuple(Image.new("RGB", size, COLOURS[number % 4]) for number in range(12))
    return Animation(frames, seconds, {"latent": {"styles": "c2VjcmV0"}})


def build(person: User) -> Artwork:
    job = factories.make_job(
        person, "blend", state=JobState.RUNNING, model_name="painter", model_digest="d1" * 32
    )
    return artworks.artworks_save(artworks.artworks_build(job, [as_file(loop())]))[0]


# --- Files ----------------------------------------------------------------------------------------


def test_a_loop_is_an_animated_webp_that_repeats_for_ever_and_is_marked(person: User) -> None:
    work = build(person)
    data = files.file_read(factories.name_of(work.file))
    assert factories.name_of(work.file).endswith(f"{work.pk.hex}.loop.webp")
    assert (hashlib.sha256(data).hexdigest(), len(data)) == (work.sha256, work.size)
    with Image.open(BytesIO(data)) as image:
        assert (image.format, image.size, image.info["loop"]) == ("WEBP", (64, 48), 0)
        assert MARK.encode() in image.info["xmp"]
        assert b"painter" in image.info["xmp"]
        frames = [frame.convert("RGB").getpixel((30, 20)) for frame in ImageSequence.Iterator(image)]
    reds = [bool(pixel[0] > 200 and pixel[1] < 60) for pixel in frames]  # type: ignore[index]
    assert reds == [number % 4 == 0 for number in range(12)]
    assert (work.width, work.height, work.colour) == (64, 48, "#ff0000")
    assert (work.details["frames"], work.details["seconds"]) == (12, 1.0)
    assert (work.is_animation, work.is_picture) == (True, True)


def test_the_frames_of_a_loop_last_what_they_should() -> None:
    with Image.open(BytesIO(video_encoding.encode_webp(loop().frames, 1.0))) as image:
        lasted = []
        for number in range(12):
            image.seek(number)
            image.load()
            lasted.append(int(image.info["duration"]))
    assert sum(lasted) == 1000
    assert set(lasted) == {83, 84}


def test_a_loop_is_an_mp4_that_every_browser_plays_and_is_marked(person: User) -> None:
    work = build(person)
    data = files.file_read(factories.name_of(work.video), work.video_sha256)
    assert factories.name_of(work.video).endswith(f"{work.pk.hex}.mp4")
    assert data.index(b"moov") < data.index(b"mdat"), "it starts to play before it is all there"
    assert MARK.encode() in data[data.index(b"uuid") :]
    assert b"painter" in data[data.index(b"uuid") :]
    with av.open(BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        assert container.metadata["comment"] == MARK
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, float(stream.average_rate or 0)) == (64, 48, 12.0)
        assert len(list(container.decode(stream))) == 12


def test_an_odd_side_loses_its_last_row_in_the_mp4_alone() -> None:
    made = as_file(loop(size=(33, 21)))
    assert isinstance(made, AnimationFile)
    with av.open(BytesIO(made.video)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (32, 20)
    with Image.open(BytesIO(made.loop)) as image:
        assert image.size == (33, 21)


def test_the_same_frames_are_the_same_bytes() -> None:
    assert as_file(loop()) == as_file(loop())


@pytest.mark.parametrize(
    ("sizes", "seconds"),
    [
        ([(8, 8)], 1.0),
        ([(8, 8), (8, 9)], 1.0),
        ([(1, 8), (1, 8)], 1.0),
        ([(8, 8)] * 3, 0.0),
        ([(8, 8)] * 3, float("nan")),
        ([(8, 8)] * 3, 3600.0),
    ],
)
def test_what_is_no_loop_is_an_error_of_the_engine(sizes: list[tuple[int, int]], seconds: float) -> None:
    with pytest.raises(EngineError, match="loop"):
        as_file(Animation(tuple(Image.new("RGB", size) for size in sizes), seconds))


def test_a_loop_that_stands_still_is_marked_too(person: User) -> None:
    still = Animation(tuple(Image.new("RGB", (20, 12), "teal") for _ in range(16)), 1.0)
    job = factories.make_job(person, "blend", state=JobState.RUNNING)
    work = artworks.artworks_save(artworks.artworks_build(job, [as_file(still)]))[0]
    with Image.open(BytesIO(files.file_read(factories.name_of(work.file)))) as image:
        image.load()
        assert image.size == (20, 12)
        assert MARK.encode() in image.info["xmp"]


@pytest.mark.parametrize("data", [b"", b"RIFF", factories.png()])
def test_what_is_no_loop_is_not_marked(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a WebP"):
        provenance.loop_mark(data, {})
    with pytest.raises(ValueError, match="not an MP4"):
        provenance.video_mark(data, {})


def test_a_loop_is_marked_once() -> None:
    marked = provenance.loop_mark(factories.webp(), {})
    with pytest.raises(ValueError, match="already"):
        provenance.loop_mark(marked, {})


def test_a_loop_that_could_not_be_kept_leaves_no_file(person: User, tmp_path: Path) -> None:
    good = as_file(loop())
    assert isinstance(good, AnimationFile)
    bad = AnimationFile(good.poster, good.loop, b"no video", 12, 1.0)
    job = factories.make_job(person, "blend", state=JobState.RUNNING)
    with pytest.raises(ValueError, match="not an MP4"):
        artworks.artworks_build(job, [good, bad])
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()] == []


def test_deleting_and_sweeping_take_all_three_files(
    person: User, django_capture_on_commit_callbacks: pytest.FixtureRequest
) -> None:
    kept, gone, lost = build(person), build(person), build(person)

    def files_of(work: Artwork) -> list[bool]:
        return [
            default_storage.exists(factories.name_of(file))
            for file in (work.file, work.video, work.thumbnail)
        ]

    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        artworks.artwork_delete(artwork=gone, by=person)
    assert files_of(gone) == [False] * 3
    Artwork.objects.filter(pk=lost.pk).delete()
    hours_ago = time.time() - 7200
    for work in (kept, lost):
        for file in (work.file, work.video, work.thumbnail):
            os.utime(default_storage.path(factories.name_of(file)), (hours_ago, hours_ago))
    assert artworks.orphan_files_sweep() == 3
    assert (files_of(kept), files_of(lost)) == ([True] * 3, [False] * 3)


# --- The latent -----------------------------------------------------------------------------------


def test_the_latent_stays_in_the_row(client: Client, person: User, admin_client: Client) -> None:
    work = build(person)
    work.refresh_from_db()
    assert work.details["latent"] == {"styles": "c2VjcmV0"}
    assert "latent" not in work.facts
    for name in map(factories.name_of, (work.file, work.video, work.thumbnail)):
        assert b"c2VjcmV0" not in files.file_read(name)
    client.force_login(person)
    assert work.job is not None
    for url in (reverse("artwork", args=[work.pk]), reverse("job_json", args=[work.job.pk])):
        shown = client.get(url)
        assert shown.status_code == 200
        assert b"c2VjcmV0" not in shown.content
    desk = admin_client.get(reverse("admin:gallery_artwork_change", args=[work.pk]))
    assert desk.status_code == 200
    # What an engine found out about a work is not the administration's either.
    assert str(work.pk).encode() in desk.content
    assert b"frames" not in desk.content
    assert b"c2VjcmV0" not in desk.content


# --- Who gets the bytes ------------------------------------------------------------------------------


def test_the_video_obeys_the_same_rules_as_the_picture(person: User, stranger: User, moderator: User) -> None:
    work = build(person)
    url = payloads.video_url(work)

    def seen_by(*people: User | None) -> list[int]:
        found = []
        for who in people:
            client = Client()
            if who is not None:
                client.force_login(who)
            found.append(client.get(url).status_code)
        return found

    assert seen_by(None, stranger, moderator, person) == [404, 404, 404, 200]
    Artwork.objects.filter(pk=work.pk).update(visibility="public", moderation="approved")
    assert seen_by(None, stranger, moderator, person) == [200] * 4
    work.refresh_from_db()
    moderation.artwork_remove(artwork=work, by=moderator, reason="other")
    assert seen_by(None, stranger, person) == [404, 404, 200]


def test_a_still_picture_has_no_video(client: Client, person: User) -> None:
    still = factories.make_listed(person)
    assert payloads.video_url(still) == ""
    assert client.get(reverse("media_video", args=[still.pk])).status_code == 404
    assert payloads.artwork_data(still)["video"] == ""


def test_pages_and_programs_learn_the_address_of_the_video(client: Client, person: User) -> None:
    work = build(person)
    assert work.job is not None
    client.force_login(person)
    (output,) = client.get(reverse("job_json", args=[work.job.pk])).json()["outputs"]
    response = client.get(output["video"])
    assert (response["Content-Type"], response["Accept-Ranges"]) == ("video/mp4", "bytes")
    assert response["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert response.content == files.file_read(factories.name_of(work.video))
    assert client.get(output["url"])["Content-Type"] == "image/webp"


@pytest.mark.parametrize(("which", "extension"), [("media_picture", ".webp"), ("media_video", ".mp4")])
def test_both_files_are_offered_under_their_own_names(
    client: Client, person: User, which: str, extension: str
) -> None:
    client.force_login(person)
    response = client.get(reverse(which, args=[build(person).pk]), {"download": "1"})
    assert response["Content-Disposition"].endswith(f'{extension}"')


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [
        ("bytes=0-", 0, -1),
        ("bytes=0-1", 0, 1),
        ("bytes=100-199", 100, 199),
        ("bytes=-10", -10, -1),
        ("bytes=5-999999999", 5, -1),
        ("bytes=-999999999", 0, -1),
    ],
)
def test_players_get_the_range_that_they_ask_for(
    client: Client, person: User, wanted: str, first: int, last: int
) -> None:
    work = build(person)
    client.force_login(person)
    url, whole = payloads.video_url(work), files.file_read(factories.name_of(work.video))
    first, last = first % len(whole), last % len(whole)
    response = client.get(url, headers={"Range": wanted})
    assert response.status_code == 206
    assert response["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    assert response.content == whole[first : last + 1]
    assert int(response["Content-Length"]) == last - first + 1
    assert response["Content-Type"] == "video/mp4"


@pytest.mark.parametrize("wanted", ["bytes=9-3", "bytes=-", "items=0-1", "bytes=0-1,4-5", "bytes=a-b", "0-1"])
def test_what_is_no_single_range_gets_the_whole(client: Client, person: User, wanted: str) -> None:
    client.force_login(person)
    response = client.get(payloads.video_url(build(person)), headers={"Range": wanted})
    assert response.status_code == 200
    assert response.content[4:8] == b"ftyp"


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused_with_the_size(client: Client, person: User, wanted: str) -> None:
    work = build(person)
    client.force_login(person)
    response = client.get(payloads.video_url(work), headers={"Range": wanted})
    size = len(files.file_read(factories.name_of(work.video)))
    assert (response.status_code, response["Content-Range"]) == (416, f"bytes */{size}")


def test_a_range_of_another_version_gets_the_whole(client: Client, person: User) -> None:
    client.force_login(person)
    url = payloads.video_url(build(person))
    tag = client.get(url)["ETag"]
    same = client.get(url, headers={"Range": "bytes=0-9", "If-Range": tag})
    other = client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"old"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_a_video_that_rotted_is_never_served(client: Client, person: User) -> None:
    work = build(person)
    client.force_login(person)
    path = Path(default_storage.path(factories.name_of(work.video)))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    response = client.get(payloads.video_url(work), headers={"Range": "bytes=0-1"})
    assert response.status_code == 503


def test_behind_a_proxy_the_proxy_finds_the_range(
    client: Client, person: User, settings: pytest.FixtureRequest
) -> None:
    settings.MEDIA_ACCEL_LOCATION = "/protected/"  # type: ignore[attr-defined]
    work = build(person)
    client.force_login(person)
    response = client.get(payloads.video_url(work), headers={"Range": "bytes=0-1"})
    assert (response.status_code, response.content) == (200, b"")
    assert response["X-Accel-Redirect"] == f"/protected/{work.video.name}"
