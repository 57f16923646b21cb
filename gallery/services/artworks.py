"""Rules that make, show, name and delete artworks."""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from PIL import Image

from gallery import kinds, permissions
from gallery.errors import Problem
from gallery.kinds import clean_text
from gallery.models import Artwork, Embedding, Job, JobInput, Lineage, Moderation, User, Visibility
from gallery.services import files, provenance
from gallery.services.embeddings import Vector, embedding_row

log = logging.getLogger(__name__)

FOLDER = "artworks"
TITLE_LENGTH = 200


class ArtworkProblem(Problem):
    """What cannot be done with a work. Codes: ``invalid_visibility``, ``invalid_title``, ``removed``."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A finished picture as the runner hands it over: any PIL image, and JSON-safe facts about it.

    ``generated`` False: no network made it; it was only looked at.
    """

    image: Image.Image
    details: Mapping[str, Any] = field(default_factory=dict)
    generated: bool = True
    embedding: Vector | None = None


@dataclass(frozen=True, slots=True)
class AnimationFile:
    """A finished seamless loop as the runner hands it over: the first frame, the loop as an animated WebP
    and as an MP4, how many frames it has and how long they last."""

    poster: Image.Image
    loop: bytes
    video: bytes
    frames: int
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)
    embedding: Vector | None = None


@dataclass(frozen=True, slots=True)
class PoemText:
    """A finished poem as the runner hands it over."""

    lines: tuple[str, ...]
    title: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


Output = PictureFile | AnimationFile | PoemText


@dataclass(frozen=True, slots=True)
class PreparedArtwork:
    """An artwork whose files are written and whose rows are not saved yet."""

    artwork: Artwork
    parents: tuple[Lineage, ...] = ()
    embedding: Vector | None = None


def artworks_build(job: Job, outputs: Sequence[Output]) -> list[PreparedArtwork]:
    """Write the files of ``outputs`` and return the rows for :func:`artworks_save`.

    Reads ``job.model_name`` and ``job.model_digest``, so they must be set. Each file carries its recipe, and
    the mark of AI unless no network made it. ``details["weights"]`` (role -> share) go into the lineage.
    Raises OSError when the disk refuses; then no file of this call stays.
    """
    inputs = list(job.inputs.select_related("upload", "artwork"))
    sources = {given.role: _source(given) for given in inputs}
    prepared: list[PreparedArtwork] = []
    try:
        for index, output in enumerate(outputs):
            artwork = _new_row(job, index, sources)
            artwork.details = dict(output.details)
            embedding = None if isinstance(output, PoemText) else output.embedding
            prepared.append(PreparedArtwork(artwork, _edges(artwork, inputs), embedding))
            if isinstance(output, PictureFile):
                artwork.generated = output.generated or _shows_generated(inputs)
                _write_picture(artwork, output.image)
            elif isinstance(output, AnimationFile):
                _write_animation(artwork, output)
            else:
                _write_poem(artwork, output)
    except BaseException:
        artworks_discard(prepared)
        raise
    return prepared


def artworks_save(prepared: Iterable[PreparedArtwork]) -> list[Artwork]:
    """Save the rows. The caller's transaction closes the job with them.

    A parent that was deleted while its child was made leaves a stub, as one that is deleted later does.
    """
    prepared = list(prepared)
    artworks = Artwork.objects.bulk_create([item.artwork for item in prepared])
    edges = [edge for item in prepared for edge in item.parents]
    parents = Artwork.objects.filter(pk__in={edge.parent_id for edge in edges})
    # Held, so that none of them goes before the edges are committed.
    there = set(parents.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))
    for edge in edges:
        if edge.parent_id not in there:
            edge.parent = None
    Lineage.objects.bulk_create(edges)
    Embedding.objects.bulk_create(
        embedding_row(item.artwork, item.embedding) for item in prepared if item.embedding is not None
    )
    return artworks


def artworks_discard(prepared: Iterable[PreparedArtwork]) -> None:
    """Delete the files of works that nobody tried to save.

    Not after a save whose outcome is unknown: it may have been committed. The sweep of orphans takes those.
    """
    for item in prepared:
        files.files_delete(_file_names(item.artwork))


