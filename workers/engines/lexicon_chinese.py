"""A Chinese lexicon for prompts: terms (simplified and common traditional forms) -> vocabulary words."""

from __future__ import annotations

_LINES = """
海 大海 海洋 沧海 = sea
山 群山 = mountain
"""

CHINESE_STOP = frozenset("的 了 和 在 一 是 有".split())


def _parse(lines: str) -> dict[str, tuple[str, ...]]:
    terms: dict[str, tuple[str, ...]] = {}
    for line in lines.strip().splitlines():
        left, _, right = line.partition("=")
        words = tuple(right.split())
        for term in left.split():
            terms[term] = words
    return terms


CHINESE = _parse(_LINES)
