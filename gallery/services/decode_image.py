"""A program, not a module: decodes one untrusted picture and encodes it anew.

    python -I decode_image.py < upload > result

It is started as a process of its own (:mod:`gallery.services.images`), takes memory and time limits for
itself before it loads the decoder, and imports nothing of the project. The result is one line of JSON,
``{"width", "height", "extension"}``, and the bytes of the new file; or ``{"error", "detail"}`` alone.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
import zlib
from typing import IO, Any

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 10
OUTPUT_BYTES = 64 << 20
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
MAX_PIXELS = 64_000_000
"""A telephone's 48 and 50 megapixels pass; 64 million RGBA pixels are 256 MB while they are flattened."""
LONGEST = 2048
SHORTEST = 16
MAX_ICC_BYTES = 4 << 20
LOSSLESS_PIXELS = 1_000_000
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
PNG_KEPT = frozenset((b"tRNS", b"iCCP", b"gAMA", b"sRGB", b"cHRM", b"eXIf"))
"""Chunks beside the needed ones that say something about pixels."""


class Refused(Exception):
    """The picture is not taken; the argument is the code."""


def take_limits() -> None:
    """Limit this process for good."""
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, OUTPUT_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def normalise(source: IO[bytes]) -> tuple[dict[str, Any], bytes]:
    """The picture upright, in sRGB, on white, at most 2048 px, without any metadata: (facts, file)."""
    from PIL import Image, PngImagePlugin, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # our own limit is lower and comes before the pixels are read
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_ICC_BYTES  # of profiles: texts are left out
    head, plain = source.read(12), b""
    source.seek(0)
    if head.startswith(PNG_SIGNATURE):
        plain = plain_png(source.read())
        source = io.BytesIO(plain)
    elif head[4:8] == b"ftyp" and not head[8:12].startswith(b"avi"):
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)
    try:
        image: Any = Image.open(source, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Refused("damaged") from error
    if image.width * image.height > MAX_PIXELS:
        raise Refused("too_many_pixels")
    if min(image.size) < SHORTEST or SHORTEST * max(image.size) > LONGEST * min(image.size):
        raise Refused("too_small")
    lossless = image.format != "JPEG" and image.width * image.height <= LOSSLESS_PIXELS
    image.draft(None, (LONGEST, LONGEST))  # a JPEG may be decoded at a half, quarter or eighth
    opaque = _opaque(image, plain)
    # Looking for the orientation of a PNG reads its pixels.
    orientation, profile = _orientation(image), image.info.get("icc_profile")
    image.load()  # of an animation, the first frame; the others are never decoded
    if opaque is not None:
        image.info.pop("transparency")
        image = _flattened(image).convert("RGB")
        image.putalpha(opaque)
    image = _flattened(_reduced(image))
    image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
    image = _in_srgb(image, profile)
    if orientation is not None:
        image = image.transpose(orientation)
    clean = Image.new("RGB", image.size)
    clean.paste(image)
    target = io.BytesIO()
    if lossless:
        clean.save(target, "PNG")
    else:
        clean.save(target, "JPEG", quality=92, subsampling=0)
    facts = {"width": clean.width, "height": clean.height, "extension": "png" if lossless else "jpg"}
    return facts, target.getvalue()


def plain_png(data: bytes) -> bytes:
    """The PNG with what decides its pixels, colours and orientation, and nothing else.

    Long texts, damaged ones and a missing end are nothing to a browser, and so they are here. Raises Refused
    for a chunk that matters and is damaged.
    """
    kept, at, ended = [PNG_SIGNATURE], len(PNG_SIGNATURE), False
    while not ended and at + 12 <= len(data):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + size
        whole = end <= len(data)
        body = data[at + 8 : end - 4]
        sound = whole and zlib.crc32(kind + body) == int.from_bytes(data[end - 4 : end], "big")
        needed = kind[:1].isupper()
        if needed and not sound:
            raise Refused("damaged")
        if needed or (sound and kind in PNG_KEPT and (kind != b"iCCP" or _is_short(body))):
            kept.append(data[at:end])
        ended = kind == b"IEND"
        at = end
    return b"".join(kept) if ended else b"".join((*kept, PNG_END))


def _is_short(body: bytes) -> bool:
    """Whether a compressed profile (name, NUL, method, data) is within MAX_ICC_BYTES."""
    try:
        decompressor = zlib.decompressobj()
        decompressor.decompress(body.partition(b"\0")[2][1:], MAX_ICC_BYTES)
    except zlib.error:
        return False
    return not decompressor.unconsumed_tail


def _opaque(image: Any, data: bytes) -> Any:
    """The alpha of a 16-bit PNG with a transparent colour, before it is loaded; None for any other picture.

    Pillow compares that colour, of 16 bits, with pixels of 8. Here both bytes of each channel are compared.
    """
    from PIL import ImageChops, ImageMath, PngImagePlugin

    colour = image.info.get("transparency")
    if image.format != "PNG" or isinstance(colour, bytes | None) or "16B" not in str(image.tile[0].args):
        return None
    if isinstance(colour, int):
        grey = image.convert("I")
        return ImageMath.lambda_eval(lambda a: a["convert"]((a["grey"] != colour) * 255, "L"), grey=grey)
    transparent: Any = None
    # The raw mode of the other byte order gives the low bytes.
    for mode, shift in (("RGB;16B", 8), ("RGB;16L", 0)):
        part: Any = PngImagePlugin.PngImageFile(io.BytesIO(data))
        part.tile = [part.tile[0]._replace(args=mode)]
        part.load()
        for channel, value in zip(part.split(), colour, strict=True):
            byte = value >> shift & 255
            same = channel.point([255 if level == byte else 0 for level in range(256)])
            transparent = same if transparent is None else ImageChops.darker(transparent, same)
    return ImageChops.invert(transparent)


def _orientation(image: Any) -> Any:
    from PIL import Image

    turn = Image.Transpose
    try:
        value = image.getexif().get(0x0112)
    except Exception:  # EXIF is written by anybody; one that cannot be read says nothing
        return None
    return {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }.get(value)


def _reduced(image: Any) -> Any:
    """A very large picture by a whole factor, in one cheap pass before the expensive ones."""
    factor = max(image.size) // LONGEST
    if factor < 2 or image.mode not in ("RGB", "RGBA", "L", "CMYK") or "transparency" in image.info:
        return image
    if image.mode != "RGBA":
        return image.reduce(factor)
    # Weighted by alpha: what is transparent has no colour to mix in.
    return image.convert("RGBa").reduce(factor).convert("RGBA")


def _flattened(image: Any) -> Any:
    """8 bits a channel without transparency: RGB, L or CMYK."""
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit grey: a plain convert would clip everything above 255 to white.
        image = image.point(lambda value: value * (1 / 256)).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    if image.mode in ("RGB", "L", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _in_srgb(image: Any, profile: bytes | None) -> Any:
    """RGB pixels in sRGB. A profile that is broken, huge or for other channels counts as none."""
    from PIL import ImageCms

    if profile and len(profile) <= MAX_ICC_BYTES:
        try:
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(
                opened.profile.xcolor_space.strip()
            ) == image.mode:
                image = ImageCms.profileToProfile(
                    image, opened, ImageCms.createProfile("sRGB"), outputMode="RGB"
                )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass
    return image.convert("RGB")


def main() -> None:
    """Read standard input, write standard output."""
    take_limits()
    warnings.simplefilter("ignore")
    try:
        facts, data = normalise(io.BytesIO(sys.stdin.buffer.read()))
    except Refused as refusal:
        facts, data = {"error": str(refusal), "detail": ""}, b""
    except MemoryError:
        facts, data = {"error": "too_complex", "detail": "memory"}, b""
    except Exception as error:  # decoders raise nearly everything on damaged files
        facts, data = {"error": "damaged", "detail": f"{type(error).__name__}: {error}"[:300]}, b""
    sys.stdout.buffer.write(json.dumps(facts).encode() + b"\n" + data)


if __name__ == "__main__":
    main()