def artwork_set_visibility(*, artwork: Artwork, visibility: str, by: User) -> Artwork:
    """Show a work to nobody, to whoever has the link, or to everybody (once it is approved).

    A decision of the moderators stays: hiding a rejected work and showing it again does not clear it.
    Raises PermissionDenied, ArtworkProblem.
    """
    if visibility not in Visibility.values:
        raise ArtworkProblem("invalid_visibility", _("Choose private, unlisted or public."), repr(visibility))
    with transaction.atomic():
        current = _locked(artwork, by)
        if current.moderation == Moderation.REMOVED and visibility != Visibility.PRIVATE:
            raise ArtworkProblem("removed", _("The moderators took this work down; it can only be private."))
        if visibility == Visibility.PUBLIC and current.visibility != Visibility.PUBLIC:
            current.published_at = timezone.now()
        current.visibility = visibility
        current.save(update_fields=["visibility", "published_at"])
    return current


def artwork_rename(*, artwork: Artwork, title: str, by: User) -> Artwork:
    """Give a work a title of at most 200 characters; empty takes it away.

    The title is part of what moderators decided on: another one puts a work that was approved or rejected
    back into their queue. What was removed stays removed.
    Raises PermissionDenied, ArtworkProblem.
    """
    cleaned = clean_text(title)
    if len(cleaned) > TITLE_LENGTH:
        raise ArtworkProblem(
            "invalid_title", _("At most %(limit)d characters.") % {"limit": TITLE_LENGTH}, f"{len(cleaned)}"
        )
    with transaction.atomic():
        current = _locked(artwork, by)
        if cleaned != current.title:
            if current.moderation in (Moderation.APPROVED, Moderation.REJECTED):
                current.moderation = Moderation.PENDING
                current.moderation_reason = current.moderation_note = ""
            current.title = cleaned
            current.save(update_fields=["title", "moderation", "moderation_reason", "moderation_note"])
    return current


def artwork_delete(*, artwork: Artwork, by: User) -> None:
    """Delete a work with its files. Its children keep a stub in their lineage. Raises PermissionDenied."""
    with transaction.atomic():
        current = _locked(artwork, by)
        names = _file_names(current)
        current.delete()
        files.files_delete_on_commit(names)


def orphan_files_sweep(older_than: timedelta = timedelta(hours=1)) -> int:
    """Delete artwork files that no row owns, and temporary files, older than ``older_than``. How many."""
    cutoff = timezone.now() - older_than
    deleted = 0
    for shard in files.shards(FOLDER):
        named = files.shard_keys(FOLDER, shard)
        known = set(Artwork.objects.filter(pk__in=named).values_list("pk", flat=True))
        orphans = files.files_orphaned(FOLDER, known, shard, cutoff)
        files.files_delete(orphans)
        deleted += len(orphans)
    if deleted:
        log.info("deleted %d files that no work owns", deleted)
    return deleted


def _locked(artwork: Artwork, by: User) -> Artwork:
    """The row as it is now, held until the end of the transaction. Raises PermissionDenied."""
    current = Artwork.objects.select_for_update().filter(pk=artwork.pk).first()
    if current is None or not permissions.can_edit(by, current):
        raise PermissionDenied(f"user {by.pk} may not edit artwork {artwork.pk}")
    return current


def relation_of(kind: str, role: str) -> str:
    """What a picture in this role is to a work of the kind: ``parent`` for ``parent_1`` to ``parent_4``."""
    spec = kinds.KINDS.get(kind)
    for given in spec.inputs if spec is not None else ():
        if given.role == role and given.relation:
            return given.relation
    return re.sub(r"_\d+$", "", role)


def _file_names(artwork: Artwork) -> list[str]:
    return [file.name for file in (artwork.file, artwork.video, artwork.thumbnail) if file.name]


