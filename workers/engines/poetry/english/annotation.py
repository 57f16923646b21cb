"""How an English poem was made: stresses, rhymes, alternatives.

Everything is in the order of reading and small enough to keep with the poem: at most fourteen lines of about
ten words with six alternatives each.
"""

from __future__ import annotations

from typing import Any

from workers.engines.poetry.english.lexicon import FIRST_WORD, MARKS, Lexicon
from workers.engines.poetry.english.planning import Draft

FORMAT = 2


def annotate(draft: Draft, lexicon: Lexicon) -> dict[str, Any]:
    """The JSON-safe facts of a finished draft.

    ``scheme``: a letter a line, "-" for no rhyme; ``stanzas``: lines in each; ``templates``: a sign a
    syllable, "s" for a beat, "w" for none, "." for either. ``lines``: of every line its words and marks, the
    last of them the mark at its end, each with ``text`` ("" for no mark), ``stress`` (a digit a syllable: 0
    none, 1 main, 2 second) and ``options`` [text, chance], likeliest first, given what follows in the line.
    ``given``: numbers from 0 of the lines that were given, whole or in part.
    """
    return {
        "format": FORMAT,
        "language": "en",
        "scheme": draft.form.scheme,
        "stanzas": list(draft.form.stanzas),
        "templates": list(draft.form.templates),
        "lines": [_line(draft, number, lexicon) for number in range(len(draft.tokens))],
        "given": sorted(draft.given),
        "relaxed": [],
    }


def _line(draft: Draft, number: int, lexicon: Lexicon) -> list[dict[str, Any]]:
    tokens, alternatives = draft.tokens[number], draft.alternatives[number]
    return [
        {
            "text": printed(token, lexicon, first=place == 0),
            "stress": lexicon.stresses[token] if token >= FIRST_WORD else "",
            "options": [[printed(other, lexicon, first=place == 0), share] for other, share in choice],
        }
        for place, (token, choice) in enumerate(zip(tokens, alternatives, strict=True))
    ]


def printed(token: int, lexicon: Lexicon, *, first: bool = False) -> str:
    """A word or mark as it is printed, the ``first`` of a line with a capital; "" for no mark."""
    if token < FIRST_WORD:
        return "" if lexicon.words[token] == MARKS[0] else lexicon.words[token]
    word = lexicon.printed[token]
    return capitalised(word) if first else word


def capitalised(text: str) -> str:
    """With a capital for the first letter, which may follow an apostrophe."""
    place = next((i for i, c in enumerate(text) if c.isalpha()), 0)
    return text[:place] + text[place : place + 1].upper() + text[place + 1 :]
