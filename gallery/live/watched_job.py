"""What one socket has told its page about one job, so that nothing older is sent after something newer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gallery.live.messages import CONTENT, Envelope
from gallery.presentation.payloads import without_content


@dataclass(slots=True)
class WatchedJob:
    """One job that the page watches, and what it has been told.

    ``reads``: whether its person may know what the job is about; operators only see how it stands.
    """

    reads: bool = False
    seq: int = -1
    final: bool = False
    newest: dict[tuple[str, object], tuple[int, int]] = field(default_factory=dict)
    standing: Mapping[str, Any] | None = None

    def is_news(self, message: Envelope) -> bool:
        """Whether the page may and does not know this yet; takes note of it."""
        if message["type"] in CONTENT and not self.reads:
            return False
        kind, seq, data = message["type"], message["seq"], message["data"]
        if kind == "job.state":
            if seq <= self.seq:
                return False
            self.seq, self.final = seq, bool(data["final"])
            return True
        if kind in ("job.progress", "job.preview", "job.text"):
            slot, age = (kind, data.get("index")), (seq, int(data["tick"]))
            if self.final or age <= self.newest.get(slot, (-1, -1)):
                return False
            self.newest[slot] = age
        return True

    def readable(self, message: Envelope) -> Envelope:
        """The message without what its person may not know."""
        if self.reads or message["type"] != "job.state":
            return message
        return {**message, "data": without_content(message["data"])}
