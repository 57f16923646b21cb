"""The checker of regulated verse and the retrieval of themes, with tables of the test's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from workers.training.chinese_verse.corpus import PoemText
from workers.training.chinese_verse.rule_checker import RuleChecker, shares
from workers.training.chinese_verse.theme_retrieval import Retrieval

# Wang Zhihuan, Li Bai, Du Fu: with the tones that the books give their characters.
STOREY = ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")
BAIDI = ("朝辞白帝彩云间", "千里江陵一日还", "两岸猿声啼不住", "轻舟已过万重山")
SPRING = (
    "国破山河在", "城春草木深", "感时花溅泪", "恨别鸟惊心",
    "烽火连三月", "家书抵万金", "白头搔更短", "浑欲不胜簪",
)  # fmt: skip
LEVEL = {
    "十一尤": "流楼",
    "十五删": "间还山",
    "十二侵": "深心金簪",
    "": "依黄河穷千层朝辞云江陵猿声啼轻舟重城春时花惊烽连三家书头搔浑胜",
}
OBLIQUE = "白日尽入海欲里目更上一帝彩两岸不住已过万国破在草木感溅泪恨别鸟火月抵短"


@pytest.fixture
def checker(tmp_path: Path) -> RuleChecker:
    folder = tmp_path / "text"
    folder.mkdir()
    book = {
        "上平声部": {name: list(found) for name, found in LEVEL.items()},
        "去声部": {"一送": list(OBLIQUE)},
    }
    (folder / "pingshui_rhyme.json").write_text(json.dumps(book), "utf-8")
    (folder / "character_tones.json").write_text(json.dumps({"重": "多", "风": "平"}), "utf-8")
    return RuleChecker.load(tmp_path)


@pytest.mark.parametrize("lines", [STOREY, BAIDI, SPRING], ids=lambda lines: lines[0])
def test_poems_of_the_masters_pass(checker: RuleChecker, lines: tuple[str, ...]) -> None:
    report = checker.check(lines)
    assert (report.form, report.tones, report.rhyme) == (True, True, True)


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        (STOREY[:3], "form"),
        ((*STOREY[:3], STOREY[3] + "楼"), "form"),
        ((), "form"),
        ((STOREY[1], STOREY[0], *STOREY[2:]), "tones"),  # an odd line rhymes, an even one ends oblique
        ((*STOREY[:2], STOREY[0], STOREY[3]), "tones"),  # the second couplet does not stick to the first
        ((STOREY[0], "入河入海流", *STOREY[2:]), "tones"),  # a level tone stands alone
        ((*STOREY[:3], "更上山层楼"), "tones"),  # three level tones at the end
        ((*STOREY[:3], "更上一层山"), "rhyme"),
        (("朝辞白帝彩云流", *BAIDI[1:]), "rhyme"),  # a first line that ends level rhymes too
        ((*STOREY[:3], "更上一河楼"), "once"),
    ],
)
def test_what_is_broken_is_found(checker: RuleChecker, lines: tuple[str, ...], broken: str) -> None:
    report = checker.check(lines)
    assert not getattr(report, broken)
    assert report.regular is (broken == "once")


def test_unknown_characters_fit_everywhere_and_are_reported(checker: RuleChecker) -> None:
    assert checker.check(("龘日龘龘尽", *STOREY[1:])).regular
    assert checker.check(STOREY).listed
    unlisted = checker.check((*STOREY[:3], "更上一层龘"))
    assert (unlisted.rhyme, unlisted.listed) == (True, False)
    assert not checker.check((*STOREY[:3], "更上一层目")).rhyme  # listed, but not level
    assert shares([checker.check(STOREY), checker.check(STOREY[:2])]) == {
        "form_right": 0.5,
        "tones_right": 0.5,
        "rhyme_right": 0.5,
        "rhymes_all_listed": 0.5,
        "no_character_twice": 0.5,
    }


def test_a_couplet_is_opposed_at_the_strict_places(checker: RuleChecker) -> None:
    assert checker.couplet(SPRING[2], SPRING[3])
    assert not checker.couplet(SPRING[3], SPRING[2])  # the upper line ends oblique
    assert not checker.couplet(SPRING[2], SPRING[1][:4] + "目")
    assert not checker.couplet("感时花溅", SPRING[3])


def test_a_theme_is_found_from_the_poem_alone() -> None:
    def poem(title: str, words: str, number: int) -> PoemText:
        lines = tuple(words[i : i + 2] + chr(0x6000 + 3 * number + i) for i in range(0, 8, 2))
        return PoemText(title, "tang", "5jueju", lines)

    texts = [poem("咏雪", "寒冰霜白", n) for n in range(40)]
    texts += [poem("采莲曲", "荷舟歌水", 200 + n) for n in range(40)]
    retrieval = Retrieval(texts, ("雪", "采莲"))
    assert min(retrieval.support.values()) > 30
    assert retrieval.find(("霜白满天寒", "冰冷")) == "雪"
    assert retrieval.find(("荷舟", "水歌")) == "采莲"
