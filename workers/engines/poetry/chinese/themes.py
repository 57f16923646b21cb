"""From what a person typed to what the poem is about, its given first characters, and its title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass

from workers.engines.base import InvalidRequest
from workers.engines.language.han import is_chinese
from workers.engines.language.theme_lexicon import CHINESE, EMOJI, ENGLISH
from workers.engines.poetry.prompt_tokens import (
    ENGLISH_GRAMMAR,
    GRAMMAR,
    READ_AT_MOST,
    has_request,
    simplify,
    tokens,
    without_request,
)

THEME_SIZE = 8
UNKNOWN_AT_MOST = 20
TITLE_AT_MOST = 16


@dataclass(frozen=True, slots=True)
class Theme:
    """``characters``: at most eight of the vocabulary; ``unknown``: words that were not understood."""

    characters: str
    words: tuple[str, ...]
    unknown: tuple[str, ...]


def _stem(word: str) -> str:
    """The lexicon's entry for an English word, tried with its plural and its endings taken off."""
    for form in (word, word.removesuffix("'s"), word.removesuffix("s"), word.removesuffix("es")):
        if form in ENGLISH:
            return form
    for ending, instead in (
        ("ies", "y"),
        ("ing", ""),
        ("ing", "e"),
        ("ed", ""),
        ("ed", "e"),
        ("y", ""),
        ("ly", ""),
    ):
        if word.endswith(ending) and word[: -len(ending)] + instead in ENGLISH:
            return word[: -len(ending)] + instead
    return ""


def _chinese_words(run: str, vocabulary: Container[str]) -> tuple[list[str], list[str]]:
    """(theme words, unknown characters) of a run of Chinese characters; the lexicon's longest word wins."""
    words: list[str] = []
    unknown: list[str] = []
    place = 0
    while place < len(run):
        for size in (3, 2, 1):
            piece = run[place : place + size]
            if piece in CHINESE:
                words.append(CHINESE[piece])
                break
        else:
            size, piece = 1, run[place]
            if piece not in GRAMMAR:
                (words if piece in vocabulary else unknown).append(piece)
        place += size
    return words, unknown


def understand(prompt: str, vocabulary: Container[str]) -> Theme:
    """What ``prompt`` (any text, any length) is about. Never fails; an empty theme is a theme."""
    words: list[str] = []
    unknown: list[str] = []
    for token in tokens(prompt):
        if is_chinese(token[0]):
            known, strange = _chinese_words(without_request(simplify(token)), vocabulary)
            words += known
            unknown += strange
            continue
        if token[0].isalpha():
            word = token.lower().replace("’", "'")
            entry = _stem(word)
            if entry:
                words.append(ENGLISH[entry])
            elif word not in ENGLISH_GRAMMAR:
                parts = (
                    [p for p in (_stem(part) for part in re.split("['-]", word)) if p] if "-" in word else []
                )
                words += [ENGLISH[p] for p in parts]
                if not parts:
                    unknown.append(token)
        elif token in EMOJI:
            words.append(EMOJI[token])
        elif unicodedata.category(token) == "So":
            unknown.append(token)
    characters = [c for c in dict.fromkeys("".join(words)) if c in vocabulary]
    return Theme(
        "".join(characters[:THEME_SIZE]),
        tuple(dict.fromkeys(words)),
        tuple(word[:40] for word in dict.fromkeys(unknown))[:UNKNOWN_AT_MOST],
    )


def acrostic_characters(acrostic: str, lines: int) -> str:
    """The characters that lines must begin with, as typed, without spaces and punctuation.

    Raises InvalidRequest for anything that is not a Chinese character, or for more than there are lines.
    """
    wanted = "".join(c for c in acrostic if not c.isspace() and unicodedata.category(c)[0] != "P")
    strange = next((c for c in wanted if not is_chinese(c)), "")
    if strange:
        raise InvalidRequest(
            f"acrostic with U+{ord(strange):04X}",
            visitor=f"An acrostic is made of Chinese characters; “{strange}” is not one.",
            code="bad_acrostic",
        )
    if len(wanted) > lines:
        raise InvalidRequest(
            f"acrostic of {len(wanted)} characters for {lines} lines",
            visitor=f"The acrostic has {len(wanted)} characters, but this form has {lines} lines.",
            code="bad_acrostic",
        )
    return wanted


_SEASONS = (("春", "春日"), ("夏", "夏日"), ("秋", "秋日"), ("冬雪", "冬日"))
_HOURS = (("月", "月夜"), ("夜", "夜坐"), ("夕暮", "晚望"), ("晓", "晓望"), ("雨", "雨中"), ("花", "看花"))
_PLACES = (("山", "山中"), ("江", "江上"), ("湖", "湖上"), ("溪", "溪上"), ("寺僧", "山寺"), ("客", "客中"))


def title(prompt: str, theme: Theme, acrostic: str, poem: str) -> str:
    """A short title: the prompt when it is short and Chinese, else its theme, else what the poem shows."""
    asked = " ".join(prompt[:READ_AT_MOST].split())
    chinese = all(is_chinese(c) or c in "，、· " for c in asked)
    if asked and len(asked) <= TITLE_AT_MOST and chinese and not has_request(simplify(asked)):
        return asked
    if theme.words:
        joined = "".join(theme.words)[:6]
        return joined if len(joined) > 1 else f"咏{joined}"
    if acrostic:
        return f"藏头·{acrostic}"
    for table in (_SEASONS, _HOURS, _PLACES):
        for signs, name in table:
            if any(sign in poem for sign in signs):
                return name
    return "无题"
