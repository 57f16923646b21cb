"""The first start: a one-time link that makes the administrator, instead of a default password."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from gallery.models import User


class LinkUsed(Exception):
    """The link is not valid: used, replaced by a newer one, or never made."""


def setup_link() -> str | None:
    """A path like ``/welcome/<token>/`` that makes the administrator once; None when there is one.

    Each call makes a new token of 256 random bits and ends the one before. Only its hash is kept,
    in the data folder, with mode 0600.
    """
    if User.objects.filter(is_superuser=True).exists():
        return None
    token = secrets.token_urlsafe(32)
    path = _path()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(_hash(token))
    temporary.replace(path)
    return reverse("welcome", args=[token])


def link_is_valid(token: str) -> bool:
    """Whether the token is the newest one and there is no administrator yet."""
    try:
        kept = _path().read_text("ascii").strip()
    except FileNotFoundError:
        return False
    return hmac.compare_digest(kept, _hash(token)) and not User.objects.filter(is_superuser=True).exists()


def administrator_create(*, token: str, username: str, email: str, password: str) -> User:
    """Make the administrator and end the link. The password is validated by the caller. Raises LinkUsed."""
    if not link_is_valid(token):
        raise LinkUsed
    try:
        # Of two that press at once, one removes the file: that one goes on.
        _path().unlink()
    except FileNotFoundError:
        raise LinkUsed from None
    with transaction.atomic():
        return User.objects.create_superuser(username, email=email, password=password)


def _path() -> Path:
    return Path(settings.DATA) / "welcome_token"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "ignore")).hexdigest()
