"""Reads of the moderators: works that wait for a decision, and the log of decisions."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from gallery.models import Artwork, Moderation, ModerationAction, ModerationEntry, Visibility
from gallery.permissions import Person
from gallery.selectors.pagination import Page, keyset_page


def to_review(onward: str = "", back: str = "", size: int = 24) -> Page[Artwork]:
    """Public works that wait for a moderator, oldest first."""
    waiting = Artwork.objects.filter(visibility=Visibility.PUBLIC, moderation=Moderation.PENDING)
    return keyset_page(
        waiting.select_related("owner"),
        field="published_at",
        size=size,
        onward=onward,
        back=back,
        newest_first=False,
    )


def review_count() -> int:
    """How many public works wait for a moderator."""
    return Artwork.objects.filter(visibility=Visibility.PUBLIC, moderation=Moderation.PENDING).count()


def moderation_log(onward: str = "", back: str = "", size: int = 50) -> Page[ModerationEntry]:
    """What moderators did, newest first."""
    entries = ModerationEntry.objects.select_related("artwork", "moderator", "undoes", "undone_by")
    return keyset_page(entries, field="created_at", size=size, onward=onward, back=back)


def last_decision(moderator: Person) -> ModerationEntry | None:
    """The moderator's newest decision, while it can still be undone and is fresh in mind."""
    entry = (
        ModerationEntry.objects.filter(
            moderator_id=moderator.pk, created_at__gt=timezone.now() - timedelta(minutes=15)
        )
        .select_related("artwork")
        .order_by("-created_at", "-pk")
        .first()
    )
    if entry is None or entry.action == ModerationAction.UNDO or entry.artwork is None:
        return None
    return entry
