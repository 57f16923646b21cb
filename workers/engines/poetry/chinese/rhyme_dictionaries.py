"""Rhyme dictionaries: which characters rhyme and which tones they have, by tradition or as spoken today.

``pingshui`` is the book that comes with the weights. ``modern`` is 中华新韵: the fourteen groups of rhymes
of today's Mandarin, from the commonest reading of each character (the package pypinyin). There the old
entering tone is gone: first and second tone are level, third and fourth oblique.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pypinyin
import torch
from pypinyin import Style
from torch import Tensor

from workers.engines.poetry.chinese import prosody

PINGSHUI, MODERN = "pingshui", "modern"
BOOKS = (PINGSHUI, MODERN)
SMALLEST_RHYME = 40
"""Rhymes with fewer characters are not chosen unless somebody asks for them, for a poem of eight lines needs
five that also fit its theme. Set by hand: it leaves out 三江, 九佳, 十五删 and 十五咸."""

_GROUPS = {
    "一麻": ("a", "ia", "ua"),
    "二波": ("o", "e", "uo"),
    "三皆": ("ie", "ve", "ê"),
    "四开": ("ai", "uai"),
    "五微": ("ei", "uei"),
    "六豪": ("ao", "iao"),
    "七尤": ("ou", "iou"),
    "八寒": ("an", "ian", "uan", "van"),
    "九文": ("en", "in", "uen", "vn"),
    "十唐": ("ang", "iang", "uang"),
    "十一庚": ("eng", "ing", "ong", "iong", "ueng"),
    "十二齐": ("i", "er", "v"),
    "十三支": ("-i",),
    "十四姑": ("u",),
}
_GROUP_OF = {final: number for number, finals in enumerate(_GROUPS.values()) for final in finals}
_BUZZED = frozenset(("zh", "ch", "sh", "r", "z", "c", "s"))
"""After these initials the letter i stands for a vowel of its own, which rhymes with itself alone."""


@dataclass(slots=True)
class RhymeBook:
    """One way to rhyme, for a vocabulary of V words and R rhymes.

    ``tones`` (V,) classes of prosody; ``rhymes`` (V, R) bool; ``weights`` (forms, R) float: how often a
    rhyme is chosen; ``pingshui_index`` (R,): the number, 1..30, of the Pingshui rhyme by which
    the network is conditioned for it.
    """

    slug: str
    names: Sequence[str]
    tones: Tensor
    rhymes: Tensor
    weights: Tensor
    pingshui_index: Tensor


def pingshui(names: Sequence[str], tones: Tensor, rhymes: Tensor, weights: Tensor) -> RhymeBook:
    """The book of the weights, without the rhymes that hardly a poem has."""
    weights = weights.clone()
    sizes = rhymes.long().sum(0)
    weights[:, sizes < min(SMALLEST_RHYME, int(sizes.max()))] = 0.0
    return RhymeBook(PINGSHUI, names, tones, rhymes.bool(), weights, torch.arange(1, rhymes.shape[1] + 1))


def modern(words: Sequence[str], old: RhymeBook) -> RhymeBook:
    """Today's book for the same words. Words without a reading have no tone and no rhyme."""
    tones = torch.full((len(words),), prosody.TONE_UNKNOWN, dtype=torch.uint8)
    rhymes = torch.zeros(len(words), len(_GROUPS), dtype=torch.bool)
    for token, word in enumerate(words):
        tone, group = spoken(word)
        tones[token] = tone
        if tone == prosody.TONE_LEVEL and group is not None:
            rhymes[token, group] = True
    # How much of each old rhyme is in each new one: (30, 14).
    shared = old.rhymes.float().T @ rhymes.float()
    share = shared / shared.sum(1, keepdim=True).clamp_min(1.0)
    pingshui_index = (shared * old.weights.mean(0)[:, None]).argmax(0) + 1
    return RhymeBook(MODERN, list(_GROUPS), tones, rhymes, old.weights @ share, pingshui_index)


def spoken(word: str) -> tuple[int, int | None]:
    """(tone class, rhyme group 0..13) of the commonest reading today; (unknown, None) without one."""
    if len(word) != 1:
        return prosody.TONE_UNKNOWN, None
    finals = pypinyin.lazy_pinyin(word, style=Style.FINALS_TONE3, strict=True, errors="ignore")
    if not finals or not finals[0]:
        return prosody.TONE_UNKNOWN, None
    final, tone = finals[0].rstrip("12345"), finals[0][-1]
    if final == "i" and pypinyin.lazy_pinyin(word, style=Style.INITIALS, strict=True)[0] in _BUZZED:
        final = "-i"
    tones = {
        "1": prosody.TONE_LEVEL,
        "2": prosody.TONE_LEVEL,
        "3": prosody.TONE_OBLIQUE,
        "4": prosody.TONE_OBLIQUE,
    }
    return tones.get(tone, prosody.TONE_UNKNOWN), _GROUP_OF.get(final)


def pinyin(line: str) -> list[str]:
    """How each character of ``line`` is read today, with tone marks; "" for what has no reading."""
    found = [syllable[0] for syllable in pypinyin.pinyin(line)]
    if len(found) != len(line):  # what has no reading comes back in one piece
        found = [pypinyin.pinyin(character)[0][0] for character in line]
    return ["" if reading == character else reading for reading, character in zip(found, line, strict=True)]
