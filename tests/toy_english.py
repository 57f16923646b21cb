"""The English poems of the toy that writes verse: always the same lines, told as the engine tells them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

LINES = (
    "The moon is bright above the sea",
    "And silver on the sleeping town,",
    "It will not come again to me",
)
FORMS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "heroic": ("Heroic couplets", "AABBCC", (6,)),
    "ballad": ("Ballad", "-A-A-B-B", (4, 4)),
    "quatrain": ("Quatrain", "ABAB", (4,)),
    "limerick": ("Limerick", "AABBA", (5,)),
    "haiku": ("Haiku", "---", (3,)),
    "sonnet": ("Shakespearean sonnet", "ABABCDCDEFEFGG", (4, 4, 4, 2)),
}
"""Slug -> name, rhyme scheme, lines of each stanza."""

_STRESSES = {"silver": "10", "above": "01", "again": "01", "sleeping": "10"}


def is_english(parameters: Mapping[str, Any]) -> bool:
    """Whether an English poem is asked for."""
    return parameters.get("form") in FORMS


def lines_of(parameters: Mapping[str, Any]) -> tuple[str, ...]:
    """Lines that the draft gives stay, of those that it gives the end of the rest is found. Else none."""
    if not is_english(parameters):
        return ()
    _name, scheme, _stanzas = FORMS[str(parameters["form"])]
    lines = [LINES[number % len(LINES)] for number in range(len(scheme))]
    for number, given in enumerate(str(parameters.get("opening", "")).split("/")[: len(lines)]):
        if given.startswith("_"):
            lines[number] = f"And so {given.removeprefix('_').strip()}"
        elif given.strip():
            lines[number] = given.strip()
    return tuple(lines)


def details_of(parameters: Mapping[str, Any], lines: Sequence[str]) -> dict[str, Any]:
    """What the engine tells of a poem."""
    slug = str(parameters["form"])
    name, scheme, stanzas = FORMS[slug]
    told = [_pieces(line) for line in lines]
    common = {"language": "en", "scheme": scheme, "stanzas": list(stanzas)}
    return {
        "form": slug,
        "form_name": name,
        "author": str(parameters.get("english_poet", "any")).removeprefix("any"),
        "acrostic": str(parameters.get("acrostic", "")),
        "theme": ["moon"],
        **common,
        "craft": {
            "format": 2,
            "templates": [("ws" * 10)[: sum(len(piece["stress"]) for piece in line)] for line in told],
            "lines": told,
            "given": [],
            "relaxed": [],
            **common,
        },
    }


def _pieces(line: str) -> list[dict[str, Any]]:
    """Words and marks in reading order, the end mark last even where there is none."""
    texts = re.findall(r"[\w'’]+|[,;:.!?]", line)
    if texts[-1][0].isalnum():
        texts.append("")
    return [
        {
            "text": text,
            "stress": _STRESSES.get(text, "1"),
            "options": [["star", 0.31], [text, 0.2], ["wind", 0.004]],
        }
        if text[:1].isalnum()
        else {"text": text, "stress": "", "options": [[text, 0.6], [";", 0.2]]}
        for text in texts
    ]
