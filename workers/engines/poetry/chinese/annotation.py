"""How a poem was made: tones, rhymes, breaches, readings, alternatives.

Everything is in the order of reading and small enough to keep with the poem: at most 56 characters
with six alternatives each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers.engines.poetry.chinese import prosody, rhyme_dictionaries
from workers.engines.poetry.chinese.decoding import Draft
from workers.engines.poetry.chinese.planning import Plan
from workers.nets.chinese_verse_lstm import UNKNOWN

FORMAT = 1
_TONES = {
    prosody.TONE_UNKNOWN: "？",
    prosody.TONE_LEVEL: "平",
    prosody.TONE_OBLIQUE: "仄",
    prosody.TONE_BOTH: "通",
}
_MARKS = {0: "中", prosody.ANY: "中", prosody.LEVEL: "平", prosody.OBLIQUE: "仄", prosody.RHYME: "韵"}


def annotate(draft: Draft, plan: Plan, index: Mapping[str, int]) -> dict[str, Any]:
    """The JSON-safe facts of a finished draft. ``index``: token ids by character.

    ``tones`` and ``marks`` (what the scheme asks: 平 仄 中 韵) are one string a line; ``pinyin`` one list a
    line; ``options`` one list a character of [character, chance]; ``given``, ``tone``, ``rhyme`` and
    ``repeat`` are numbers of characters: given ones, and those that break a rule.
    """
    length = draft.form.length
    order = [slot for start in _starts(draft) for slot in range(start, start + length)]
    tokens = {
        slot: draft.forced[slot][0] if slot in draft.forced else index.get(character, UNKNOWN)
        for slot, character in enumerate(draft.text)
    }
    tones = {
        slot: int(draft.book.tones[token]) if token != UNKNOWN else prosody.TONE_UNKNOWN
        for slot, token in tokens.items()
    }
    place = {slot: number for number, slot in enumerate(order)}
    wrong = prosody.tone_breaches(tones, plan.marks)
    unrhymed = [
        slot
        for slot, token in tokens.items()
        if plan.rhyme is not None
        and plan.marks[slot] == prosody.RHYME
        and token != UNKNOWN
        and not bool(draft.book.rhymes[token, plan.rhyme])
    ]
    repeated = [slot for slot in prosody.repeats(draft.text, length) if slot not in plan.mirror]
    return {
        "format": FORMAT,
        "tones": _lines([_heard(tones[slot], plan.marks[slot]) for slot in order], length),
        "marks": _lines([_MARKS[plan.marks[slot]] for slot in order], length),
        "given": sorted(place[slot] for slot in draft.forced),
        "breaches": {
            "tone": sorted(place[slot] for slot in wrong),
            "rhyme": sorted(place[slot] for slot in unrhymed),
            "repeat": sorted(place[slot] for slot in repeated),
        },
        "options": [[[c, round(chance, 4)] for c, chance in draft.options[slot]] for slot in order],
        "pinyin": [rhyme_dictionaries.pinyin(line) for line in draft.lines],
        "relaxed": [dict(one) for one in plan.relaxed],
        "first_written": draft.form.lines - 1 if draft.swap else 0,
    }


def _starts(draft: Draft) -> list[int]:
    starts = list(range(0, draft.form.slots, draft.form.length))
    return starts[::-1] if draft.swap else starts


def _heard(tone: int, mark: int) -> str:
    """A character of both tones is heard as the place wants it."""
    if tone == prosody.TONE_BOTH and mark in (prosody.LEVEL, prosody.RHYME):
        return "平"
    if tone == prosody.TONE_BOTH and mark == prosody.OBLIQUE:
        return "仄"
    return _TONES[tone]


def _lines(signs: Sequence[str], length: int) -> list[str]:
    return ["".join(signs[i : i + length]) for i in range(0, len(signs), length)]
