"""Leading a poem: drafts, rhymes, books, dynasties, couplets; and hard wishes. Real classes, toy weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.parameters import complete
from tests.engine.poetry.test_verse import WORDS, save_toy, tables, task, written
from workers.engines.base import InvalidRequest, Poem
from workers.engines.poetry.chinese import prosody, rhyme_dictionaries
from workers.engines.verse import VerseEngine


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VerseEngine:
    """The toy poet."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    save_toy(tmp_path / "verse")
    return VerseEngine()


def one(engine: VerseEngine, seed: int = 7, **wish: Any) -> Poem:
    return written(engine.run([task(seed, **wish)])[0])[0]


def refused(engine: VerseEngine, **wish: Any) -> InvalidRequest:
    (result,) = engine.run([task(**wish)])
    assert isinstance(result.error, InvalidRequest), result
    return result.error


def of_tone(tone: int, rhyme: int | None = None, start: int = 0) -> list[str]:
    """Characters of the toy vocabulary with a tone (and a rhyme)."""
    tones, rhymes = tables()
    found = [i for i in range(2, len(WORDS)) if int(tones[i]) == tone]
    return [WORDS[i] for i in found if rhyme is None or rhymes[i, rhyme]][start:]


LEVEL = of_tone(prosody.TONE_LEVEL)
OBLIQUE = of_tone(prosody.TONE_OBLIQUE)


def test_given_characters_stand_where_they_were_put(engine: VerseEngine) -> None:
    first = one(engine)
    opening = f"{first.lines[0]}，□□{first.lines[1][2]}□□/{first.lines[2]}"
    poem = one(engine, seed=8, opening=opening)
    assert (poem.lines[0], poem.lines[1][2], poem.lines[2]) == (
        first.lines[0],
        first.lines[1][2],
        first.lines[2],
    )
    # What was regular stays so: scheme and rhyme are those of the given lines, and nothing is relaxed.
    assert (poem.details["pattern"], poem.details["craft"]["relaxed"]) == (first.details["pattern"], [])
    assert poem.details["craft"]["breaches"] == {"tone": [], "rhyme": [], "repeat": []}
    assert poem.details["craft"]["given"] == [*range(5), 7, *range(10, 15)]
    begun = [*first.lines[:2], first.lines[2][:2]]
    again = one(engine, seed=9, opening="/".join(begun))
    assert "".join(again.lines).startswith("".join(begun))


def test_a_whole_poem_may_be_given_and_is_judged(engine: VerseEngine) -> None:
    flat = "".join(OBLIQUE[:20])
    poem = one(engine, opening=flat)
    assert "".join(poem.lines) == flat
    relaxed = {entry["code"]: entry for entry in poem.details["craft"]["relaxed"]}
    assert set(relaxed) == {"given_tones"}
    marks = "".join(poem.details["craft"]["marks"])
    assert poem.details["craft"]["breaches"]["tone"] == [i for i, m in enumerate(marks) if m in "平韵"]


def test_the_scheme_with_the_fewest_breaches_is_taken(engine: VerseEngine) -> None:
    form = prosody.FORM_BY_SLUG["5jueju"]
    pools = {prosody.OBLIQUE: iter(OBLIQUE[:60]), prosody.RHYME: iter(of_tone(prosody.TONE_LEVEL, 1, 20))}
    level = iter(of_tone(prosody.TONE_LEVEL, 0))
    for pattern in range(1, 5):
        codes = prosody.slot_codes(form, pattern)[:10]
        line = "".join(next(pools.get(code, level)) for code in codes)
        broken = OBLIQUE[70 + pattern] if codes[1] != prosody.OBLIQUE else LEVEL[70 + pattern]
        line = line[0] + broken + line[2:]
        poem = one(engine, opening=line)
        assert poem.details["pattern"] == prosody.pattern_name(form, pattern)
        assert poem.details["rhyme"] == "韵1"
        assert poem.details["craft"]["relaxed"] == [{"code": "given_tones", "characters": broken}]
        assert poem.details["craft"]["breaches"]["tone"] == [1]


def test_a_rhyme_can_be_asked_for_and_a_given_end_that_misses_it_is_told(engine: VerseEngine) -> None:
    _tones, rhymes = tables()
    for name in range(3):
        poem = one(engine, rhyme=f"韵{name}", count=2)
        assert poem.details["rhyme"] == f"韵{name}"
        assert all(rhymes[WORDS.index(poem.lines[line][-1]), name] for line in (1, 3))
    stray = of_tone(prosody.TONE_LEVEL, 2)[5]
    poem = one(engine, rhyme="韵0", opening=f"□□□□□/□□□□{stray}")
    assert poem.lines[1][-1] == stray
    assert {"code": "given_rhymes", "characters": stray} in poem.details["craft"]["relaxed"]
    assert poem.details["craft"]["breaches"]["rhyme"] == [9]
    assert "韵9" in refused(engine, rhyme="韵77").visitor


def test_characters_without_a_tone_are_told(engine: VerseEngine) -> None:
    poem = one(engine, acrostic="龘𠀀", opening="龘")
    assert [line[0] for line in poem.lines[:2]] == ["龘", "𠀀"]
    assert {"code": "unknown_tones", "characters": "龘𠀀"} in poem.details["craft"]["relaxed"]
    assert poem.details["craft"]["tones"][0][0] == "？"


def test_the_dynasty_changes_the_manner(engine: VerseEngine) -> None:
    assert len({one(engine, dynasty=name, temperature=0.5).lines for name in ("any", "tang", "song")}) > 1


