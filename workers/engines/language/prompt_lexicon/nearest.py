"""Suggestions for what was not understood: the most similar terms that would be."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cache
from itertools import combinations

from workers.engines.language.prompt_lexicon.terms import CHINESE, ENGLISH, FOREIGN

_LONGEST = 24
"""Longer tokens get no suggestions of this kind: they are hardly typing errors. Set by hand."""
_FIRST = 12
"""Characters of an unknown run that are looked at, which bounds the work."""


def _without(word: str, most: int) -> Iterator[str]:
    """``word`` with up to ``most`` letters left out."""
    for count in range(most + 1):
        for places in combinations(range(len(word)), count):
            yield "".join(letter for place, letter in enumerate(word) if place not in places)


def _slips(length: int) -> int:
    return 0 if length < 4 else 1 if length < 8 else 2


@cache
def _words() -> tuple[list[str], dict[str, list[str]]]:
    """All English terms of one word, sorted, and where those with letters left out lead."""
    meant = [
        term for term, words in ENGLISH.meanings.items() if words and words != FOREIGN and " " not in term
    ]
    around: dict[str, list[str]] = {}
    for term in meant:
        for shape in set(_without(term, _slips(len(term) + 1))):
            around.setdefault(shape, []).append(term)
    return sorted(meant), around


def distance(one: str, other: str) -> int:
    """Letters to put in, leave out, change or swap with a neighbour to make ``other`` of ``one``."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]


def english(token: str) -> list[str]:
    """Terms like ``token`` (a to z), best first: slips of the finger, else those with its beginning."""
    if len(token) > _LONGEST:
        return []
    meant, around = _words()
    forms = [token, token[:-1]] if token.endswith("s") else [token]
    scored: dict[str, tuple[int, bool, int]] = {}
    for form in forms:
        slips = _slips(len(form))
        for term in (
            {term for shape in set(_without(form, slips)) for term in around.get(shape, ())} if slips else ()
        ):
            apart = distance(form, term)
            # In a short word a wrong first letter or a letter too many makes another word, not a slip.
            if apart <= slips and (len(form) > 7 or (form[0] == term[0] and len(term) > 3)):
                score = (apart, form[0] != term[0], abs(len(form) - len(term)))
                scored[term] = min(score, scored.get(term, score))
    if scored:
        return sorted(scored, key=lambda term: (scored[term], term))
    begins = [token[:end] for end in range(len(token) - 1, max(4, len(token) * 3 // 5), -1)]
    found = [start for start in begins if ENGLISH.meanings.get(start, FOREIGN) not in ((), FOREIGN)]
    if len(token) >= 5:
        place = bisect_left(meant, token)
        found += sorted((term for term in meant[place : place + 8] if term.startswith(token)), key=len)
    return found


@cache
def _characters() -> dict[str, list[str]]:
    """Character -> the Chinese terms that have it, in the order of the lexicon."""
    having: dict[str, list[str]] = {}
    for term, words in CHINESE.meanings.items():
        if words and words != FOREIGN:
            for character in dict.fromkeys(term):
                having.setdefault(character, []).append(term)
    return having


def chinese(run: str) -> list[str]:
    """Terms that share half of their characters and half of those of ``run``; the rarest first."""
    shared: dict[str, int] = {}
    weights: dict[str, float] = {}
    for character in sorted(frozenset(run[:_FIRST])):
        terms = _characters().get(character, ())
        for term in terms:
            shared[term] = shared.get(term, 0) + 1
            weights[term] = weights.get(term, 0.0) + 1 / len(terms)
    close = [term for term, count in shared.items() if 2 * count >= max(len(term), min(len(run), _FIRST))]
    return sorted(close, key=lambda term: (-weights[term], len(term), term))
