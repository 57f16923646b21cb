"""From what a person typed, in whatever script, to the English words that a poem is about, and its title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from workers.engines.language.han import is_chinese
from workers.engines.language.theme_lexicon import EMOJI
from workers.engines.poetry.english import translation
from workers.engines.poetry.prompt_tokens import (
    ENGLISH_GRAMMAR,
    READ_AT_MOST,
    simplify,
    tokens,
    without_request,
)

TITLE_AT_MOST = 60
LONGEST_WORD = 40

_POEM = r"(?:poem|poetry|sonnet|haiku|limerick|ballad|quatrain|couplet|verse|rhyme)s?"
_REQUEST = re.compile(
    r"^\W*(?:(?:please|can you|could you|i want you to|i want|i would like|i'd like)\s+)*"
    r"(?P<verb>(?:write|compose|make|create|give)\s+(?:me\s+|us\s+)?)?"
    rf"(?:(?:a|an|the|some)\s+)?(?:(?:short|little|english|heroic|shakespearean)\s+)*{_POEM}"
    r"(?:\s+(?:about|on|of|for|to)\b|\s*:)\s*",
    re.IGNORECASE,
)
_CHINESE_REQUEST = re.compile(
    r"的?(?:英文|英语|英诗)?(?:十四行诗?|俳句|打油诗|五行打油诗|歌谣|民谣|四行诗|双行体|英雄双韵体)$|英文诗?|英语诗?"
)
_CONTRACTED = re.compile(r"'(?:s|m|d|ll|re|ve)$")
_DENIED = re.compile(r"n't$")
_SMALL = frozenset(
    ("a", "an", "the", "of", "in", "on", "at", "by", "to", "for", "from", "with", "and", "or", "but", "nor")
)
_JOINERS = "\u200c\u200d"
_FIRST_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Mention:
    """Something that a prompt names: ``text`` as it was typed, and ``words`` for it, the best first."""

    text: str
    words: tuple[str, ...]


def plain(text: str) -> str:
    """``text`` in one line without control characters and signs of direction."""
    shown = (c for c in text if c.isspace() or c in _JOINERS or unicodedata.category(c)[0] != "C")
    return " ".join("".join(shown).split())


def unaccented(text: str) -> str:
    """Latin letters without their accents, wide ones narrow; other scripts as they are."""
    parts = unicodedata.normalize("NFKD", text.replace("’", "'").replace("‘", "'"))
    letters = "".join(c for c in parts if not 0x300 <= ord(c) < 0x370)
    return unicodedata.normalize("NFC", letters)


def mentions(prompt: str) -> list[Mention]:
    """What ``prompt`` (any text, any length) names, in its order. Grammar and the request are left out."""
    found: list[Mention] = []
    for token in tokens(_REQUEST.sub("", unaccented(plain(prompt[:READ_AT_MOST])))):
        if is_chinese(token[0]):
            found += (Mention(*piece) for piece in translation.pieces(_without_request(simplify(token))))
        elif token[0].isalpha():
            word = token.lower()
            if _CONTRACTED.sub("", word) not in ENGLISH_GRAMMAR and not _DENIED.search(word):
                found.append(Mention(token, _called(word)))
        elif token in EMOJI:
            found += (Mention(token, words) for _, words in translation.pieces(EMOJI[token]))
        elif unicodedata.category(token) == "So":
            found.append(Mention(token, ()))
    return found


def _without_request(run: str) -> str:
    """A run of Chinese characters without the request around its theme."""
    return without_request(_CHINESE_REQUEST.sub("", run))


def _called(word: str) -> tuple[str, ...]:
    return (word, *translation.others(word))


def title(prompt: str) -> str:
    """What a poem on ``prompt`` is called; "" when it is long, or has no words.

    Only what is all in small letters gets capitals.
    """
    asked = plain(prompt[:READ_AT_MOST])
    request = _REQUEST.match(asked)
    if request and request["verb"]:
        asked = asked[request.end() :]
    if is_chinese(asked):
        asked = _without_request(asked)
    asked = asked.strip(" .,;:")
    if len(asked) > TITLE_AT_MOST or not _FIRST_LETTER.search(asked):
        return ""
    return titled(asked) if asked == asked.lower() else asked


def titled(text: str) -> str:
    """English small letters as a title has them."""
    words = text.split(" ")
    last = len(words) - 1
    return " ".join(
        word if word.strip(".,;:!?") in _SMALL and 0 < place < last else _capitalised(word)
        for place, word in enumerate(words)
    )


def _capitalised(word: str) -> str:
    return _FIRST_LETTER.sub(lambda letter: letter[0].upper(), word, count=1)


def unknown_of(strange: Sequence[str], most: int = 8) -> tuple[str, ...]:
    """Words that were not understood, shortened, each once."""
    return tuple(word[:LONGEST_WORD] for word in dict.fromkeys(strange))[:most]
