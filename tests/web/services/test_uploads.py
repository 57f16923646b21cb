"""Pictures that people bring, nice and nasty: what comes out is pixels and nothing else."""

from __future__ import annotations

import resource
import struct
import time
import zlib
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from gallery.models import Job, Upload, User
from gallery.services import files, images, uploads
from gallery.services.images import PictureRejected
from tests.web import factories

pytestmark = pytest.mark.django_db
GIB = 2**30
Settings = Any


@pytest.fixture(autouse=True)
def _media(tmp_path: Path, settings: Settings) -> None:
    settings.MEDIA_ROOT = str(tmp_path / "media")


@pytest.fixture(autouse=True)
def _within_limits() -> Any:
    """Whatever a file does, reading it takes less than 15 s and 1.5 GB."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 15
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert peak < 1.5 * GIB


def encoded(image: Image.Image, form: str, **options: Any) -> bytes:
    target = BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def photo(size: tuple[int, int] = (320, 200)) -> Image.Image:
    """Red left half, blue right half."""
    image = Image.new("RGB", size, "#0000ff")
    image.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    return image


def chunk(kind: bytes, data: bytes, *, sound: bool = True) -> bytes:
    checksum = zlib.crc32(kind + data) if sound else 0
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def raw_png(width: int, height: int, *, depth: int, colour: int, extra: bytes = b"") -> bytes:
    """A PNG of zeros that takes next to nothing on disk, however many pixels it has."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = b"\0" * (1 + (width * depth * channels + 7) // 8)
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(row * 64) for _ in range(height // 64))
    body += packer.compress(row * (height % 64)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def taken(data: bytes, owner: User, name: str = "picture.png") -> Image.Image:
    """The stored picture, opened."""
    upload = uploads.upload_create(owner=owner, file=SimpleUploadedFile(name, data))
    image = Image.open(BytesIO(files.file_read(upload.file.name or "", upload.sha256)))
    image.load()
    assert image.mode == "RGB"
    assert image.size == (upload.width, upload.height)
    return image


def refused(data: bytes, owner: User, name: str = "picture.png") -> str:
    """The code of the refusal."""
    with pytest.raises(PictureRejected) as refusal:
        uploads.upload_create(owner=owner, file=SimpleUploadedFile(name, data))
    assert str(refusal.value.visitor)
    assert not Upload.objects.filter(owner=owner).exists()
    return refusal.value.code


def near(pixel: Any, colour: tuple[int, int, int], tolerance: int = 6) -> bool:
    return all(abs(have - want) <= tolerance for have, want in zip(pixel, colour, strict=True))


# --- Nice ones ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_three_formats_are_taken(person: User, form: str) -> None:
    image = taken(encoded(photo(), form, quality=95), person)
    assert image.size == (320, 200)
    assert image.format == ("JPEG" if form == "JPEG" else "PNG")
    assert near(image.getpixel((40, 100)), (254, 0, 0), 12)
    assert near(image.getpixel((280, 100)), (0, 0, 254), 12)


def test_a_large_picture_is_shrunk(person: User) -> None:
    image = taken(encoded(photo((5000, 3000)), "JPEG"), person)
    assert image.size == (2048, 1229)
    assert image.format == "JPEG"


def test_a_wrong_extension_and_media_type_do_not_matter(person: User) -> None:
    data = encoded(photo(), "WEBP")
    file = SimpleUploadedFile("song.mp3", data, content_type="text/html")
    assert factories.name_of(uploads.upload_create(owner=person, file=file).file).endswith(".png")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_forgotten(person: User, orientation: int) -> None:
    """Every one of the eight orientations shows the same upright picture: red left, blue right."""
    transpose = Image.Transpose
    stored = {
        1: None,
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_90,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_270,
    }[orientation]
    original = photo() if stored is None else photo().transpose(stored)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = taken(encoded(original, "JPEG", exif=exif, quality=95), person)
    assert image.size == (320, 200)
    assert near(image.getpixel((40, 100)), (254, 0, 0), 12)
    assert image.getexif().get(0x0112) is None


def test_nothing_about_the_person_is_kept(person: User) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SECRETCAMERA"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 12.0)
    exif[0x9286] = "SECRETCOMMENT"
    data = encoded(photo(), "JPEG", exif=exif, comment=b"SECRETNOTE", xmp=b"<x>SECRETXMP</x>")
    assert b"SECRETCAMERA" in data
    upload = uploads.upload_create(owner=person, file=ContentFile(data, "IMG_SECRETNAME.jpg"))
    kept = files.file_read(upload.file.name or "")
    assert b"SECRET" not in kept
    assert "SECRET" not in (upload.file.name or "")
    with Image.open(BytesIO(kept)) as image:
        assert not image.getexif()
        assert not {"exif", "xmp", "comment", "icc_profile"} & set(image.info)


def test_colours_of_a_profile_become_srgb(person: User) -> None:
    """Linear grey 0.5 is 188 in sRGB; without its profile it would stay 128."""
    linear = _linear_profile()
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    image = taken(encoded(grey, "PNG", icc_profile=linear), person)
    assert near(image.getpixel((32, 32)), (188, 188, 188), 3)
    assert "icc_profile" not in image.info


def _linear_profile() -> bytes:
    """sRGB's profile with linear curves in the place of its own."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    linear = b"curv" + bytes(8)
    for entry in range(count):
        at = 132 + 12 * entry
        tag, offset = profile[at : at + 4], struct.unpack(">I", profile[at + 4 : at + 8])[0]
        if bytes(tag) in (b"rTRC", b"gTRC", b"bTRC"):
            profile[offset : offset + len(linear)] = linear
            profile[at + 8 : at + 12] = struct.pack(">I", len(linear))
    return bytes(profile)


def test_transparency_lies_on_white(person: User) -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    half = Image.new("RGBA", (64, 64), (0, 0, 0, 128))
    assert taken(encoded(clear, "PNG"), person).getpixel((5, 5)) == (255, 255, 255)
    assert near(taken(encoded(half, "PNG"), person).getpixel((5, 5)), (127, 127, 127), 2)
    palette = Image.new("P", (64, 64), 3)
    palette.putpalette([0, 0, 0] * 3 + [10, 200, 30] + [0, 0, 0] * 252)
    palette.paste(4, (0, 0, 32, 64))
    image = taken(encoded(palette, "PNG", transparency=4), person)
    assert image.getpixel((5, 5)) == (255, 255, 255)
    assert image.getpixel((60, 5)) == (10, 200, 30)
    grey = Image.new("LA", (64, 64), (40, 255))
    assert taken(encoded(grey, "PNG"), person).getpixel((5, 5)) == (40, 40, 40)


def test_the_edge_of_a_large_transparent_picture_is_not_dark(person: User) -> None:
    """Half opaque red, half transparent black: between them lies a paler red, and no black."""
    large = Image.new("RGBA", (6200, 64), (0, 0, 0, 0))
    large.paste((255, 0, 0, 255), (0, 0, 3101, 64))
    image = taken(encoded(large, "PNG"), person)
    assert image.width == 2048
    assert all(image.getpixel((x, 10))[0] > 250 for x in range(2048))  # type: ignore[index]


def test_cmyk_grey_and_sixteen_bits_are_read(person: User) -> None:
    cmyk = taken(encoded(Image.new("CMYK", (64, 64), (0, 255, 255, 0)), "JPEG"), person)
    assert near(cmyk.getpixel((5, 5)), (255, 0, 0), 12)
    assert near(
        taken(encoded(Image.new("L", (64, 64), 77), "JPEG"), person).getpixel((5, 5)), (77, 77, 77), 3
    )
    deep = taken(encoded(Image.new("I;16", (64, 64), 0x8000), "PNG"), person)
    assert near(deep.getpixel((5, 5)), (128, 128, 128), 1)
    bilevel = taken(encoded(Image.new("1", (64, 64), 1), "PNG"), person)
    assert bilevel.getpixel((5, 5)) == (255, 255, 255)


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_taken(person: User, form: str) -> None:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("#00ff00", "#ff0000", "#0000ff")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=50, lossless=True)
    image = taken(data, person)
    assert getattr(image, "n_frames", 1) == 1
    assert near(image.getpixel((5, 5)), (0, 255, 0))


@pytest.mark.parametrize("tail", [b"<script>alert(1)</script>", b"PK\x03\x04 a zip archive", b"\0" * 1000])
def test_a_tail_behind_the_picture_is_gone(person: User, tail: bytes) -> None:
    upload = uploads.upload_create(
        owner=person, file=ContentFile(encoded(photo(), "JPEG") + tail, "picture.jpg")
    )
    assert tail not in files.file_read(upload.file.name or "")


def test_a_picture_near_the_limit_stays_within_memory(person: User) -> None:
    image = taken(raw_png(8000, 7900, depth=8, colour=6), person)
    assert max(image.size) == 2048
    assert 2020 <= min(image.size) <= 2024
    assert image.getpixel((5, 5)) == (255, 255, 255)


# --- Nasty ones -------------------------------------------------------------------------------------------


def _huge_jpeg_header() -> bytes:
    data = bytearray(encoded(photo((64, 64)), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return bytes(data)


def _huge_webp_canvas() -> bytes:
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("#00ff00", "#ff0000")]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (16382).to_bytes(3, "little") * 2
    return bytes(data)


def _bad_checksum() -> bytes:
    data = bytearray(encoded(photo(), "PNG"))
    at = data.index(b"IDAT") + 20
    data[at] ^= 0xFF
    return bytes(data)


def _text_bomb() -> bytes:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * 200_000_000, 1))
    return raw_png(64, 64, depth=8, colour=2, extra=bomb)


NASTY: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "one pixel": (lambda: encoded(Image.new("RGB", (1, 1)), "PNG"), {"too_small"}),
    "a thread": (lambda: encoded(Image.new("RGB", (8, 10000)), "PNG"), {"too_small"}),
    "a ribbon": (lambda: raw_png(60000, 20, depth=8, colour=0), {"too_small"}),
    "65535 x 65535 JPEG": (_huge_jpeg_header, {"too_many_pixels", "damaged"}),
    "65535 x 65535 PNG": (
        lambda: raw_png(16, 16, depth=8, colour=2).replace(
            chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)),
            chunk(b"IHDR", struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)),
        ),
        {"too_many_pixels"},
    ),
    "13000 x 13000 bits": (lambda: raw_png(13000, 13000, depth=1, colour=0), {"too_many_pixels"}),
    "a huge animated canvas": (_huge_webp_canvas, {"too_many_pixels", "damaged"}),
    "truncated JPEG": (lambda: encoded(photo(), "JPEG")[:-400], {"damaged"}),
    "truncated PNG": (lambda: encoded(photo(), "PNG")[:-60], {"damaged"}),
    "truncated WebP": (lambda: encoded(photo(), "WEBP", lossless=True)[:-20], {"damaged"}),
    "a header alone": (lambda: encoded(photo(), "JPEG")[:20], {"damaged"}),
    "bad checksum": (_bad_checksum, {"damaged"}),
    "animated GIF": (
        lambda: encoded(
            Image.new("P", (200, 200)),
            "GIF",
            save_all=True,
            append_images=[Image.new("P", (200, 200), 1)] * 3,
        ),
        {"unsupported_format"},
    ),
    "SVG": (
        lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        {"unsupported_format"},
    ),
    "HTML": (lambda: b"<!doctype html><script>alert(1)</script>", {"unsupported_format"}),
    "EPS": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", {"unsupported_format"}),
    "TIFF": (lambda: encoded(photo(), "TIFF"), {"unsupported_format"}),
    "PNG magic before HTML": (lambda: b"\x89PNG\r\n\x1a\n<script>alert(1)</script>", {"damaged"}),
    "TIFF in a JPEG's clothes": (lambda: b"\xff\xd8\xff" + encoded(photo(), "TIFF"), {"damaged"}),
    "empty": (lambda: b"", {"empty"}),
    "noise": (lambda: bytes(range(256)) * 64, {"unsupported_format"}),
}


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_file_is_refused_with_its_reason(person: User, name: str) -> None:
    make, codes = NASTY[name]
    assert refused(make(), person) in codes
    assert [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("profile", [b"not a profile at all", b"\xff" * 200, b"\0" * 10_000_000])
@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_a_broken_or_huge_colour_profile_counts_as_none(person: User, profile: bytes, form: str) -> None:
    image = taken(encoded(photo(), form, icc_profile=profile), person)
    assert near(image.getpixel((40, 100)), (254, 0, 0), 12)


def test_what_unpacks_to_very_much_beside_the_pixels_is_left_out(person: User) -> None:
    for data in (encoded(photo(), "PNG", icc_profile=b"\0" * 10_000_000), _text_bomb()):
        assert min(taken(data, person).size) >= 16


def test_metadata_that_cannot_be_read_does_no_harm(person: User) -> None:
    info = PngInfo()
    info.add(b"eXIf", b"MM\x00*\xff\xff\xff\xff" + b"\xff" * 40)
    assert taken(encoded(photo(), "PNG", pnginfo=info), person).size == (320, 200)


def test_more_bytes_than_allowed_are_not_even_decoded(person: User, settings: Settings) -> None:
    settings.ARTSITE_MAX_UPLOAD_BYTES = 1000
    assert refused(encoded(photo(), "PNG") + b"\0" * 1000, person) == "too_many_bytes"


def test_a_decoder_that_takes_too_long_is_ended(person: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "WALL_SECONDS", 0.01)
    assert refused(encoded(photo(), "PNG"), person) == "too_complex"


@pytest.mark.parametrize(
    "program",
    [
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "import sys; sys.path.insert(0, {folder!r}); import pixels; pixels.take_limits(); bytearray(2 << 30)",
        "import sys; sys.path.insert(0, {folder!r}); import pixels; pixels.CPU_SECONDS = 1\n"
        "pixels.take_limits()\nwhile True: pass",
    ],
    ids=["crash", "memory", "time"],
)
def test_a_decoder_that_dies_is_a_refusal(
    person: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    script = tmp_path / "decoder.py"
    script.write_text(program.format(folder=str(images.PROGRAM.parent)))
    monkeypatch.setattr(images, "PROGRAM", script)
    assert refused(encoded(photo(), "PNG"), person) == "too_complex"


def test_when_all_decoders_are_busy_the_visitor_is_told(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "WAIT_SECONDS", 0.01)
    held = [images._decoders.acquire(blocking=False) for _ in range(images.AT_ONCE)]
    assert all(held)
    try:
        assert refused(encoded(photo(), "PNG"), person) == "busy"
    finally:
        for _ in held:
            images._decoders.release()
    taken(encoded(photo(), "PNG"), person)


# --- Space ------------------------------------------------------------------------------------------------


def test_the_same_picture_again_is_the_same_upload(person: User, stranger: User) -> None:
    data = encoded(photo(), "PNG")
    first = uploads.upload_create(owner=person, file=ContentFile(data, "a.png"))
    Upload.objects.filter(pk=first.pk).update(created_at=timezone.now() - timedelta(hours=30))
    assert uploads.upload_create(owner=person, file=ContentFile(data, "b.png")).pk == first.pk
    assert uploads.upload_create(owner=stranger, file=ContentFile(data, "a.png")).pk != first.pk
    assert uploads.unused_uploads_sweep() == 0


def test_a_person_has_so_much_space_and_no_more(person: User, stranger: User, settings: Settings) -> None:
    first = uploads.upload_create(owner=person, file=ContentFile(encoded(photo(), "PNG"), "a.png"))
    settings.ARTSITE_UPLOAD_QUOTA_BYTES = first.size + 10
    with pytest.raises(PictureRejected) as refusal:
        uploads.upload_create(owner=person, file=ContentFile(encoded(photo((300, 300)), "PNG"), "b.png"))
    assert refusal.value.code == "quota"
    assert uploads.quota_used(person) == first.size
    stored = [path for path in Path(default_storage.path("")).rglob("*") if path.is_file()]
    assert len(stored) == 1
    settings.ARTSITE_UPLOAD_QUOTA_BYTES = first.size
    taken(encoded(photo((200, 200)), "PNG"), stranger)


def test_unused_uploads_are_swept_after_a_day(
    person: User, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    used, unused, fresh = (
        uploads.upload_create(owner=person, file=ContentFile(encoded(photo((64, side)), "PNG"), "a.png"))
        for side in (64, 65, 66)
    )
    factories.make_input(factories.make_job(person, "restyle"), "image", used)
    old = timezone.now() - timedelta(hours=25)
    Upload.objects.filter(pk__in=[used.pk, unused.pk]).update(created_at=old)
    with django_capture_on_commit_callbacks(execute=True):
        assert uploads.unused_uploads_sweep() == 1
    assert set(Upload.objects.values_list("pk", flat=True)) == {used.pk, fresh.pk}
    assert not default_storage.exists(unused.file.name or "")
    assert default_storage.exists(used.file.name or "")


# --- Through the page ---------------------------------------------------------------------------------------

NAMES = [
    "../../../etc/passwd.png",
    "..\\..\\boot.ini",
    "nul\0byte.png",
    "x" * 500 + ".png",
    "x" * 4096 + ".png",
    "\u202egnp.exe",
    "<script>alert(1)</script>.png",
    "a\r\nSet-Cookie: x=1.png",
    ".htaccess",
]


@pytest.mark.parametrize("name", NAMES)
def test_our_own_name_is_used_whatever_the_file_was_called(client: Client, person: User, name: str) -> None:
    client.force_login(person)
    boundary = "limit"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="picture_image"; filename="{name}"\r\n'
    body = head.encode() + b"Content-Type: image/png\r\n\r\n" + encoded(photo(), "PNG") + b"\r\n"
    body += f'--{boundary}\r\nContent-Disposition: form-data; name="style"\r\n\r\n\r\n'.encode()
    body += f"--{boundary}--\r\n".encode()
    response = client.post(
        "/studio/restyle/", data=body, content_type=f"multipart/form-data; boundary={boundary}"
    )
    if len(name) > 1024:
        assert response.status_code == 400
        return
    # The style is missing, so the form comes back; the picture is kept for the next try.
    assert response.status_code == 422
    upload = Upload.objects.get()
    assert upload.file.name == f"uploads/{upload.pk.hex[:2]}/{upload.pk.hex}.png"


def test_a_nasty_file_is_explained_beside_its_field(client: Client, person: User) -> None:
    client.force_login(person)
    file = SimpleUploadedFile("picture.png", b"<svg/>", content_type="image/png")
    response = client.post("/studio/restyle/", {"picture_image": file})
    assert response.status_code == 422
    assert "Only JPEG, PNG, WebP, AVIF and HEIC pictures can be used." in response.content.decode()
    assert not Job.objects.exists()


# --- What browsers show is taken -----------------------------------------------------------------------


def with_chunk(extra: bytes, *, before: bytes = b"IDAT") -> bytes:
    data = encoded(photo(), "PNG")
    at = data.index(before) - 4
    return data[:at] + extra + data[at:]


LONG_TEXT = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(3_000_000)))
HUGE_PROFILE = chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(6_000_000)))
BAD_TEXT = chunk(b"tEXt", b"Comment\0hello", sound=False)
END = chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        with_chunk(LONG_TEXT),
        with_chunk(LONG_TEXT, before=b"IEND"),
        with_chunk(HUGE_PROFILE),
        with_chunk(BAD_TEXT),
        with_chunk(BAD_TEXT, before=b"IEND"),
        with_chunk(chunk(b"iCCP", b"p\0\0nonsense")),
        with_chunk(chunk(b"gAMA", b"\0\0\xb1\x8f", sound=False)),
        encoded(photo(), "PNG").removesuffix(END),
        encoded(photo(), "PNG").removesuffix(END) + END[:5],
        encoded(photo(), "PNG") + b"<?php a tail",
    ],
    ids=range(10),
)
def test_a_png_that_browsers_show_is_taken(data: bytes) -> None:
    clean = images.picture_normalise(ContentFile(data))
    with Image.open(BytesIO(clean.data)) as image:
        assert image.getpixel((10, 10)) == (255, 0, 0)
        assert image.getpixel((300, 10)) == (0, 0, 255)


@pytest.mark.parametrize("kind", [b"IDAT", b"IHDR"])
def test_a_png_whose_pixels_are_damaged_is_refused(kind: bytes) -> None:
    data = bytearray(encoded(photo(), "PNG"))
    at = data.index(kind) + 8
    data[at] ^= 1
    with pytest.raises(PictureRejected) as refused:
        images.picture_normalise(ContentFile(bytes(data)))
    assert refused.value.code == "damaged"


def deep_png(pixels: list[tuple[int, ...]], transparent: tuple[int, ...]) -> bytes:
    """A PNG of 16 bits a channel, 32 x 32 px: rows of the given pixels, repeated."""
    channels = len(transparent)
    row = b"".join(struct.pack(f">{channels}H", *pixels[x % len(pixels)]) for x in range(32))
    header = struct.pack(">IIBBBBB", 32, 32, 16, 2 if channels == 3 else 0, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for _ in range(32)))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"tRNS", struct.pack(f">{channels}H", *transparent))
        + chunk(b"IDAT", body)
        + END
    )


@pytest.mark.parametrize("channels", [3, 1])
def test_the_transparent_colour_of_a_deep_png_is_that_colour_alone(channels: int) -> None:
    def grey(value: int) -> tuple[int, ...]:
        return (value,) * channels

    # The second differs from the transparent one in its low byte only.
    pixels = [grey(0x0000), grey(0x1234), grey(0x1235), grey(0x8000)]
    clean = images.picture_normalise(ContentFile(deep_png(pixels, grey(0x1234))))
    with Image.open(BytesIO(clean.data)) as image:
        shown = [image.getpixel((x, 5)) for x in range(4)]
    assert shown == [(0, 0, 0), (255, 255, 255), (0x12,) * 3, (0x80,) * 3]


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
def test_pictures_of_telephones_are_taken(form: str) -> None:
    if form == "HEIF":
        import pillow_heif

        pillow_heif.register_heif_opener()
    data = encoded(photo((1200, 800)), form)
    clean = images.picture_normalise(ContentFile(data))
    assert (clean.width, clean.height) == (1200, 800)
    with Image.open(BytesIO(clean.data)) as image:
        assert image.convert("L").getpixel((50, 50)) == pytest.approx(76, abs=12)  # red
    with pytest.raises(PictureRejected):
        images.picture_normalise(ContentFile(data[: len(data) // 2]))


def test_too_large_names_the_limit(settings: Settings) -> None:
    settings.ARTSITE_MAX_UPLOAD_BYTES = 2**20
    with pytest.raises(PictureRejected) as refused:
        images.picture_normalise(ContentFile(bytes(2**20 + 1)))
    assert "1 MB" in str(refused.value.visitor)


def test_a_refused_picture_is_not_also_missing(person: User) -> None:
    client = Client()
    client.force_login(person)
    file = SimpleUploadedFile("a.png", b"no picture", "image/png")
    page = client.post("/studio/upscale/", {"picture_image": file}).content.decode()
    assert "pictures can be used" in page
    assert "Bring a picture." not in page
