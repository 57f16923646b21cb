"""Files in the storage: written whole or not at all, deleted after the commit, checked by hash."""

from __future__ import annotations

import hashlib
import logging
import os
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction

log = logging.getLogger(__name__)

PART = ".part"


class FileDamaged(Exception):
    """A file's bytes are not those that were written."""


def file_name(folder: str, key: uuid.UUID, extension: str) -> str:
    """Our own name for a file, in one of 256 folders: ``artworks/3f/3f2a....png``."""
    return f"{folder}/{key.hex[:2]}/{key.hex}.{extension}"


def file_save(name: str, data: bytes) -> None:
    """Write a file that does not exist yet: after a crash it is there whole or not at all.

    Raises OSError when the disk refuses; nothing half-written stays under ``name``.
    """
    path = _local_path(name)
    if path is None:
        default_storage.save(name, ContentFile(data))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}{PART}")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, settings.FILE_UPLOAD_PERMISSIONS)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def files_delete(names: Iterable[str]) -> None:
    """Delete files; one that is gone already, or that the disk keeps, is left to the orphan sweep."""
    for name in names:
        if name:
            try:
                default_storage.delete(name)
            except OSError as error:
                log.warning("could not delete %s: %s", name, error)


def files_delete_on_commit(names: Iterable[str]) -> None:
    """Delete files once the transaction that forgets them is committed."""
    transaction.on_commit(partial(files_delete, list(names)), robust=True)


def file_read(name: str, sha256: str = "") -> bytes:
    """The file's bytes, checked against ``sha256`` when it is given.

    Raises FileNotFoundError, and FileDamaged when the hash differs.
    """
    with default_storage.open(name) as file:
        data: bytes = file.read()
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise FileDamaged(f"{name} does not match its hash")
    return data


def file_check(name: str, sha256: str) -> None:
    """Raise FileNotFoundError or FileDamaged unless the file is as it was written.

    A local file is read again only when its size or time has changed; a remote one is trusted.
    """
    path = _local_path(name)
    if path is not None:
        stat = path.stat()
        if not _matches(name, sha256, stat.st_mtime_ns, stat.st_size):
            raise FileDamaged(f"{name} does not match its hash")


def files_orphaned(folder: str, known: set[uuid.UUID], shard: str, older_than: datetime) -> list[str]:
    """Files of one shard that no key in ``known`` owns and that are older than ``older_than``."""
    found = []
    for file in _listed(f"{folder}/{shard}")[1]:
        name = f"{folder}/{shard}/{file}"
        if _key(file) in known:
            continue
        with suppress(FileNotFoundError):  # its transaction was faster, or another sweep was
            if default_storage.get_modified_time(name) < older_than:
                found.append(name)
    return found


def shards(folder: str) -> list[str]:
    """The sub-folders that hold files."""
    return sorted(_listed(folder)[0])


def shard_keys(folder: str, shard: str) -> set[uuid.UUID]:
    """The keys that the files of one shard are named after."""
    return {key for file in _listed(f"{folder}/{shard}")[1] if (key := _key(file)) is not None}


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def _key(file: str) -> uuid.UUID | None:
    if file.startswith("."):
        return None
    with suppress(ValueError):
        return uuid.UUID(hex=file.partition(".")[0])
    return None


def _local_path(name: str) -> Path | None:
    try:
        return Path(default_storage.path(name))
    except NotImplementedError:
        return None


@lru_cache(maxsize=4096)
def _matches(name: str, sha256: str, _mtime_ns: int, _size: int) -> bool:
    with default_storage.open(name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