@pytest.mark.parametrize("ends_level", [False, True])
def test_a_couplet_is_answered_with_opposite_tones(engine: VerseEngine, ends_level: bool) -> None:
    tones, _ = tables()
    pools = (iter(LEVEL[:40]), iter(OBLIQUE[:40]))
    line = "".join(next(pools[(place in (1, 4)) != ends_level]) for place in range(5))
    poem = one(engine, form="couplet", opening=line)
    upper, lower = poem.lines
    assert line == (lower if ends_level else upper)
    for place in (1, 3, 4):
        pair = {int(tones[WORDS.index(c)]) for c in (upper[place], lower[place])}
        assert pair == {prosody.TONE_LEVEL, prosody.TONE_OBLIQUE}
    assert not set(upper) & set(lower)
    assert (poem.details["pattern"], poem.details["rhyme"]) == ("", "")
    assert poem.details["craft"]["first_written"] == int(ends_level)
    assert poem.details["craft"]["given"] == [*range(5)] if not ends_level else [*range(5, 10)]


def test_a_couplet_mirrors_what_is_doubled(engine: VerseEngine) -> None:
    line = OBLIQUE[0] * 2 + LEVEL[1] + LEVEL[2] + LEVEL[1] + OBLIQUE[3] + OBLIQUE[0]
    answer = one(engine, form="couplet", opening=line).lines[1]
    assert answer[0] == answer[1] == answer[6]
    assert answer[2] == answer[4]
    assert len(set(answer)) == 4
    assert engine.batch_key(task(form="couplet", opening=line).parameters) == "couplet7"


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"opening": "spring"}, "“s”"),
        ({"opening": "🙂"}, "“🙂”"),
        ({"opening": "春花秋月"[:3] * 2}, "6 characters"),
        ({"opening": "春□□□□/" * 5}, "5 lines"),
        ({"opening": "春", "acrostic": "秋"}, "“秋”"),
        ({"form": "couplet"}, "five or seven"),
        ({"form": "couplet", "opening": "春□江月山"}, "five or seven"),
        ({"form": "couplet", "opening": "春江月"}, "five or seven"),
    ],
)
def test_wishes_that_do_not_fit_are_refused_in_words(
    engine: VerseEngine, wish: dict[str, str], says: str
) -> None:
    assert says in refused(engine, **wish).visitor
    # Whoever shares the batch is not harmed.
    assert engine.batch_key(complete("verse", **wish))


@pytest.mark.timeout(60)
def test_a_line_never_takes_the_last_rhyme(engine: VerseEngine) -> None:
    """Five rhymes are needed, five characters have this rhyme, and the network loves them."""
    book = engine.chinese.books["pingshui"]
    few = torch.nonzero(book.rhymes[:, 1])[:, 0]
    book.rhymes[few[5:], 1] = False
    with torch.no_grad():
        engine.chinese.model.bias[few[:5]] = 12.0
    for form in ("5lvshi", "7lvshi"):
        poems = written(
            engine.run([task(form=form, rhyme="韵1", acrostic="春夏秋冬月山江风", temperature=1.5, count=4)])[
                0
            ]
        )
        for poem in poems:
            assert poem.details["craft"]["breaches"] == {"tone": [], "rhyme": [], "repeat": []}
            assert [line[0] for line in poem.lines] == list("春夏秋冬月山江风")


def test_alternatives_are_what_the_rules_allow(engine: VerseEngine) -> None:
    tones, _ = tables()
    poem = one(engine, form="7lvshi", count=1, opening="春")
    facts = poem.details["craft"]
    text, marks = "".join(poem.lines), "".join(facts["marks"])
    assert len(facts["options"]) == len(text) == 56
    for place, options in enumerate(facts["options"]):
        chances = [chance for _character, chance in options]
        assert 1 <= len(options) <= 6
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) <= 1.001
        for character, _chance in options:
            tone = int(tones[WORDS.index(character)])
            assert marks[place] == "中" or (tone == prosody.TONE_LEVEL) == (marks[place] in "平韵")
            assert character not in text[:place] or character == text[place - 1]
    # Taking one goes on from there.
    taken = text[:20] + facts["options"][20][-1][0]
    assert "".join(one(engine, form="7lvshi", opening=taken).lines).startswith(taken)
    assert len(json.dumps(dict(poem.details), ensure_ascii=False).encode()) < 10_000


def test_todays_rhymes_are_those_of_todays_readings(engine: VerseEngine) -> None:
    for poem in written(engine.run([task(rhyme_book="modern", count=4)])[0]):
        assert poem.details["rhyme_book"] == "modern"
        groups = {rhyme_dictionaries.spoken(poem.lines[line][-1]) for line in (1, 3)}
        assert len(groups) == 1
        assert next(iter(groups))[0] == prosody.TONE_LEVEL
        assert poem.details["craft"]["breaches"]["tone"] == []
    wanted = one(engine, rhyme_book="modern", rhyme="韵1").details
    assert wanted["craft"]["relaxed"] == [{"code": "rhyme_by_book", "rhyme": wanted["rhyme"]}]


@pytest.mark.parametrize(
    ("character", "tone", "group"),
    [
        ("白", "平", 3),
        ("月", "仄", 2),
        ("诗", "平", 12),
        ("西", "平", 11),
        ("东", "平", 10),
        ("女", "仄", 11),
    ],
)
def test_readings_of_today(character: str, tone: str, group: int) -> None:
    assert rhyme_dictionaries.spoken(character) == (
        {"平": prosody.TONE_LEVEL, "仄": prosody.TONE_OBLIQUE}[tone],
        group,
    )


def test_pinyin_has_one_reading_a_character() -> None:
    assert rhyme_dictionaries.pinyin("白日依山尽") == ["bái", "rì", "yī", "shān", "jǐn"]
    assert rhyme_dictionaries.pinyin("□𣃁山x")[2:] == ["shān", ""]
    assert len(rhyme_dictionaries.pinyin("朝辞白帝彩云间")) == 7