def _source(given: JobInput) -> dict[str, str]:
    """The picture as the recipe remembers it; nothing when it was deleted meanwhile."""
    if given.artwork is not None:
        return {"artwork": str(given.artwork_id), "sha256": given.artwork.sha256}
    if given.upload is not None:
        return {"upload": str(given.upload_id), "sha256": given.upload.sha256}
    return {}


def _shows_generated(inputs: Iterable[JobInput]) -> bool:
    """Whether one of the pictures was generated: whoever only looks at it does not take its mark away."""
    return any(given.artwork is not None and given.artwork.generated for given in inputs)


def _edges(artwork: Artwork, inputs: Iterable[JobInput]) -> tuple[Lineage, ...]:
    """One edge for each work and relation, with the share that the engine says it has."""
    weights = artwork.details.get("weights")
    edges: dict[tuple[uuid.UUID | str, str], Lineage] = {}
    for given in inputs:
        if given.upload is not None:
            continue
        relation = relation_of(artwork.kind, given.role)
        weight = _share(weights.get(given.role)) if isinstance(weights, Mapping) else None
        # A work that was deleted meanwhile leaves a stub, as one that is deleted later does.
        key = (given.artwork_id or given.role, relation)
        edge = edges.setdefault(key, Lineage(child=artwork, parent=given.artwork, relation=relation))
        if weight is not None:
            edge.weight = min(1.0, (edge.weight or 0.0) + weight)
    return tuple(edges.values())


def _share(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None


def _new_row(job: Job, index: int, sources: Mapping[str, Mapping[str, str]]) -> Artwork:
    now = timezone.now()
    visibility = job.publish_as if job.publish_as in Visibility.values else Visibility.PRIVATE
    return Artwork(
        id=uuid.uuid4(),
        owner_id=job.owner_id,
        job=job,
        index=index,
        kind=job.kind,
        prompt=job.prompt[:500],
        visibility=visibility,
        created_at=now,
        published_at=now if visibility == Visibility.PUBLIC else None,
        model_digest=job.model_digest,
        recipe={
            "kind": job.kind,
            "parameters": dict(job.parameters),
            "seed": job.seed,
            "index": index,
            "inputs": {role: dict(source) for role, source in sources.items()},
            "model": job.model_name,
            "digest": job.model_digest,
        },
    )


def _write_picture(artwork: Artwork, image: Image.Image) -> None:
    data = provenance.picture_encode(image, artwork.recipe, generated=artwork.generated)
    _write_file(artwork, data, "png", image)


def _write_animation(artwork: Artwork, animation: AnimationFile) -> None:
    # The thumbnail has the plain name.
    loop = provenance.loop_mark(animation.loop, artwork.recipe)
    _write_file(artwork, loop, "loop.webp", animation.poster)
    video = provenance.video_mark(animation.video, artwork.recipe)
    artwork.video_sha256 = hashlib.sha256(video).hexdigest()
    artwork.video.name = files.file_name(FOLDER, artwork.pk, "mp4")
    files.file_save(artwork.video.name, video)
    artwork.details.update(frames=animation.frames, seconds=animation.seconds)


def _write_file(artwork: Artwork, data: bytes, extension: str, shown: Image.Image) -> None:
    """The main file, and a thumbnail of what is ``shown``."""
    artwork.width, artwork.height = shown.size
    artwork.size = len(data)
    artwork.sha256 = hashlib.sha256(data).hexdigest()
    artwork.colour = provenance.mean_colour(shown)
    artwork.file.name = files.file_name(FOLDER, artwork.pk, extension)
    artwork.thumbnail.name = files.file_name(FOLDER, artwork.pk, "webp")
    files.file_save(artwork.file.name, data)
    small = provenance.thumbnail_encode(shown, artwork.recipe, generated=artwork.generated)
    files.file_save(artwork.thumbnail.name, small)


def _write_poem(artwork: Artwork, poem: PoemText) -> None:
    artwork.text = "\n".join(poem.lines)
    artwork.title = poem.title[:TITLE_LENGTH]
    artwork.size = len(artwork.text.encode())
    artwork.sha256 = hashlib.sha256(artwork.text.encode()).hexdigest()
