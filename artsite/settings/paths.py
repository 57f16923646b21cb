"""Where the secret key and the embedded broker's socket live, and what the cookies are called."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

# struct sockaddr_un holds 108 bytes with the final NUL.
SOCKET_PATH_LIMIT = 104


def read_or_make_secret_key(data: Path) -> str:
    """The key in ``data/secret_key``; made at first use with mode 0600 in a folder of mode 0700.

    Two processes that start at once agree: the file is created exclusively, the loser reads it.
    """
    path = data / "secret_key"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii").strip()
    key = secrets.token_urlsafe(48)
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def socket_path(data: Path) -> Path:
    """The embedded broker's socket: in the data folder, or a temporary one when that path is too long."""
    path = data / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    name = hashlib.sha256(os.fsencode(data)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"artsite-{os.getuid()}-{name}" / "redis.sock"


def redis_urls(url: str, data: Path) -> tuple[Path | None, str, str, str]:
    """(socket of the embedded broker or None, broker URL, channel layer URL, cache URL)."""
    if url:
        base = url.rstrip("/")
        return None, f"{base}/0", f"{base}/1", f"{base}/2"
    path = socket_path(data)
    # A folder may have "#", "?" or "%" in its name, which mean something else in an address.
    quoted = quote(str(path))
    return path, f"redis+socket://{quoted}?virtual_host=0", f"unix://{quoted}?db=1", f"unix://{quoted}?db=2"


def cookie_prefix(secret_key: str) -> str:
    """What the names of this studio's cookies begin with: the same in all of its processes, and its own.

    Browsers share cookies between the ports of a host: with Django's names another site on this machine, or
    a second studio, would sign people out of this one.
    """
    return "artsite_" + hashlib.sha256(b"cookies" + secret_key.encode()).hexdigest()[:8]
