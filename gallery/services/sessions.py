"""Sign-ins that have ended."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings


def expired_sessions_sweep() -> None:
    """Delete the sessions that have run out: nobody comes back to them, and their table only grows."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
