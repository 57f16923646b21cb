"""Retrieval of a poem's theme among fifty, from the poem alone by TF-IDF, independent of the network.

A theme is known by the training poems that carry it in their title. Poems and themes are bags of single
characters and pairs within a line (Salton and Buckley 1988: logarithmic counts, inverse document
frequency, cosine).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from workers.training.chinese_verse.corpus import PoemText

THEMES = (
    "梅花", "菊花", "荷花", "牡丹", "桃花", "海棠", "杨柳", "松", "竹", "兰", "落花", "芭蕉",
    "春雨", "秋月", "雪", "元日", "清明", "七夕", "中秋", "重阳", "除夕", "送别", "怀古", "塞下",
    "从军", "宫怨", "渔父", "采莲", "山居", "僧", "登楼", "泛舟", "瀑布", "琴", "酒", "茶",
    "剑", "马", "雁", "鹤", "蝉", "燕", "莺", "萤", "悼亡", "早行", "夜坐", "田家",
    "读书", "病起",
)  # fmt: skip
MOST = 1500
"""Most poems that a theme is learned from; not tuned."""
LEAST_SEEN = 5
"""Characters and pairs in fewer poems are left out; not tuned."""

Bag = Mapping[str, float]


def terms(lines: Iterable[str]) -> Counter[str]:
    """Characters and pairs of neighbours, counted."""
    found: Counter[str] = Counter()
    for line in lines:
        found.update(line)
        found.update(line[i : i + 2] for i in range(len(line) - 1))
    return found


class Retrieval:
    """Finds themes. ``texts`` are poems with titles; those that were held out are not used."""

    def __init__(self, texts: Sequence[PoemText], themes: Sequence[str] = THEMES) -> None:
        learned = [text for text in texts if not text.held_out]
        seen: Counter[str] = Counter()
        for text in learned:
            seen.update(terms(text.lines).keys())
        self._weight = {
            term: math.log(len(learned) / count) for term, count in seen.items() if count >= LEAST_SEEN
        }
        self.support: dict[str, int] = {}
        self._themes: dict[str, Bag] = {}
        for theme in themes:
            own = [text for text in learned if theme in text.title][:MOST]
            self.support[theme] = len(own)
            total: Counter[str] = Counter()
            for text in own:
                total.update(self._bag(text.lines))
            self._themes[theme] = _unit(total)

    def find(self, lines: Sequence[str]) -> str:
        """The theme that is most like the poem."""
        bag = self._bag(lines)
        return max(self._themes, key=lambda theme: _product(bag, self._themes[theme]))

    def _bag(self, lines: Sequence[str]) -> dict[str, float]:
        return _unit(
            {
                term: (1 + math.log(count)) * self._weight[term]
                for term, count in terms(lines).items()
                if term in self._weight
            }
        )


def _unit(bag: Bag) -> dict[str, float]:
    length = math.sqrt(sum(value * value for value in bag.values())) or 1.0
    return {term: value / length for term, value in bag.items()}


def _product(small: Bag, large: Bag) -> float:
    return sum(value * large.get(term, 0.0) for term, value in small.items())
