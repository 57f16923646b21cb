"""A word in two languages for each channel of the classifier: what the paintings show that it responds to.

Words are genres and those of the lexicon: from titles and painters, and measured on the pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.engines.language.prompt_lexicon import GROUPS, Vocabulary, terms_of, words_of
from workers.training.common.data import Painting
from workers.training.matcher.captions import measured_words, metadata_words

FEWEST = 12
"""A word on fewer pictures than this names no channel; not tuned."""
SHRINKAGE = 25.0
"""Pictures at which the square of an effect is halved: those of rare words are mostly noise. Not tuned."""
MOST_CHANNELS = 2
"""How many channels one word may name."""
GENRES: Mapping[str, tuple[str, str]] = {
    "portrait": ("portrait", "肖像"),
    "genre painting": ("people", "人物"),
    "religious painting": ("saints", "圣像"),
    "still life": ("still life", "静物"),
    "illustration": ("illustration", "插图"),
    "cityscape": ("city", "城市"),
    "landscape": ("landscape", "风景"),
    "photograph": ("photograph", "照片"),
}
_SHOWN: Mapping[str, tuple[str, str]] = {
    "ukiyoe": ("Japanese print", "日本版画"),
    "ink": ("ink painting", "水墨"),
    "gogh": ("Van Gogh", "梵高"),
    "stark": ("strong contrast", "强烈对比"),
    "muted": ("pale colours", "淡雅"),
    "vivid": ("vivid colours", "鲜艳"),
    "soft": ("soft light", "柔光"),
    "dark": ("darkness", "幽暗"),
    "bright": ("brightness", "明亮"),
    "warm": ("warm colours", "暖色"),
    "cold": ("cold colours", "冷色"),
    "waterlily": ("water lilies", "睡莲"),
    "blossom": ("blossom", "繁花"),
    "hill": ("hill", "山丘"),
    "tide": ("low tide", "退潮"),
    "ship": ("ship", "海船"),
    "sailboat": ("sails", "船帆"),
    "people": ("people", "人物"),
    "river": ("river", "河流"),
    "village": ("village", "村庄"),
    "olive": ("olive trees", "橄榄树"),
    "sea": ("sea", "大海"),
    "cliff": ("cliff", "悬崖"),
    "rock": ("rocks", "岩石"),
    "street": ("street", "街道"),
    "road": ("road", "道路"),
    "field": ("field", "田野"),
    "wave": ("waves", "波浪"),
    "rose": ("Guy Rose", "盖伊·罗斯"),
    "day": ("daylight", "白昼"),
    "night": ("night", "夜晚"),
    "moon": ("moonlight", "月光"),
    "temple": ("temple", "寺庙"),
    "ice": ("ice", "冰雪"),
}
"""Names of words whose first term in the lexicon is unclear by itself: English, Chinese."""
_SKIPPED = frozenset(GROUPS["place"].split()) | {"landscape"}
_ALL = Vocabulary(words_of())


@dataclass(frozen=True, slots=True)
class Name:
    """A word in both languages and its effect on the channel, in standard deviations."""

    en: str
    zh: str
    score: float


def display_name(word: str) -> tuple[str, str]:
    """A word of the lexicon or a genre as it is displayed: English, Chinese."""
    if word in GENRES:
        return GENRES[word]
    if word in _SHOWN:
        return _SHOWN[word]
    english, chinese = terms_of(word, "en")[0], terms_of(word, "zh")[0]
    if word in GROUPS["artist"].split():
        english = english.title()
    elif word in GROUPS["style"].split():
        english = english.capitalize()
    elif word in GROUPS["colour"].split():
        chinese += "色"
    return english, chinese


def label_name(label: str) -> tuple[str, str] | None:
    """A label of the network's heads in both languages; None for one without a lexicon term."""
    if label in GENRES:
        return GENRES[label]
    words = _ALL.read(label).words
    return display_name(words[0]) if words else None


def words_of_paintings(rows: Sequence[Painting], pictures: npt.NDArray[np.uint8]) -> list[set[str]]:
    """Words from the rows and measured on their ``pictures`` uint8 (N, H, W, 3)."""
    found = []
    for row, seen in zip(rows, measured_words(pictures), strict=True):
        words = (metadata_words(row) | seen) - _SKIPPED
        found.append(words | ({row.genre} if row.genre in GENRES else set()))
    return found


def word_effects(
    responses: npt.NDArray[np.float32], words: Sequence[set[str]]
) -> tuple[tuple[str, ...], npt.NDArray[np.float32]]:
    """Words, and the effect of each on each channel: (channels, words).

    ``responses`` (N, channels). How far the mean over the word's pictures is above that of all, in standard
    deviations, shrunk for rare words.
    """
    counts = Counter(word for one in words for word in one)
    known = tuple(sorted(word for word, count in counts.items() if FEWEST <= count <= 0.9 * len(words)))
    if not known:
        return (), np.zeros((responses.shape[1], 0), np.float32)
    flags = np.array([[word in one for word in known] for one in words], np.float32)
    standard = (responses - responses.mean(0)) / (responses.std(0) + 1e-6)
    number = flags.sum(0)
    effect = standard.T @ flags / number * np.sqrt(number / (number + SHRINKAGE))
    return known, np.asarray(effect, np.float32)


def assign_words(table: npt.NDArray[np.float32], words: Sequence[tuple[str, str]]) -> list[Name]:
    """A word for each channel by a table of effects (channels, words), the strongest effects first.

    No word names more than MOST_CHANNELS. Raises ValueError when there are too few words for that.
    """
    if len(table) > MOST_CHANNELS * len(set(words)):
        raise ValueError(
            f"{len(set(words))} words for {len(table)} channels, each at most {MOST_CHANNELS} times"
        )
    found: dict[int, Name] = {}
    used: Counter[tuple[str, str]] = Counter()
    for place in np.argsort(-table, axis=None, kind="stable"):
        channel, column = divmod(int(place), table.shape[1])
        word = words[column]
        if channel in found or used[word] >= MOST_CHANNELS:
            continue
        used[word] += 1
        found[channel] = Name(word[0], word[1], float(table[channel, column]))
    return [found[channel] for channel in range(len(table))]


def number_repeats(names: Sequence[Name]) -> list[Name]:
    """The same names; a word that was there before gets the number 2."""
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name.en] += 1
        again = f" {seen[name.en]}" if seen[name.en] > 1 else ""
        found.append(Name(name.en + again, name.zh + again, name.score))
    return found
