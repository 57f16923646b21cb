"""What moderators decide about works. Every decision is one change and one row in the append-only log."""

from __future__ import annotations

import hashlib

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone

from gallery import kinds
from gallery.models import Artwork, Moderation, ModerationAction, ModerationEntry, User, Visibility
from gallery.permissions import can_moderate
from gallery.presentation.labels import REASONS

NOTE_LIMIT = 500


class ModerationConflict(Exception):
    """The work is no longer what the moderator saw: decided by another, made private, or deleted."""


class InvalidReason(Exception):
    """A rejection or removal needs one of the known reasons, because its author will read it."""


def artwork_approve(*, artwork: Artwork, by: User, reason: str = "", note: str = "") -> ModerationEntry:
    """A public work that waits, or was turned down, appears in the gallery.

    Raises PermissionDenied, and ModerationConflict when it is not public, is approved already, or no longer
    has the title of ``artwork``.
    """
    return _decide(
        artwork=artwork,
        by=by,
        action=ModerationAction.APPROVE,
        after=Moderation.APPROVED,
        allowed=(Moderation.PENDING, Moderation.REJECTED, Moderation.REMOVED),
        note=note,
        shown=(Visibility.PUBLIC,),
    )


def artwork_reject(*, artwork: Artwork, by: User, reason: str, note: str = "") -> ModerationEntry:
    """A public work stays out of the gallery; its author reads the reason and the note.

    Raises PermissionDenied, InvalidReason, ModerationConflict.
    """
    return _decide(
        artwork=artwork,
        by=by,
        action=ModerationAction.REJECT,
        after=Moderation.REJECTED,
        allowed=(Moderation.PENDING, Moderation.APPROVED),
        reason=_reason(reason),
        note=note,
        shown=(Visibility.PUBLIC,),
    )


def artwork_remove(*, artwork: Artwork, by: User, reason: str, note: str = "") -> ModerationEntry:
    """Nobody but its author sees the work any more, by link neither.

    A private work is nobody else's business. Raises PermissionDenied, InvalidReason, ModerationConflict.
    """
    return _decide(
        artwork=artwork,
        by=by,
        action=ModerationAction.REMOVE,
        after=Moderation.REMOVED,
        allowed=(Moderation.PENDING, Moderation.APPROVED, Moderation.REJECTED),
        reason=_reason(reason),
        note=note,
        shown=(Visibility.PUBLIC, Visibility.UNLISTED),
    )


def moderation_undo(*, entry: ModerationEntry, by: User) -> ModerationEntry:
    """Take back the latest decision: the work is again what it was before, with the reason it had then.

    Nothing comes back that nobody reviewed: its title and text must be those that were decided on. Raises
    PermissionDenied, and ModerationConflict when it was undone already, is an undo itself, is not the latest
    decision that stands, or the work has changed since.
    """
    if not can_moderate(by):
        raise PermissionDenied
    with transaction.atomic():
        if entry.action == ModerationAction.UNDO or ModerationEntry.objects.filter(undoes=entry).exists():
            raise ModerationConflict(f"entry {entry.pk} cannot be undone")
        standing = ModerationEntry.objects.filter(artwork_ref=entry.artwork_ref, undone_by=None)
        if standing.exclude(action=ModerationAction.UNDO).filter(pk__gt=entry.pk).exists():
            raise ModerationConflict(f"entry {entry.pk} is not the latest decision")
        work = Artwork.objects.select_for_update().filter(pk=entry.artwork_ref).first()
        if work is None or shown_digest(work) != entry.shown:
            raise ModerationConflict(f"artwork {entry.artwork_ref} is not what was decided on")
        earlier = (
            ModerationEntry.objects.filter(artwork_ref=entry.artwork_ref, after=entry.before, pk__lt=entry.pk)
            .order_by("-pk")
            .first()
        )
        turned_down = entry.before in (Moderation.REJECTED, Moderation.REMOVED)
        changed = Artwork.objects.filter(pk=entry.artwork_ref, moderation=entry.after).update(
            moderation=entry.before,
            moderation_reason=earlier.reason if earlier and turned_down else "",
            moderation_note=earlier.note if earlier and turned_down else "",
        )
        if not changed:
            raise ModerationConflict(f"artwork {entry.artwork_ref} is no longer {entry.after}")
        return ModerationEntry.objects.create(
            artwork_id=entry.artwork_ref,
            artwork_ref=entry.artwork_ref,
            moderator=by,
            action=ModerationAction.UNDO,
            before=entry.after,
            after=entry.before,
            undoes=entry,
            shown=entry.shown,
            created_at=timezone.now(),
        )


def shown_digest(artwork: Artwork) -> str:
    """Names what a moderator sees of a work and its author could change: the title and the text."""
    return hashlib.sha256(f"{artwork.title}\0{artwork.text}".encode()).hexdigest()


def _reason(code: str) -> str:
    if code not in REASONS:
        raise InvalidReason(f"{code!r} is not one of {', '.join(REASONS)}")
    return code


def _decide(
    *,
    artwork: Artwork,
    by: User,
    action: ModerationAction,
    after: Moderation,
    allowed: tuple[Moderation, ...],
    shown: tuple[Visibility, ...],
    reason: str = "",
    note: str = "",
) -> ModerationEntry:
    """Compare and set: two moderators who press at once make one decision."""
    if not can_moderate(by):
        raise PermissionDenied
    before = artwork.moderation
    if before not in allowed:
        raise ModerationConflict(f"artwork {artwork.pk} is {before}")
    note = kinds.clean_text(note, multiline=True)[:NOTE_LIMIT]
    with transaction.atomic():
        rows = Artwork.objects.filter(
            pk=artwork.pk, moderation=before, visibility__in=shown, title=artwork.title
        )
        if not rows.update(
            moderation=after, moderation_reason=reason, moderation_note=note if reason else ""
        ):
            raise ModerationConflict(
                f"artwork {artwork.pk} is no longer {before} and {' or '.join(shown)}, or renamed"
            )
        entry = ModerationEntry.objects.create(
            artwork_id=artwork.pk,
            artwork_ref=artwork.pk,
            moderator=by,
            action=action,
            reason=reason,
            note=note,
            before=before,
            after=after,
            shown=shown_digest(artwork),
            created_at=timezone.now(),
        )
    artwork.moderation, artwork.moderation_reason = after, reason
    artwork.moderation_note = note if reason else ""
    return entry
