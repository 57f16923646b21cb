"""The ready styles: those that the restyle network knows by heart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from django.utils.translation import get_language


@dataclass(frozen=True, slots=True)
class Style:
    """A ready style: a code that the restyle network knows by heart."""

    slug: str
    artist: str
    artist_zh: str
    title_en: str
    title_zh: str
    thumbnail: str = field(default="")

    @property
    def title(self) -> str:
        """The title in the visitor's language."""
        return self.title_zh if _in_chinese() else self.title_en

    @property
    def painter(self) -> str:
        """The artist's name in the visitor's language."""
        return self.artist_zh if _in_chinese() else self.artist


def _in_chinese() -> bool:
    return (get_language() or "en").startswith("zh")


@cache
def styles() -> tuple[Style, ...]:
    """The ready styles, from ``style_catalogue.json``."""
    rows = json.loads((Path(__file__).parents[1] / "style_catalogue.json").read_text("utf-8"))
    return tuple(Style(**row, thumbnail=f"gallery/styles/{row['slug']}.webp") for row in rows)
