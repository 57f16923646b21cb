"""Pictures that people bring: decoded in a child process with limits, and written anew.

What comes out has the pixels of what came in and nothing else: no metadata, no second frame, no tail behind
the end of the file, no name.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from django.conf import settings
from django.core.files.base import File
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from gallery.errors import Problem

log = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("decode_image.py")
WALL_SECONDS = 12.0
WAIT_SECONDS = 20.0
AT_ONCE = 2
"""Decoders at the same time in one process: each may take a gigabyte."""

TEXTS: dict[str, str | Promise] = {
    "empty": _("The file is empty."),
    "too_many_bytes": _("The file is too large; %(limit)d MB are the most."),
    "unsupported_format": _("Only JPEG, PNG, WebP, AVIF and HEIC pictures can be used."),
    "damaged": _("The picture is damaged and cannot be read."),
    "too_many_pixels": _("The picture has too many pixels; 64 million are the most."),
    "too_small": _("The picture is too small or too narrow; each side needs at least 16 pixels."),
    "too_complex": _("The picture takes too much memory or time to read."),
    "busy": _("Too many pictures are being read right now. Try again in a moment."),
    "quota": _("Your uploads take all the space you have. Delete some under “My uploads”."),
}

BRANDS = frozenset((b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"))
"""What AVIF and HEIC files call themselves."""

_decoders = threading.BoundedSemaphore(AT_ONCE)


class PictureRejected(Problem):
    """A picture that is not taken. ``code`` is one of ``TEXTS``."""

    def __init__(self, code: str, operator: str = "") -> None:
        text = TEXTS[code]
        if code == "too_many_bytes":
            text = str(text) % {"limit": settings.ARTSITE_MAX_UPLOAD_BYTES // 2**20}
        super().__init__(code, text, operator)


@dataclass(frozen=True, slots=True)
class CleanPicture:
    """A re-encoded RGB picture: the file's bytes, ``png`` or ``jpg``, and its size in pixels."""

    data: bytes
    extension: str
    width: int
    height: int


def picture_normalise(file: File[bytes]) -> CleanPicture:
    """The picture in ``file`` upright, in sRGB, on white, at most 2048 px, as a PNG or JPEG of our own.

    Raises PictureRejected. Takes at most some 30 s and, in another process, 1 GiB of memory.
    """
    with tempfile.TemporaryFile() as source:
        _copy_within_limit(file, source)
        # The child shares the descriptor: it is read and rewound past Python's buffer, which must stay empty.
        head = os.pread(source.fileno(), 16, 0)
        if not head:
            raise PictureRejected("empty")
        if not _looks_like_picture(head):
            raise PictureRejected("unsupported_format", repr(head))
        if not _decoders.acquire(timeout=WAIT_SECONDS):
            raise PictureRejected("busy")
        try:
            os.lseek(source.fileno(), 0, os.SEEK_SET)
            return _decode(source)
        finally:
            _decoders.release()


def _copy_within_limit(file: File[bytes], target: IO[bytes]) -> None:
    copied = 0
    for chunk in file.chunks():
        copied += len(chunk)
        if copied > settings.ARTSITE_MAX_UPLOAD_BYTES:
            raise PictureRejected("too_many_bytes", f"more than {settings.ARTSITE_MAX_UPLOAD_BYTES}")
        target.write(chunk)
    target.flush()


def _looks_like_picture(head: bytes) -> bool:
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))
        or head[:4] + head[8:12] == b"RIFFWEBP"
        or (head[4:8] == b"ftyp" and head[8:12] in BRANDS)
    )


def _decode(source: IO[bytes]) -> CleanPicture:
    with tempfile.TemporaryFile() as result:
        try:
            done = subprocess.run(
                [sys.executable, "-I", str(PROGRAM)],
                stdin=source,
                stdout=result,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                timeout=WALL_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PictureRejected("too_complex", f"more than {WALL_SECONDS} s") from None
        result.seek(0)
        first = result.readline(4096)
        try:
            facts = json.loads(first)
        except ValueError:
            # Killed by a limit (negative status: the signal), or out of memory before it could say so.
            raise PictureRejected("too_complex", f"the decoder ended with {done.returncode}") from None
        if "error" in facts:
            raise PictureRejected(facts["error"], facts["detail"])
        return CleanPicture(result.read(), facts["extension"], facts["width"], facts["height"])
