"""Errors of the rules: each has a stable code for programs and one sentence for the visitor."""

from __future__ import annotations

from gallery.kinds import Text


def storable(text: str) -> str:
    """Text that every database takes: an exception's message may hold anything."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "?")


class Problem(Exception):
    """A rule says no. ``code`` is stable; ``visitor`` may be shown to anybody; ``str()`` is for the log."""

    code = "refused"
    visitor: Text = ""

    def __init__(self, code: str, visitor: Text, operator: str = "") -> None:
        super().__init__(f"{code}: {operator}" if operator else code)
        self.code = code
        self.visitor = visitor
