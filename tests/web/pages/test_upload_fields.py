"""Every field that takes a picture, given every kind of file: a job, or a sentence beside the field.

The fields are those of the kinds. What becomes of the pixels is held in ``test_uploads``.
"""

from __future__ import annotations

import resource
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from gallery import kinds
from gallery.kinds.restyle import STYLES, style_name
from gallery.models import Job, Upload, User
from gallery.services.images import PictureRejected
from gallery.services.uploads import quota_used
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db
FIELDS = [(kind.slug, field.role) for kind in kinds.KINDS.values() for field in kind.inputs]
READY = ("scream", "great_wave", "irises")
MOST_BYTES = 4_000_000
MOST_SECONDS = 15
MOST_MEMORY = int(1.5 * 2**30)


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    target = BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def photo(size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Red left half, blue right half."""
    image = Image.new("RGB", size, "#0000ff")
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    return image


def turned() -> bytes:
    """A photo that lies on its side and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photo().transpose(Image.Transpose.ROTATE_90), "JPEG", exif=exif, quality=95)


def deep() -> bytes:
    """Sixteen bits for a pixel: dark left half, light right half."""
    image = Image.new("I;16", (96, 64), 0xC000)
    image.paste(0x2000, (0, 0, 48, 64))
    return encoded(image, "PNG")


def bomb() -> bytes:
    """20 KB that are 169 million pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 13000, 13000, 1, 0, 0, 0, 0)
    rows = zlib.compress(b"\0" * (1 + 13000 // 8) * 13000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def frames(form: str) -> bytes:
    others = [Image.new("RGB", (96, 64), colour) for colour in ("#00ff00", "#ffffff")]
    return encoded(photo(), form, save_all=True, append_images=others, duration=50)


TAKEN: Mapping[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    # name -> (the file, width and height of what is kept)
    "CMYK": (lambda: encoded(photo().convert("CMYK"), "JPEG"), (96, 64)),
    "sixteen bits": (deep, (96, 64)),
    "transparent": (lambda: encoded(Image.new("RGBA", (96, 64), (0, 0, 0, 128)), "PNG"), (96, 64)),
    "lying on its side": (turned, (96, 64)),
    "animated WebP": (lambda: frames("WEBP"), (96, 64)),
    "20 megapixels": (lambda: encoded(photo((5472, 3648)), "JPEG"), (2048, 1365)),
}
REFUSED: Mapping[str, tuple[str, Callable[[], bytes], str]] = {
    # name -> (what the file is called, the file, code of the sentence)
    "truncated JPEG": ("photo.jpg", lambda: encoded(photo((320, 200)), "JPEG")[:-400], "damaged"),
    "text": ("text.png", lambda: b"Dear network, this is not a picture.\n" * 9, "unsupported_format"),
    "nothing": ("photo.jpg", lambda: b"", "empty"),
    "bomb": ("small.png", bomb, "too_many_pixels"),
    "animated GIF": ("wave.gif", lambda: frames("GIF"), "unsupported_format"),
    "one pixel": ("dot.png", lambda: encoded(Image.new("RGB", (1, 1)), "PNG"), "too_small"),
    "SVG": (
        "drawing.svg",
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "unsupported_format",
    ),
    "too many bytes": (
        "heavy.png",
        lambda: encoded(photo(), "PNG") + bytes(MOST_BYTES),
        "too_many_bytes",
    ),
}


@cache
def made(make: Callable[[], bytes]) -> bytes:
    """Large pictures are drawn once for all fields."""
    return make()


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")
    settings.ARTSITE_MAX_UPLOAD_BYTES = MOST_BYTES


@pytest.fixture(autouse=True)
def _within_limits() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < MOST_SECONDS
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MOST_MEMORY


@pytest.fixture
def client(person: User) -> Client:
    return client_of(person)


def form_of(person: User, kind: str, role: str, size: tuple[int, int] = (96, 64)) -> dict[str, Any]:
    """All that a job of this kind needs beside ``role``: other pictures are works of ``size``."""
    data: dict[str, Any] = {"key": "k", "publish_as": "unlisted"}
    if kind == "restyle":
        # A mix has no gaps: a picture stands in the first place that is free.
        places = [style_name(number) for number in range(1, STYLES + 1)]
        before = places.index(role) if role in places else 1
        data.update(zip(places[:before], READY, strict=False))
    for field in kinds.kind(kind).inputs:
        parent = kind == "blend" and (field.role < role or field.role == "parent_2")
        if field.role != role and (field.required or parent):
            work = factories.make_artwork(person, width=size[0], height=size[1])
            data[f"picture_{field.role}_work"] = str(work.pk)
    return data


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize(("kind", "role"), FIELDS)
def test_a_picture_of_another_make_becomes_a_job(
    client: Client, person: User, kind: str, role: str, name: str
) -> None:
    make, size = TAKEN[name]
    data = form_of(person, kind, role, size)
    file = SimpleUploadedFile("IMG_0001.bin", made(make), "application/octet-stream")
    response = client.post(f"/studio/{kind}/", {**data, f"picture_{role}": file})
    assert response.status_code == 302, Page(response.content.decode()).ids
    upload = Job.objects.get().inputs.get(role=role).upload
    assert upload is not None
    assert (upload.width, upload.height) == size
    with default_storage.open(upload.file.name or "") as kept, Image.open(kept) as image:
        assert (image.mode, image.size, getattr(image, "n_frames", 1)) == ("RGB", size, 1)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(("kind", "role"), FIELDS)
def test_what_is_no_picture_is_told_beside_its_field_and_nothing_else_is_lost(
    client: Client, person: User, kind: str, role: str, name: str
) -> None:
    called, make, code = REFUSED[name]
    data = form_of(person, kind, role)
    response = client.post(
        f"/studio/{kind}/", {**data, f"picture_{role}": SimpleUploadedFile(called, made(make), "image/png")}
    )
    content = response.content.decode()
    page = Page(content)
    assert response.status_code == 422
    assert f"id_picture_{role}_error" in page.ids
    assert page.problems == []
    assert str(PictureRejected(code).visitor) in unescape(content)
    for field, value in data.items():
        if field.endswith("_work"):
            assert f'name="{field}" value="{value}"' in content
        elif value in READY:
            assert f'value="{value}" {"checked" if field == "style" else "selected"}' in content
    assert 'value="unlisted" checked' in content
    assert (Job.objects.count(), Upload.objects.count(), quota_used(person)) == (0, 0, 0)
    assert not (Path(default_storage.path("")) / "uploads").exists()


def test_the_search_by_picture_asks_in_a_field_of_a_kind(client: Client) -> None:
    content = client.get("/search/").content.decode()
    assert 'action="/studio/analyse/"' in content
    assert 'name="picture_image"' in content
    assert ("analyse", "image") in FIELDS
