"""Reading prompts: English, Chinese and mixtures, piece by piece.

The longest term wins. What is denied ("without boats", 没有船) is left out. Work is linear in the text: a
bounded number of look-ups per position, and suggestions for a bounded number of unknown pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from workers.engines.language.han import HAN
from workers.engines.language.prompt_lexicon import nearest
from workers.engines.language.prompt_lexicon.characters import EMOJI, simplified
from workers.engines.language.prompt_lexicon.terms import CHINESE, ENGLISH, FOREIGN, Meaning, Terms, plain
from workers.engines.language.prompt_lexicon.words import GROUPS

_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0903\u093a-\u094f\u0e31-\u0e4e\u3099\u309a"
_LETTER = rf"[^\W\d_{HAN}]"
_TOKENS = re.compile(
    rf"(?P<han>[{HAN}]+)|(?P<letters>{_LETTER}(?:{_LETTER}|[{_MARKS}])*)|(?P<emoji>[{''.join(EMOJI)}]\ufe0f?)"
)
_LATIN = re.compile(r"[a-z]+")
_LINK = re.compile(r"[ \t\u00a0\-'’._·‐–]{1,3}")
"""What may stand between the words of one term: a comma ends it."""
_BLANK = re.compile(r"[\s\-'’]*")
_MOST_SUGGESTIONS = 64
_LONGEST_DENIED = 4
_ENDINGS = (
    ("ies", "y"),
    ("s", ""),
    ("es", ""),
    ("ish", ""),
    ("ish", "e"),
    ("y", ""),
    ("ing", ""),
    ("ing", "e"),
    ("ed", ""),
    ("ed", "e"),
    ("en", ""),
    ("ly", ""),
)
_ADJECTIVES = frozenset(word for group in ("colour", "tone") for word in GROUPS[group].split())
_DETERMINERS = frozenset(
    ("a", "an", "the", "any", "some", "many", "much", "too", "so", "very", "more", "single", "other", "all")
).union(("任何", "一个", "一点", "一丝", "一些", "什么", "太", "那么"))
"""What may stand between a denial and what it denies."""

_Token = tuple[int, int, str]
"""Start, end and plain letters of a run of letters."""
_Kind = Literal["term", "plain", "unknown", "denial", "joint"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a prompt. ``words`` are those that it means, for a piece that was understood.

    ``nearest`` is None for what was understood or means nothing by itself; for a piece that was not
    understood it is the most similar term that would be, or "" when there is none.
    """

    text: str
    words: tuple[str, ...] = ()
    nearest: str | None = None


@dataclass(frozen=True, slots=True)
class Understood:
    """What was read in a prompt: ``words`` that the model knows and ``unknown`` pieces of the text.

    Both are without repeats, in the order of the text. Function words and what is denied are in
    neither. The texts of ``segments`` together are the prompt, character by character.
    """

    words: tuple[str, ...]
    unknown: tuple[str, ...]
    segments: tuple[Segment, ...] = ()


@dataclass(slots=True)
class _Piece:
    """Characters ``start`` to ``end`` of the prompt; ``key`` is how the lexicon spells them."""

    start: int
    end: int
    key: str
    kind: _Kind
    words: Meaning = ()
    chinese: bool = False
    foreign: bool = False


def _stems(token: str) -> Iterator[str]:
    """``token`` and simpler forms of it, best first."""
    yield token
    for ending, stem in _ENDINGS:
        if token.endswith(ending) and len(token) - len(ending) >= 3:
            short = token[: len(token) - len(ending)] + stem
            yield short
            if not stem and len(short) > 3 and short[-1] == short[-2]:
                yield short[:-1]


