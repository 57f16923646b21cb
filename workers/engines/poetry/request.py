"""What is asked of a poem, in whatever language."""

from __future__ import annotations

from dataclasses import dataclass

from workers.engines.request import Request

ANY = "any"
"""The value of a choice that leaves it open."""


@dataclass(frozen=True, slots=True)
class VerseRequest(Request):
    """The parameters of the kind ``verse``.

    ``opening`` is a draft. ``poet``, ``dynasty``, ``rhyme_book`` and ``rhyme`` count in Chinese forms,
    ``english_poet`` in English ones.
    """

    prompt: str
    form: str
    opening: str
    count: int
    acrostic: str
    english_poet: str
    poet: str
    dynasty: str
    rhyme_book: str
    rhyme: str
    temperature: float


def chosen(value: str) -> str:
    """The value of a choice, "" for :data:`ANY`."""
    return "" if value == ANY else value
