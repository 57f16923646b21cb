"""Rows for tests of the web side: people, jobs and works as the services would have left them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

from django.contrib.auth.models import Permission
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.fields.files import FieldFile
from django.utils import timezone
from PIL import Image

from gallery import kinds
from gallery.models import (
    Artwork,
    Embedding,
    Job,
    JobInput,
    JobState,
    Lineage,
    Moderation,
    Upload,
    User,
    Visibility,
    Worker,
)
from gallery.services.embeddings import Vector, embedding_row

PASSWORD = "correct horse"
POEM = "江上秋风送客舟\n月明千里照离愁\n不知今夜孤帆影\n又落芦花第几洲"
DIGEST = "5a" * 32
SEEING = "5e" * 32


def make_user(username: str = "", permissions: tuple[str, ...] | list[str] = (), **fields: Any) -> User:
    """Somebody with an account whose password is :data:`PASSWORD`."""
    user = User.objects.create_user(username or f"person-{uuid.uuid4().hex[:8]}", password=PASSWORD, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def name_of(file: FieldFile) -> str:
    """The name in the storage of a file that is there."""
    assert file.name
    return file.name


def png(width: int = 64, height: int = 64, colour: str = "#7a8c99") -> bytes:
    """A real, flat PNG file."""
    buffer = BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "PNG")
    return buffer.getvalue()


def webp(width: int = 64, height: int = 64, colour: str = "#7a8c99") -> bytes:
    """A real, flat WebP file."""
    buffer = BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "WEBP")
    return buffer.getvalue()


def make_job(owner: User, kind: str = "paint", state: str = JobState.QUEUED, **fields: Any) -> Job:
    """A job in ``state`` with the kind's defaults; ``parameters`` are laid over them."""
    spec = kinds.kind(kind)
    parameters = {param.name: param.default for param in spec.params}
    parameters.update(fields.pop("parameters", {}))
    now = timezone.now()
    values: dict[str, Any] = {
        "owner": owner,
        "kind": kind,
        "queue": spec.queue,
        "parameters": parameters,
        "seed": 42,
        "batch_key": spec.batch_key(parameters),
        "idempotency_key": uuid.uuid4().hex,
        "state": state,
        "created_at": now,
        "started_at": None if state in (JobState.QUEUED, JobState.EXPIRED) else now,
        "finished_at": now if state in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED) else None,
    }
    return Job.objects.create(**{**values, **fields})


def artwork_row(owner: User, kind: str = "paint", **fields: Any) -> Artwork:
    """An unsaved work without files, for ``bulk_create``: a picture, or a poem for the kind ``verse``."""
    now: datetime = fields.pop("created_at", None) or timezone.now()
    spec = kinds.kind(kind)
    parameters = {param.name: param.default for param in spec.params} | {"prompt": fields.get("prompt", "")}
    poem = spec.makes == "poem"
    listed = fields.get("visibility") == Visibility.PUBLIC
    values: dict[str, Any] = {
        "owner": owner,
        "kind": kind,
        "prompt": "a quiet river at dawn",
        "file": "" if poem else "artworks/flat.png",
        "thumbnail": "" if poem else "artworks/flat.webp",
        "width": 0 if poem else 64,
        "height": 0 if poem else 64,
        "size": len(POEM.encode()) if poem else 200,
        "sha256": hashlib.sha256(str(fields).encode()).hexdigest(),
        "colour": "" if poem else "#7a8c99",
        "text": POEM if poem else "",
        "recipe": {
            "kind": kind,
            "parameters": parameters,
            "seed": 42,
            "index": fields.get("index", 0),
            "inputs": {},
            "model": f"{kind}-test",
            "digest": DIGEST,
        },
        "model_digest": DIGEST,
        "created_at": now,
        "published_at": now if listed else None,
    }
    return Artwork(**{**values, **fields})


def make_artwork(owner: User, kind: str = "paint", **fields: Any) -> Artwork:
    """A saved work with real files; private and pending unless ``fields`` say otherwise."""
    artwork = artwork_row(owner, kind, **fields)
    if artwork.kind != "verse" and "file" not in fields:
        artwork.width, artwork.height = fields.get("width", 64), fields.get("height", 64)
        data = png(artwork.width, artwork.height)
        artwork.sha256, artwork.size = hashlib.sha256(data).hexdigest(), len(data)
        stem = f"artworks/{artwork.id}"
        artwork.file.name = default_storage.save(f"{stem}.png", ContentFile(data))
        artwork.thumbnail.name = default_storage.save(
            f"{stem}.webp", ContentFile(webp(artwork.width, artwork.height))
        )
    artwork.save()
    return artwork


def make_listed(owner: User, kind: str = "paint", **fields: Any) -> Artwork:
    """A work that everybody finds in the gallery."""
    values = {"visibility": Visibility.PUBLIC, "moderation": Moderation.APPROVED, **fields}
    return make_artwork(owner, kind, **values)


def make_upload(owner: User, **fields: Any) -> Upload:
    """A picture that somebody brought."""
    data = png(fields.get("width", 64), fields.get("height", 64))
    values: dict[str, Any] = {
        "owner": owner,
        "width": 64,
        "height": 64,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "created_at": timezone.now(),
    }
    upload = Upload(**{**values, **fields})
    upload.file.name = default_storage.save(f"uploads/{upload.id}.png", ContentFile(data))
    upload.save()
    return upload


def make_input(job: Job, role: str, picture: Upload | Artwork) -> JobInput:
    """The picture that a job takes."""
    key = "upload" if isinstance(picture, Upload) else "artwork"
    return JobInput.objects.create(job=job, role=role, **{key: picture})


def make_lineage(
    child: Artwork, parent: Artwork | None, relation: str = "image", weight: float | None = None
) -> Lineage:
    """An edge from a work to what it was made from."""
    return Lineage.objects.create(child=child, parent=parent, relation=relation, weight=weight)


def make_embedding(artwork: Artwork, numbers: Sequence[float] = (1.0,), digest: str = SEEING) -> Embedding:
    """Where a picture lies: ``numbers`` are filled up with small ones to 256."""
    rest = [0.01] * (Embedding.LENGTH - len(numbers))
    row = embedding_row(artwork, Vector.of([*numbers, *rest], digest))
    row.save()
    return row


def make_worker(name: str = "worker-1", **fields: Any) -> Worker:
    """A worker that was seen just now and serves every queue."""
    now = timezone.now()
    values: dict[str, Any] = {
        "name": name,
        "host": "studio",
        "pid": 4242,
        "device": "cpu",
        "queues": list(kinds.QUEUES),
        "started_at": now,
        "seen_at": now,
    }
    return Worker.objects.create(**{**values, **fields})
