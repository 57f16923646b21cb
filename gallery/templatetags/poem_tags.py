"""What templates ask about poems."""

from __future__ import annotations

from uuid import uuid4

from django import template

from gallery.models import Artwork
from gallery.presentation.chinese_poem import PoemAnnotations, annotations_of
from gallery.presentation.english_poem import (
    EnglishAnnotations,
    english_annotations_of,
    is_english,
    stanza_starts,
)
from gallery.presentation.shapes import is_chinese

register = template.Library()

LEAST_LETTERS, MOST_LETTERS, LETTERS_STEP = 20, 64, 4
"""The steps that works.css has for the length of lines."""


@register.filter
def chinese_annotations(artwork: Artwork) -> PoemAnnotations | None:
    """The making of a poem, or None when nothing is known of it."""
    return annotations_of(artwork) if artwork.text else None


@register.filter
def english_annotations(artwork: Artwork) -> EnglishAnnotations | None:
    """The making of an English poem, or None when nothing is known of it."""
    return english_annotations_of(artwork) if artwork.text else None


@register.filter
def verse_language(artwork: Artwork) -> str:
    """The language of a poem as HTML names it, "" for one that nobody knows."""
    if is_english(artwork):
        return "en"
    return "zh" if is_chinese(artwork.text) else ""


@register.filter
def verse_lines(artwork: Artwork) -> list[tuple[str, bool]]:
    """The lines of a poem, each with whether it opens another stanza."""
    starts = stanza_starts(artwork)
    return [(line, number in starts) for number, line in enumerate(artwork.lines)]


@register.filter
def stanzas(artwork: Artwork) -> list[int]:
    """The numbers (from 0) of the lines that open another stanza."""
    return sorted(stanza_starts(artwork))


@register.filter
def letters(artwork: Artwork) -> int:
    """About how many letters the longest line has, for sheets on which no line shall be turned over."""
    longest = max(map(len, artwork.lines), default=0)
    return min(MOST_LETTERS, max(LEAST_LETTERS, -(-longest // LETTERS_STEP) * LETTERS_STEP))


@register.simple_tag
def fresh_key() -> str:
    """A new idempotency key: a form that is sent twice asks once."""
    return uuid4().hex
