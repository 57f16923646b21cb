"""The terms of English and Chinese and the canonical words that they mean.

``english.txt`` and ``chinese.txt`` hold one meaning per line, ``word [word ...]: term, term, ...``;
indented lines go on with the line above. Four heads are no words: ``:`` begins terms without a
meaning of their own (function words, measure words), ``!:`` those that deny what follows, ``?:``
those that hold a known term and still are none of the painter's business (a sea lion is no sea), and
``&:`` those that join what is denied.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from workers.engines.language.prompt_lexicon.words import words_of

Meaning = tuple[str, ...]
"""Canonical words in the order of the line; empty for a term that means nothing by itself."""

FOREIGN: Meaning = ("?",)
"""What a term means that is to be reported as not understood."""

_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "’": "'"}
)


@dataclass(frozen=True, slots=True)
class Terms:
    """The lexicon of one language. Keys are folded; words of an English term are joined by blanks."""

    meanings: Mapping[str, Meaning]
    denials: frozenset[str]
    joints: frozenset[str]
    longest: Mapping[str, int]
    """First word (English) or character (Chinese) of a term -> most words or characters of such terms."""


def plain(text: str) -> str:
    """Lower case, accents taken off, full-width letters made plain."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in spread if not unicodedata.combining(c)).translate(_LETTERS)


def _lines(name: str) -> list[tuple[str, list[str]]]:
    """(head, terms) of each meaning of a lexicon file."""
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            head, _, line = line.partition(":")
            found.append((head.strip(), []))
        found[-1][1].extend(term for piece in line.split(",") if (term := piece.strip()))
    return found


def _load(name: str, whole: bool) -> Terms:
    """The lexicon in the file ``name``; ``whole`` words are the units of a term, else its characters."""
    known = set(words_of())
    meanings: dict[str, Meaning] = {}
    heads: dict[str, set[str]] = {"!": set(), "&": set()}
    longest: dict[str, int] = {}
    for head, terms in _lines(name):
        words = () if head in heads else FOREIGN if head == "?" else tuple(head.split())
        if words != FOREIGN and not known.issuperset(words):
            raise ValueError(f"{name}: {head!r} is no word of the painter")
        heads.get(head, set()).update(terms)
        for term in terms:
            if term in meanings:
                raise ValueError(f"{name}: {term!r} has two meanings")
            meanings[term] = words
            units = term.split(" ") if whole else list(term)
            longest[units[0]] = max(longest.get(units[0], 0), len(units))
    return Terms(meanings, frozenset(heads["!"]), frozenset(heads["&"]), longest)


ENGLISH = _load("english.txt", whole=True)
CHINESE = _load("chinese.txt", whole=False)
_LANGUAGES = {"en": ENGLISH, "zh": CHINESE}


@cache
def terms_of(word: str, language: str) -> tuple[str, ...]:
    """All terms that mean exactly ``word``, in the order of the lexicon; ``language`` is "en" or "zh".

    A word that no term means alone (Venice is a city too) has the terms that mean it and the fewest
    words more. Raises KeyError for other languages, ValueError for other words.
    """
    meanings = _LANGUAGES[language].meanings
    having = [(len(words), term) for term, words in meanings.items() if words[:1] == (word,)]
    if not having:
        raise ValueError(f"{word!r} is no word of the painter")
    fewest = min(size for size, _ in having)
    return tuple(term for size, term in having if size == fewest)