class Vocabulary:
    """The ``words`` of one model, in the order of its condition vector."""

    def __init__(self, words: Sequence[str]) -> None:
        """Raises ValueError for repeats: each word is one input of the network."""
        if len(set(words)) != len(words):
            raise ValueError("a vocabulary has each word once")
        self.words = tuple(words)
        self.index = {word: number for number, word in enumerate(words)}

    def __len__(self) -> int:
        return len(self.words)

    def vector(self, words: Iterable[str]) -> list[float]:
        """Multi-hot condition, one number per word of the vocabulary. Raises KeyError for other words."""
        out = [0.0] * len(self.words)
        for word in words:
            out[self.index[word]] = 1.0
        return out

    def read(self, text: str) -> Understood:
        """Understand a prompt in English, Chinese or a mixture of them."""
        pieces = list(self._pieces(text))
        _deny(pieces, text)
        words: dict[str, None] = {}
        unknown: dict[str, str] = {}
        segments: list[Segment] = []
        done = 0
        for piece in pieces:
            if piece.kind == "term":
                words.update(dict.fromkeys(piece.words))
            elif piece.kind != "unknown":
                continue
            if done < piece.start:
                segments.append(Segment(text[done : piece.start]))
            done = piece.end
            if piece.kind == "unknown" and piece.key not in unknown:
                unknown[piece.key] = self._nearest(piece) if len(unknown) < _MOST_SUGGESTIONS else ""
            segments.append(Segment(text[piece.start : done], piece.words, unknown.get(piece.key)))
        if done < len(text):
            segments.append(Segment(text[done:]))
        return Understood(tuple(words), tuple(unknown), tuple(segments))

    def _pieces(self, text: str) -> Iterator[_Piece]:
        latin: list[_Token] = []
        for match in _TOKENS.finditer(text):
            start, end = match.span()
            if match["letters"]:
                token = plain(match[0])
                if _LATIN.fullmatch(token):
                    if latin and not _LINK.fullmatch(text, latin[-1][1], start):
                        yield from self._latin(latin)
                        latin.clear()
                    latin.append((start, end, token))
                    continue
            yield from self._latin(latin)
            latin.clear()
            if match["han"]:
                yield from self._han(simplified(match[0]), start)
            elif match["emoji"]:
                known = self._known(EMOJI[match[0][0]])
                yield _Piece(start, end, match[0], "term" if known else "unknown", known, foreign=True)
            else:
                yield _Piece(start, end, token, "unknown", foreign=True)
        yield from self._latin(latin)

    def _known(self, meaning: Meaning) -> Meaning:
        return tuple(word for word in meaning if word in self.index)

    def _accepted(self, terms: Terms, key: str) -> tuple[_Kind, Meaning] | None:
        """What ``key`` is to this vocabulary; None when it says nothing to it."""
        meaning = terms.meanings.get(key)
        if meaning is None:
            return None
        if meaning == FOREIGN:
            return "unknown", ()
        if not meaning:
            return ("denial" if key in terms.denials else "joint" if key in terms.joints else "plain"), ()
        known = self._known(meaning)
        return ("term", known) if known else None

    def _latin(self, tokens: Sequence[_Token]) -> Iterator[_Piece]:
        """Pieces of tokens that follow each other within one clause."""
        position = 0
        while position < len(tokens):
            longest = min(ENGLISH.longest.get(tokens[position][2], 1), len(tokens) - position)
            for length in range(longest, 0, -1):
                piece = self._term(tokens[position : position + length])
                if piece or length == 1:
                    break
            start, end, token = tokens[position]
            yield piece or _Piece(start, end, token, "plain" if len(token) == 1 else "unknown")
            position += length

    def _term(self, tokens: Sequence[_Token]) -> _Piece | None:
        """The tokens as one term, of which the last may have an ending (wheat fields)."""
        start, end, last = tokens[0][0], tokens[-1][1], tokens[-1][2]
        before = "".join(token + " " for _, _, token in tokens[:-1])
        for stem in _stems(last):
            if accepted := self._accepted(ENGLISH, before + stem):
                kind, words = accepted
                foreign = kind == "unknown"
                return _Piece(start, end, before + (last if foreign else stem), kind, words, foreign=foreign)
        return None

    def _han(self, text: str, offset: int) -> Iterator[_Piece]:
        position = strange = 0

        def skipped() -> Iterator[_Piece]:
            if strange < position:
                start, end = offset + strange, offset + position
                yield _Piece(start, end, text[strange:position], "unknown", chinese=True)

        while position < len(text):
            for length in range(min(CHINESE.longest.get(text[position], 0), len(text) - position), 0, -1):
                key = text[position : position + length]
                if accepted := self._accepted(CHINESE, key):
                    kind, words = accepted
                    yield from skipped()
                    start = offset + position
                    yield _Piece(start, start + length, key, kind, words, True, kind == "unknown")
                    position += length
                    strange = position
                    break
            else:
                position += 1
        yield from skipped()

    def _nearest(self, piece: _Piece) -> str:
        if piece.foreign:
            return ""
        candidates = nearest.chinese(piece.key) if piece.chinese else nearest.english(piece.key)
        terms = CHINESE if piece.chinese else ENGLISH
        return next((term for term in candidates if self._known(terms.meanings[term])), "")


def _adjoins(pieces: Sequence[_Piece], number: int, text: str, *, comma: bool = False) -> bool:
    """Whether only blanks (or the comma of Chinese lists) are between a piece and the one before."""
    if number >= len(pieces):
        return False
    gap = text[pieces[number - 1].end : pieces[number].start]
    return gap.strip() == "、" if comma else bool(_BLANK.fullmatch(gap))


def _deny(pieces: Sequence[_Piece], text: str) -> None:
    """Make what is denied plain: it is neither asked for nor reported as unknown."""
    number = 0
    while number < len(pieces):
        number += 1
        if pieces[number - 1].kind != "denial":
            continue
        for _ in range(3):
            if _adjoins(pieces, number, text) and pieces[number].key in _DETERMINERS:
                number += 1
        more = _adjoins(pieces, number, text)
        while more:
            number = _deny_one(pieces, number, text)
            more = _adjoins(pieces, number, text, comma=True)
            if _adjoins(pieces, number, text) and pieces[number].kind == "joint":
                more = _adjoins(pieces, number + 1, text) and pieces[number + 1].kind in ("term", "unknown")
                number += more


def _deny_one(pieces: Sequence[_Piece], number: int, text: str) -> int:
    """Make one noun and what describes it plain, from ``number`` on; the number of the piece after it."""
    first = number
    while number - first < _LONGEST_DENIED and number < len(pieces):
        piece = pieces[number]
        if piece.kind not in ("term", "unknown") or not (number == first or _adjoins(pieces, number, text)):
            break
        describes = bool(piece.words) and _ADJECTIVES.issuperset(piece.words)
        piece.kind, piece.words = "plain", ()
        number += 1
        if piece.chinese:
            if not describes:
                break
            if _adjoins(pieces, number, text) and pieces[number].key == "的":
                number += 1
    return number
