"""Invitations: links with which one person each may sign up while ``ARTSITE_SIGNUP`` is ``invite``."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from gallery.models import Invitation, User

DAYS = 7


def invitation_create(*, days: int = DAYS, note: str = "") -> str:
    """A new token; only its hash is kept."""
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    Invitation.objects.create(
        digest=_digest(token), note=note[:100], created_at=now, expires_at=now + timedelta(days=days)
    )
    return token


def is_valid(token: str) -> bool:
    """Whether somebody may still sign up with it."""
    return bool(token) and _open(token).exists()


def use(token: str, person: User) -> bool:
    """Use a token up. Of two at once, one does: False for the other."""
    return bool(_open(token).update(used_by=person, used_at=timezone.now()))


def _open(token: str) -> QuerySet[Invitation]:
    return Invitation.objects.filter(digest=_digest(token), used_at=None, expires_at__gt=timezone.now())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "ignore")).hexdigest()
