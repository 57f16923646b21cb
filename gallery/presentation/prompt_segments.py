"""A prompt in pieces: those that the network understood, and the nearest known word to those it did not.

The pieces come from an engine, through a job's notes or a work's details. They are shown only when they
are whole: their texts, one after the other, are the prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gallery.models import Artwork, Job

NOTE = "understood"
"""The code of the note, and the name in a work's details."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt: ``understood`` as ``words`` of the vocabulary, ``unknown`` with the ``nearest``
    known word ("" when none is near), or ``plain`` text between them."""

    text: str
    state: Literal["understood", "unknown", "plain"]
    words: tuple[str, ...] = ()
    nearest: str = ""


def prompt_segments(source: Job | Artwork) -> list[Segment]:
    """The prompt in pieces; one plain piece when no valid pieces are known. [] when empty."""
    prompt = source.prompt
    if isinstance(source, Artwork):
        told = source.details.get(NOTE)
    else:
        notes = [note for note in source.notes if isinstance(note, Mapping) and note.get("code") == NOTE]
        told = notes[-1].get("segments") if notes else None
    segments = read_segments(told)
    if prompt and "".join(one.text for one in segments) == prompt:
        return segments
    return [Segment(prompt, "plain")] if prompt else []


def missed(told: Any) -> list[Segment]:
    """The pieces that were not understood, each once."""
    return list({one.text: one for one in read_segments(told) if one.state == "unknown"}.values())


def read_segments(told: Any) -> list[Segment]:
    """What an engine told, as segments; [] when it has another form."""
    if not isinstance(told, list):
        return []
    try:
        return [_segment(one) for one in told]
    except (TypeError, KeyError, AttributeError):
        return []


def _segment(told: Any) -> Segment:
    text = told["text"]
    if not isinstance(text, str):
        raise TypeError("a segment has text")
    if told.get("words"):
        return Segment(text, "understood", words=_strings(told["words"]))
    if "nearest" in told:
        return Segment(text, "unknown", nearest=str(told["nearest"] or ""))
    return Segment(text, "plain")


def _strings(values: Iterable[Any]) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError("words are a list")
    return tuple(str(value) for value in values)
