"""Planning a poem: its tonal scheme and its rhyme, and what of a request they cannot keep.

Given characters are kept whatever they are. Where they break every scheme, the one with the fewest
breaches is taken and the breaches are reported; they are never an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.request import ChineseVerseRequest
from workers.engines.poetry.chinese.rhyme_dictionaries import RhymeBook
from workers.nets.chinese_verse_lstm import UNKNOWN

THEME_RHYME_FACTOR = 3.0
"""How much likelier a rhyme becomes for each character of the theme that belongs to it. Set by hand."""
FREE_PLACE_COST = 0.4
"""What a wrong tone counts in a place that practice leaves free, where other places count 1. Set by hand."""
LEAST_CHANCE = 1e-9
"""The weight of what is allowed but never occurs in the training poems."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``pattern`` 1..4 (0: a couplet's), ``rhyme`` an index into the book's rhymes (None: no rhyme).

    ``codes`` are what is written by; ``marks`` what the scheme asks for, given characters or not.
    ``mirror``: slots that must repeat what stands in another. ``relaxed``: codes and facts for the page.
    """

    pattern: int
    rhyme: int | None
    codes: tuple[int, ...]
    marks: tuple[int, ...]
    mirror: Mapping[int, int] = field(default_factory=dict)
    relaxed: tuple[Mapping[str, Any], ...] = ()
    swap: bool = False


def plan(
    request: ChineseVerseRequest,
    tokens: Mapping[int, int],
    book: RhymeBook,
    old: RhymeBook,
    pattern_weights: Tensor,
    theme: Sequence[int],
    generator: torch.Generator,
) -> Plan:
    """Choose scheme and rhyme as often as poets do, among those that the given characters break least.

    ``tokens``: ids of the given characters by slot; ``old``: the book whose names requests use.
    ``pattern_weights`` (4,). Draws twice from ``generator``.
    """
    tones = {slot: int(book.tones[token]) if token != UNKNOWN else 0 for slot, token in tokens.items()}
    relaxed = _unknown(request, tones)
    if request.form.lines == 2:
        return _couplet(request, tokens, tones, relaxed)
    weights = book.weights[prosody.FORMS.index(request.form)].clone()
    for token in theme:
        weights[book.rhymes[token]] *= THEME_RHYME_FACTOR
    needed = request.form.lines // 2 + 1
    sizes = book.rhymes.sum(0)
    possible = sizes >= min(needed, int(sizes.max()))
    if request.rhyme:
        wanted = old.names.index(request.rhyme)
        if book is not old:
            wanted = int((old.rhymes[:, wanted, None] & book.rhymes).sum(0).argmax())
            relaxed.append({"code": "rhyme_by_book", "rhyme": book.names[wanted]})
        possible = torch.zeros_like(possible)
        possible[wanted] = True
    schemes = [prosody.slot_codes(request.form, pattern, tones) for pattern in range(1, 5)]
    costs = torch.tensor([_tone_cost(tones, codes, request.form) for codes in schemes])
    misses = torch.stack([_rhyme_misses(tokens, codes, book) for codes in schemes])  # (4, R)
    misses = misses.masked_fill(~possible, torch.inf)
    total = costs + misses.amin(1)
    pattern = _draw(pattern_weights, total <= total.min() + 1e-6, generator)
    rhyme = _draw(weights, misses[pattern] <= misses[pattern].min() + 1e-6, generator)
    marks = schemes[pattern]
    breaches = prosody.tone_breaches(tones, marks)
    unrhymed = _unrhymed(tokens, marks, book, rhyme)
    if breaches:
        relaxed.append({"code": "given_tones", "characters": _named(request, breaches)})
    if rest := [slot for slot in unrhymed if slot not in breaches]:
        relaxed.append({"code": "given_rhymes", "characters": _named(request, rest)})
    codes = tuple(prosody.ANY if slot in breaches else code for slot, code in enumerate(marks))
    return Plan(pattern + 1, rhyme, codes, marks, relaxed=tuple(relaxed))


def _couplet(
    request: ChineseVerseRequest,
    tokens: Mapping[int, int],
    tones: Mapping[int, int],
    relaxed: list[Mapping[str, Any]],
) -> Plan:
    """The answer to a given line: opposite tones, doubled where the line is doubled."""
    length = request.form.length
    if request.rhyme:
        relaxed.append({"code": "couplet_rhyme"})
    line = [tones[slot] for slot in range(length)]
    if line[-1] in (prosody.TONE_UNKNOWN, prosody.TONE_BOTH):
        line[-1] = prosody.TONE_OBLIQUE  # the usual end of an upper line
    answer = prosody.answer_codes(line)
    marks = (*prosody.answer_codes(_opposite(answer)), *answer)
    breaches = prosody.tone_breaches(tones, marks)
    if breaches:
        relaxed.append({"code": "given_tones", "characters": _named(request, breaches)})
    text = [request.given[slot] for slot in range(length)]
    mirror = {
        length + slot: length + text.index(character)
        for slot, character in enumerate(text)
        if text.index(character) < slot
    }
    codes = tuple(prosody.ANY if slot in breaches else code for slot, code in enumerate(marks))
    return Plan(0, None, codes, marks, mirror, tuple(relaxed), swap=line[-1] == prosody.TONE_LEVEL)


def _opposite(codes: Sequence[int]) -> list[int]:
    tones = {prosody.LEVEL: prosody.TONE_LEVEL, prosody.OBLIQUE: prosody.TONE_OBLIQUE}
    return [tones.get(code, prosody.TONE_UNKNOWN) for code in codes]


def _unknown(request: ChineseVerseRequest, tones: Mapping[int, int]) -> list[Mapping[str, Any]]:
    strange = [slot for slot, tone in sorted(tones.items()) if tone == prosody.TONE_UNKNOWN]
    return [{"code": "unknown_tones", "characters": _named(request, strange)}] if strange else []


def _named(request: ChineseVerseRequest, slots: Sequence[int]) -> str:
    return "".join(dict.fromkeys(request.given[slot] for slot in slots))


def _tone_cost(tones: Mapping[int, int], codes: Sequence[int], form: prosody.Form) -> float:
    heard = {*range(1, form.length, 2), form.length - 1}
    breaches = prosody.tone_breaches(tones, codes)
    return sum(1.0 if slot % form.length in heard else FREE_PLACE_COST for slot in breaches)


def _rhyme_misses(tokens: Mapping[int, int], codes: Sequence[int], book: RhymeBook) -> Tensor:
    """(R,) float: how many given characters in rhyming places do not have each rhyme."""
    ends = [token for slot, token in tokens.items() if codes[slot] == prosody.RHYME and token != UNKNOWN]
    return (~book.rhymes[ends]).sum(0).float()


def _unrhymed(tokens: Mapping[int, int], codes: Sequence[int], book: RhymeBook, rhyme: int) -> list[int]:
    return [
        slot
        for slot, token in sorted(tokens.items())
        if codes[slot] == prosody.RHYME and token != UNKNOWN and not bool(book.rhymes[token, rhyme])
    ]


def _draw(weights: Tensor, allowed: Tensor, generator: torch.Generator) -> int:
    """An index by weight; what is allowed but never chosen otherwise still has a chance."""
    chances = (weights + LEAST_CHANCE) * allowed
    return int(torch.multinomial(chances, 1, generator=generator))
