"""Complete parameters of a kind, as the runner hands them to an engine."""

from __future__ import annotations

from typing import Any

from gallery import kinds


def complete(kind: str, /, **given: Any) -> dict[str, Any]:
    """``given`` and, for every other parameter of ``kind``, its default. ``given`` is not checked."""
    return kinds.kind(kind).complete(given)
