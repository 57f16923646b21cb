"""Pictures that people bring: within their quota, kept while a job uses them, swept otherwise."""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gallery.errors import Problem
from gallery.models import Artwork, Upload, User
from gallery.models.job import FINAL
from gallery.services import files, storage
from gallery.services.images import CleanPicture, PictureRejected, picture_normalise

log = logging.getLogger(__name__)

FOLDER = "uploads"
KEEP_UNUSED = timedelta(hours=24)


@storage.saving()
def upload_create(*, owner: User, file: File[bytes]) -> Upload:
    """Take a picture, re-encoded. The same picture brought again is the same upload.

    Raises PictureRejected with a code and a sentence for the visitor, and CannotSave.
    """
    storage.check_room()
    _check_quota(owner, 0)
    picture = picture_normalise(file)
    sha256 = hashlib.sha256(picture.data).hexdigest()
    known = _known(owner, sha256)
    if known is not None:
        return known
    upload = _new_row(owner, picture, sha256)
    name = upload.file.name or ""
    files.file_save(name, picture.data)
    try:
        with transaction.atomic():
            # The owner's row is held, so that two uploads at once cannot both take the last space.
            User.objects.select_for_update().get(pk=owner.pk)
            _check_quota(owner, upload.size)
            upload.save(force_insert=True)
    except BaseException:
        files.files_delete([name])
        raise
    return upload


class UploadInUse(Problem):
    """A job that waits or is at work takes this picture."""

    def __init__(self) -> None:
        super().__init__("in_use", _("A job needs this picture: cancel it first, or wait until it is done."))


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes that a person's uploads and works take, and how many they may."""

    uploads: int
    uploads_limit: int
    works: int
    works_limit: int


def space_of(owner: User) -> Space:
    """How much of their space a person uses."""
    works: int | None = Artwork.objects.filter(owner=owner).aggregate(total=Sum("size"))["total"]
    return Space(
        quota_used(owner), settings.ARTSITE_UPLOAD_QUOTA_BYTES, works or 0, settings.ARTSITE_WORKS_QUOTA_BYTES
    )


def upload_delete(*, upload: Upload) -> None:
    """Delete a picture with its file. Works made from it stay. Raises UploadInUse."""
    with transaction.atomic():
        held = Upload.objects.select_for_update().filter(pk=upload.pk).first()
        if held is None:
            return
        if held.used_by.exclude(job__state__in=FINAL).exists():
            raise UploadInUse
        files.files_delete_on_commit([held.file.name or ""])
        held.delete()


def quota_used(owner: User) -> int:
    """Bytes that a person's uploads take."""
    total: int | None = Upload.objects.filter(owner=owner).aggregate(total=Sum("size"))["total"]
    return total or 0


def unused_uploads_sweep(older_than: timedelta = KEEP_UNUSED) -> int:
    """Delete uploads that no job took within ``older_than``, and files without a row. How many uploads."""
    cutoff = timezone.now() - older_than
    deleted = 0
    for pk in list(Upload.objects.filter(created_at__lt=cutoff, used_by=None).values_list("pk", flat=True)):
        with transaction.atomic():
            # Held and asked again: a job may have taken it just now.
            upload = Upload.objects.select_for_update().filter(pk=pk).first()
            if upload is None or upload.created_at >= cutoff or upload.used_by.exists():
                continue
            files.files_delete_on_commit([upload.file.name or ""])
            upload.delete()
            deleted += 1
    for shard in files.shards(FOLDER):
        known = set(
            Upload.objects.filter(pk__in=files.shard_keys(FOLDER, shard)).values_list("pk", flat=True)
        )
        files.files_delete(files.files_orphaned(FOLDER, known, shard, timezone.now() - timedelta(hours=1)))
    if deleted:
        log.info("deleted %d uploads that no job used", deleted)
    return deleted


def _check_quota(owner: User, more: int) -> None:
    used = quota_used(owner)
    limit = settings.ARTSITE_UPLOAD_QUOTA_BYTES
    if used + more > limit or (more == 0 and used >= limit):
        raise PictureRejected("quota", f"user {owner.pk}: {used} + {more} of {limit} bytes")


def _known(owner: User, sha256: str) -> Upload | None:
    with transaction.atomic():
        upload = Upload.objects.select_for_update().filter(owner=owner, sha256=sha256).first()
        if upload is not None:
            upload.created_at = timezone.now()  # its day starts anew
            upload.save(update_fields=["created_at"])
    return upload


def _new_row(owner: User, picture: CleanPicture, sha256: str) -> Upload:
    upload = Upload(
        id=uuid.uuid4(),
        owner=owner,
        width=picture.width,
        height=picture.height,
        size=len(picture.data),
        sha256=sha256,
        created_at=timezone.now(),
    )
    upload.file.name = files.file_name(FOLDER, upload.pk, picture.extension)
    return upload
