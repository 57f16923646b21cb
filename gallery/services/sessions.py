"""Rules of sign-in sessions."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings


def expired_sessions_sweep() -> None:
    """Delete the sessions that have expired, so that their table does not only grow."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
