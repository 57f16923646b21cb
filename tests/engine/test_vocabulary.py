"""Reading prompts: English, Chinese, mixtures, and what is not understood."""

from __future__ import annotations

import pytest

from workers.engines.lexicon_chinese import CHINESE, CHINESE_STOP
from workers.engines.vocabulary import GROUPS, Vocabulary, words_of

ALL = Vocabulary(words_of())


@pytest.mark.parametrize(
    ("prompt", "words", "unknown"),
    [
        ("a stormy sea at night, by Aivazovsky", "storm sea night aivazovsky", ""),
        (
            "Red sunset over the snowy Himalayas in the style of van Gogh",
            "red sunset snow himalaya mountain gogh",
            "",
        ),
        ("water lilies in Giverny", "waterlily village", ""),
        ("moonlit harbours with a cyberpunk robot", "moon night harbour", "cyberpunk robot"),
        ("GREENISH FIELDS", "green field", ""),
        ("Café de Paris", "paris city", "cafe"),
        ("月光下的大海，一只小船", "moon night sea boat", ""),
        ("莫奈的睡莲池塘，熊猫在吃竹子", "monet waterlily pond forest green", "熊猫 吃"),
        ("秋天的 forest with 恐龙", "autumn forest", "恐龙"),
        ("雪山", "mountain snow", ""),
        ("星月夜", "night gogh", ""),
        ("", "", ""),
        ("the of and 的", "", ""),
        ("12345 !!! 🦄", "", ""),
        ("море", "", "море"),
    ],
)
def test_prompts(prompt: str, words: str, unknown: str) -> None:
    understood = ALL.read(prompt)
    assert (" ".join(understood.words), " ".join(understood.unknown)) == (words, unknown)


def test_a_repeated_word_counts_once() -> None:
    assert ALL.read("sea sea ocean 大海 dragon dragon").words == ("sea",)
    assert ALL.read("dragon dragon").unknown == ("dragon",)


def test_words_that_the_model_lacks_are_unknown() -> None:
    small = Vocabulary(["sea", "night"])
    understood = small.read("moonlight over a mountain and the sea, 雪山")
    assert understood.words == ("night", "sea")
    assert understood.unknown == ("mountain", "雪山")


def test_vectors_have_one_place_per_word() -> None:
    small = Vocabulary(["sea", "night", "red"])
    assert small.vector(["red", "sea"]) == [1.0, 0.0, 1.0]
    with pytest.raises(KeyError):
        small.vector(["green"])
    with pytest.raises(ValueError, match="once"):
        Vocabulary(["sea", "sea"])


def test_the_lexicon_speaks_of_words_that_exist() -> None:
    assert {word for words in CHINESE.values() for word in words} <= set(words_of())
    assert not set(CHINESE) & CHINESE_STOP
    assert len(CHINESE) > 500


def test_every_word_is_understood_as_itself() -> None:
    # A painter whose name is a flower is called by the full name.
    for word in set(words_of()) - {"rose", "himalaya", "venice", "paris", "london"}:
        assert ALL.read(word).words == (word,)
    assert len(words_of()) == len(set(words_of())) == sum(len(g.split()) for g in GROUPS.values())
