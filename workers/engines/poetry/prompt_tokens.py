"""A prompt for a poem in pieces: Chinese characters, words and signs; and what in it is no theme."""

from __future__ import annotations

import re
import unicodedata

from workers.engines.language.character_variants import fold
from workers.engines.language.han import HAN
from workers.engines.language.theme_lexicon import TRADITIONAL

READ_AT_MOST = 2000
"""Characters of a prompt that are read; a theme has at most eight, so a book need not be searched."""

_TOKEN = re.compile(rf"[{HAN}]+|[^\W\d_{HAN}]+(?:['’-][^\W\d_{HAN}]+)*|[^\s\w]", re.UNICODE)
# The request around a theme, e.g. in 请以“落叶”为题写一首七言绝句.
_REQUEST = re.compile(
    r"^(?:请|帮我|给我|为我|我想要?|想要)+|[写作做赋来]?[一几两]?首(?=关于|有关|[五七]言|诗)|[写作做赋来]一首|^一首|[写作做赋]诗"
    r"|^[写咏]|[五七]言(?:绝句|律诗)?|的?(?:绝句|律诗|古诗|诗歌|小诗)|关于|有关|描写|描述|(?:主题|题目)[是为]?|^以|为题|的?诗$"
)
# Grammar, not theme.
GRAMMAR = frozenset("的了是我你您他她它们在和与及着吗呢吧啊呀这那有为给让把被就也都很个些之而其以于诗题")
ENGLISH_GRAMMAR = frozenset(
    """a an the of in on at with and or but from near by to under over into through for as is are was were
    be it its i me my we our you your he she his her they their this that these those there here about write
    please make compose want like some any no not so very verse chinese classical tang style s t""".split()  # noqa: SIM905
)


def tokens(prompt: str) -> list[str]:
    """Runs of Chinese characters, words of other scripts and single signs, in their order."""
    return _TOKEN.findall(unicodedata.normalize("NFC", prompt[:READ_AT_MOST]))


def without_request(run: str) -> str:
    """A run of Chinese characters (simplified) without the request around its theme."""
    return _REQUEST.sub("", run)


def simplify(text: str) -> str:
    """Traditional and variant characters as the vocabulary spells them; the length stays."""
    return fold(text.translate(TRADITIONAL))


def has_request(text: str) -> bool:
    """Whether ``text`` (simplified) asks for a poem in Chinese, beside naming its theme."""
    return _REQUEST.search(text) is not None
