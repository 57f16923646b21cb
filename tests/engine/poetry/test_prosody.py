"""The rules of regulated verse, and what a person's words become: no torch needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from workers.engines.base import InvalidRequest
from workers.engines.language.theme_lexicon import CHINESE, ENGLISH, TRADITIONAL
from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.themes import acrostic_characters, title, understand
from workers.engines.poetry.prompt_tokens import simplify

VOCABULARY = set("月秋乡思山江海雨雪花春夏冬风云夜故人大笔机相茶王")


@pytest.mark.parametrize("form", prosody.FORMS, ids=lambda form: form.slug)
@pytest.mark.parametrize("pattern", [1, 2, 3, 4])
def test_every_scheme_is_regular(form: prosody.Form, pattern: int) -> None:
    codes = prosody.slot_codes(form, pattern)
    assert len(codes) == form.slots
    lines = [codes[i : i + form.length] for i in range(0, form.slots, form.length)]
    for number, line in enumerate(lines):
        # Even lines rhyme, odd ones end oblique; only the first may rhyme too.
        if number % 2:
            assert line[-1] == prosody.RHYME
        elif number:
            assert line[-1] == prosody.OBLIQUE
        # Second and fourth (and sixth) alternate within a line.
        places = range(1, form.length - 1, 2)
        assert prosody.ANY not in [line[p] for p in places]
        for before, after in zip(places, list(places)[1:], strict=False):
            assert line[before] != line[after]
    for number in range(0, form.lines, 2):  # the two lines of a couplet oppose each other (对)
        assert lines[number][1] != lines[number + 1][1]
    for number in range(1, form.lines - 1, 2):  # couplets stick to each other (粘)
        assert lines[number][1] == lines[number + 1][1]
    assert ("首句入韵" in prosody.pattern_name(form, pattern)) == (lines[0][-1] == prosody.RHYME)
    opening = "平" if lines[0][1] == prosody.LEVEL else "仄"
    assert prosody.pattern_name(form, pattern)[0] == opening


def test_li_bais_and_wang_zhihuans_quatrains_fit() -> None:
    # 白日依山尽 黄河入海流 欲穷千里目 更上一层楼
    tones = "仄仄平平仄 平平仄仄平 仄平平仄仄 仄仄仄平平".replace(" ", "")
    found = [prosody.TONE_LEVEL if tone == "平" else prosody.TONE_OBLIQUE for tone in tones]
    form = prosody.FORM_BY_SLUG["5jueju"]
    fitting = [
        pattern
        for pattern in range(1, 5)
        if all(map(prosody.tone_fits, found, prosody.slot_codes(form, pattern)))
    ]
    assert [prosody.pattern_name(form, pattern) for pattern in fitting] == ["仄起首句不入韵"]


def test_an_oblique_acrostic_character_is_made_up_for() -> None:
    form = prosody.FORM_BY_SLUG["5jueju"]
    plain = prosody.slot_codes(form, 1)
    given = prosody.slot_codes(form, 1, {5 * line: prosody.TONE_OBLIQUE for line in range(4)})
    assert plain[5:8] == (prosody.LEVEL, prosody.LEVEL, prosody.ANY)
    assert given[5:8] == (prosody.ANY, prosody.LEVEL, prosody.LEVEL)
    assert given[:5] == plain[:5]


def test_a_bloom_filter_forgets_nothing_and_rarely_imagines() -> None:
    known = BloomFilter.of((f"line {i}" for i in range(1000)), 1250)
    assert all(f"line {i}" in known for i in range(1000))
    assert sum(f"other {i}" in known for i in range(1000)) < 40
    assert "anything" not in BloomFilter(b"")


@pytest.mark.parametrize(
    ("prompt", "characters", "unknown"),
    [
        ("秋夜思乡", "秋夜思乡", ()),
        ("写一首关于秋天的诗", "秋", ()),
        ("请以“大海”为题，写一首七言绝句", "海", ()),
        ("我想要一首五言律诗", "", ()),
        ("autumn moon", "秋月", ()),
        ("Homesick in the RAIN", "乡思雨", ()),
        ("moon's blockchains", "月", ("blockchains",)),
        ("風雲", "风云", ()),
        ("月🍂🦄", "月秋", ("🦄",)),
        ("龘月", "月", ("龘",)),
        ("", "", ()),
        ("!!! ... 123 \x00\u202e", "", ()),
        ("луна 月", "月", ("луна",)),
    ],
)
def test_what_a_theme_becomes(prompt: str, characters: str, unknown: tuple[str, ...]) -> None:
    theme = understand(prompt, VOCABULARY)
    assert (theme.characters, theme.unknown) == (characters, unknown)


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["a", "秋", "🙂", "a-", "'", "moon ", "\u0301", "\u202e"])
def test_a_theme_as_long_as_a_book_is_read_at_once(unit: str) -> None:
    theme = understand(unit * 100_000, VOCABULARY)
    assert len(theme.characters) <= 8
    assert len(theme.unknown) <= 20
    assert all(len(word) <= 40 for word in theme.unknown)
    assert len(title(unit * 100_000, theme, "", "")) <= 16


@pytest.mark.parametrize(
    ("acrostic", "expected"), [("", ""), (" 春，夏 秋冬 ", "春夏秋冬"), ("風", "風"), ("龘", "龘")]
)
def test_an_acrostic_keeps_its_characters_as_typed(acrostic: str, expected: str) -> None:
    assert acrostic_characters(acrostic, 4) == expected


@pytest.mark.parametrize("acrostic", ["春夏秋冬春", "spring", "春🙂", "1234", "はる", "春" * 100_000])
def test_an_impossible_acrostic_is_refused_in_a_sentence(acrostic: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        acrostic_characters(acrostic, 4)
    assert refused.value.code == "bad_acrostic"
    assert len(refused.value.visitor) < 120


@pytest.mark.parametrize(
    ("prompt", "acrostic", "poem", "expected"),
    [
        ("秋夜思乡", "", "", "秋夜思乡"),
        ("moon", "", "", "咏月"),
        ("写一首关于月亮的诗", "", "", "咏月"),
        ("autumn moon", "", "", "秋月"),
        ("", "春夏秋冬", "", "藏头·春夏秋冬"),
        ("", "", "江上看春花", "春日"),
        ("", "", "心", "无题"),
    ],
)
def test_titles(prompt: str, acrostic: str, poem: str, expected: str) -> None:
    assert title(prompt, understand(prompt, VOCABULARY), acrostic, poem) == expected


def test_the_lexicon_is_large_and_well_formed() -> None:
    assert len(ENGLISH) > 400
    for word, characters in {**ENGLISH, **CHINESE}.items():
        assert word == word.lower()
        assert 1 <= len(characters) <= 4
        assert simplify(characters) == characters
    for before, after in TRADITIONAL.items():
        assert len(after) == 1
        assert ord(after) != before


def test_reading_a_theme_needs_no_torch() -> None:
    poetry = "workers.engines.poetry"
    modules = f"{poetry}.chinese.themes, {poetry}.chinese.prosody, {poetry}.english.request"
    code = f"import sys, {modules}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
