"""English forms of the verse engine at toy size: real classes, random weights, wishes as people type them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.engine.parameters import complete
from tests.engine.poetry import test_english, test_verse
from tests.engine.poetry.test_verse import Recorder, written
from workers import weights
from workers.engines.base import (
    EngineError,
    InvalidRequest,
    JobCanceled,
    JobReleased,
    Poem,
    SilentReport,
    Task,
    model_of,
)
from workers.engines.poetry.english import forms
from workers.engines.verse import VerseEngine
from workers.training.english_verse import rule_checker

SLUGS = [form.slug for form in forms.FORMS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with both toys, and nothing that sees."""
    root = tmp_path_factory.mktemp("models")
    test_verse.save_toy(root / "verse", poets=("李白", "苏轼"))
    test_english.save_toy(root / "verse-english")
    return root


@pytest.fixture
def models(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models folder, in use."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(folder))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    monkeypatch.setattr(weights, "SHIPPED", folder)
    return folder


@pytest.fixture(scope="module")
def loaded(folder: Path) -> VerseEngine:
    """One engine for all tests that change nothing of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSITE_MODELS_DIR", str(folder))
        patch.setenv("ARTSITE_DEVICE", "cpu")
        patch.setattr(weights, "SHIPPED", folder)
        engine = VerseEngine()
        engine.run([task()])
    return engine


@pytest.fixture
def engine(models: Path, loaded: VerseEngine) -> VerseEngine:
    return loaded


def task(seed: int = 7, report: SilentReport | None = None, **changes: Any) -> Task:
    given = {"prompt": "the sea at night", "form": "quatrain", "temperature": 1.0} | changes
    return Task(complete("verse", **given), seed, report or SilentReport())


def one(engine: VerseEngine, seed: int = 7, **wish: Any) -> Poem:
    return written(engine.run([task(seed, **wish)])[0])[0]


def refused(engine: VerseEngine, **wish: Any) -> InvalidRequest:
    (result,) = engine.run([task(**wish)])
    assert isinstance(result.error, InvalidRequest), result
    assert result.error.visitor[-1] == "."
    return result.error


@pytest.mark.parametrize("slug", SLUGS)
def test_a_poem_keeps_its_form_and_tells_how_it_was_made(engine: VerseEngine, slug: str) -> None:
    form = forms.FORM_BY_SLUG[slug]
    poem = one(engine, form=slug)
    assert rule_checker.check(poem.lines, slug).right, poem.lines
    details = dict(poem.details)
    assert len(json.dumps(details).encode()) < 40_000
    facts = details.pop("craft")
    assert details == {
        "form": slug,
        "form_name": form.name,
        "language": "en",
        "scheme": form.scheme,
        "stanzas": list(form.stanzas),
        "author": "",
        "acrostic": "",
        "theme": ["sea", "night"],
    }
    assert (facts["format"], facts["language"], facts["scheme"]) == (2, "en", form.scheme)
    assert (facts["templates"], facts["given"], facts["relaxed"]) == (list(form.templates), [], [])
    for line, printed, template in zip(facts["lines"], poem.lines, form.templates, strict=True):
        assert joined([piece["text"] for piece in line]) == printed
        assert sum(len(piece["stress"]) for piece in line) == len(template)
        assert line[-1]["text"] in ("", ",", ";", ":", ".", "!", "?")
        assert all(len(piece["options"]) <= 6 for piece in line)


def joined(texts: list[str]) -> str:
    """Words and marks as a line is printed."""
    return "".join(text if text in ",;:.!?" else f" {text}" for text in texts).strip()


def test_any_word_may_be_taken_and_the_poem_goes_on_from_there(engine: VerseEngine) -> None:
    first = one(engine, form="haiku", seed=3)
    facts = first.details["craft"]["lines"]
    for number, line in enumerate(facts):
        for place, piece in enumerate(line):
            rest = joined([other["text"] for other in line[place + 1 :]])
            for option, _chance in piece["options"][-1:]:
                draft = "/".join([*first.lines[:number], f"_ {option} {rest}"])
                again = one(engine, form="haiku", seed=3, opening=draft)
                assert again.lines[:number] == first.lines[:number]
                assert again.lines[number].lower().endswith(joined([option, rest]).lower()), draft
                assert again.details["craft"]["given"] == [*range(number + 1)]
                assert rule_checker.check(again.lines, "haiku").right
                if not option and not rest:
                    assert again.lines[number][-1].isalpha()


def test_a_draft_is_kept_and_the_rest_rhymes_with_it(engine: VerseEngine) -> None:
    first = one(engine)
    end = " ".join(first.lines[2].split()[-2:])
    for draft in (f"/{first.lines[1]}/_ {end}", f"\r\n{first.lines[1]}\r\n… {end}\r\n\r\n"):
        poem = one(engine, seed=9, opening=draft)
        assert poem.lines[1] == first.lines[1]
        assert poem.lines[2].lower().endswith(end.lower())
        assert poem.lines[0] != first.lines[0]
        assert poem.details["craft"]["given"] == [1, 2]
        assert rule_checker.check(poem.lines, "quatrain").right
    assert one(engine, seed=9, opening="/".join(first.lines)).lines == first.lines


def test_an_acrostic_and_a_poet(engine: VerseEngine) -> None:
    poem = one(engine, acrostic="Sé a!", english_poet="John Clare")
    assert rule_checker.acrostic(poem.lines).upper()[:3] == "SEA"
    assert (poem.details["acrostic"], poem.details["author"]) == ("SEA", "John Clare")
    assert "manner" in refused(engine, english_poet="Nobody").visitor


def test_a_chinese_poet_brings_his_dynasty(engine: VerseEngine) -> None:
    prepared = {
        poet: engine.chinese.prepare(task(form="7jueju", poet=poet, dynasty="any"), lambda _: None)
        for poet in ("any", "李白", "苏轼")
    }
    told = [(one.drafts[0].author, one.drafts[0].dynasty) for one in prepared.values()]
    assert told == [(0, 0), (1, 1), (2, 2)]
    assert one(engine, form="5jueju", poet="苏轼").details["author"] == "苏轼"
    assert "李白" in refused(engine, form="5jueju", poet="John Clare").visitor


def test_lines_appear_one_by_one(engine: VerseEngine) -> None:
    report = Recorder()
    made = written(engine.run([task(report=report, count=2)])[0])
    assert report.steps == sorted(report.steps)
    assert report.steps[-1] == 32
    # A stop is noticed between words.
    assert len(set(report.steps)) > 8
    for index, poem in enumerate(made):
        assert report.texts[index] == ["\n".join(poem.lines[: i + 1]) for i in range(4)]


def test_one_recipe_is_one_poem_whoever_shares_the_batch(engine: VerseEngine) -> None:
    tasks = [
        task(1, count=2),
        task(2, prompt="", temperature=1.4, acrostic="SEA"),
        task(3, prompt="大海", english_poet="John Clare"),
        task(4, acrostic="春"),
    ]
    assert {engine.batch_key(t.parameters) for t in tasks} == {"quatrain"}
    *together, bad = engine.run(tasks)
    assert isinstance(bad.error, InvalidRequest)
    for result, asked in zip(together, tasks[:3], strict=True):
        assert written(result) == written(engine.run([asked])[0])
    with pytest.raises(ValueError, match="several forms"):
        engine.run([task(), task(form="haiku"), task(form="7jueju")])


@pytest.mark.parametrize("reason", [JobCanceled, JobReleased])
def test_a_stopped_task_ends_within_a_line_and_alone(engine: VerseEngine, reason: type[Exception]) -> None:
    def stop(step: int) -> None:
        if step >= 11:
            raise reason

    report = Recorder(stop)
    stopped, going = engine.run([task(1, report=report, count=2), task(2)])
    assert isinstance(stopped.error, reason)
    assert not stopped.outputs
    assert 11 <= report.steps[-1] < 16
    assert written(going) == written(engine.run([task(2)])[0])
    (alone,) = engine.run([task(1, report=Recorder(stop))])
    assert isinstance(alone.error, reason)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("form", ["haiku", "5jueju"])
@pytest.mark.parametrize(
    "prompt",
    [
        "",
        "the sea " * 12_500,
        "秋" * 100_000,
        "x" * 100_000,
        "🙂" * 1000,
        "👩\u200d🚀",
        "秋 moon луна 🌙\x00 λόγος",
        "قمر \u202eفوق البحر",
        "\x00\x07\x1b[31m",
        "'" * 1000,
        "write a poem about " * 5000,
        "<script>alert(1)</script>",
    ],
)
def test_strange_themes_still_give_a_poem(engine: VerseEngine, form: str, prompt: str) -> None:
    poem = one(engine, form=form, prompt=prompt)
    assert poem.lines
    assert len(poem.title) <= 60
    assert poem.title.isprintable()


def test_unknown_words_are_told_and_grammar_is_not(engine: VerseEngine) -> None:
    report = Recorder()
    one(engine, report=report, prompt="the sea and the blockchain, 🦄")
    assert report.notes == [("unknown_words", {"words": ["blockchain", "🦄"]})]
    quiet = Recorder()
    one(engine, report=quiet, prompt="it's at night: 大海的夜")
    assert quiet.notes == []


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("the sea at night", "The Sea at Night"),
        ("  The Old Sea ", "The Old Sea"),
        ("江上秋月", "江上秋月"),
        ("请写一首关于大海的十四行诗", "大海"),
        ("write a haiku about the sea.", "The Sea"),
        ("the sea " * 9, None),
        ("🌊", None),
        ("", None),
    ],
)
def test_titles(engine: VerseEngine, prompt: str, title: str | None) -> None:
    poem = one(engine, form="haiku", prompt=prompt)
    assert poem.title == (title or poem.lines[0].rstrip(",;:.!?"))


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        ({"acrostic": "春風"}, "A to Z; “春”"),
        ({"acrostic": "ﷺ"}, "A to Z"),
        ({"acrostic": "🌊"}, "A to Z"),
        ({"acrostic": "SEASIDE"}, "7 letters; this form has 4 lines"),
        ({"opening": "白日依山尽"}, "English words; “白”"),
        ({"opening": "قمر"}, "English words"),
        ({"opening": "the sea 24"}, "“2”"),
        ({"opening": "/".join(["the sea"] * 5)}, "5 lines; this form has 4"),
        ({"opening": "zzyzx"}, "pronounce “zzyzx”"),
        ({"opening": "z" * 100_000}, "pronounce “zzz"),
        ({"opening": "the " * 25_000}, "25000 syllables"),
        ({"opening": "/?!"}, "Line 2 of the draft has no words"),
        ({"opening": "the sea"}, "2 syllables; the form has 8 there. Begin it with _"),
        ({"opening": "_ " + "night " * 9}, "9 syllables"),
        ({"opening": "_ the sea//_ the night"}, "Line 3 should rhyme with line 1"),
        ({"opening": "_ the night//_ a night"}, "Lines 1 and 3 end on the same sound"),
        ({"opening": "the night " * 4, "acrostic": "S"}, "Line 1 must begin with “S”"),
        ({"opening": "_ the night the sea the night the sea", "acrostic": "S"}, "begin with “S”"),
        ({"opening": "sea the night the sea the night the"}, "does not fall on the beats of line 1"),
        ({"form": "7jueju", "opening": "The sea"}, "“T”"),
        ({"form": "7jueju", "acrostic": "sea"}, "“s”"),
        ({"form": "7jueju", "acrostic": "ﷺ"}, "Chinese characters"),
        ({"form": "7jueju", "opening": "春/" * 500}, "500 lines"),
    ],
)
def test_wishes_that_contradict_are_refused_in_words(
    engine: VerseEngine, wish: dict[str, str], says: str
) -> None:
    assert says in refused(engine, **wish).visitor


@pytest.mark.timeout(120)
def test_eight_sonnets_of_one_wish_are_eight_poems(engine: VerseEngine) -> None:
    poems = written(engine.run([task(form="sonnet", count=8, temperature=1.5)])[0])
    assert len({poem.lines for poem in poems}) == 8
    assert all(rule_checker.check(poem.lines, "sonnet").right for poem in poems)


def on_picture(folder: Path, prompt: str = "", work: dict[str, Any] | None = None) -> Task:
    path = folder / "picture.png"
    Image.new("RGB", (120, 90), "#12182c").save(path)
    asked = task(prompt=prompt, form="haiku")
    works = {} if work is None else {"image": work}
    return Task(asked.parameters, asked.seed, asked.report, {"image": path}, works)


@pytest.mark.parametrize(
    ("reading", "prompt", "title", "theme"),
    [
        (
            {"genre": "landscape", "season": "winter", "objects": ["sea"]},
            "",
            "On a Winter Landscape",
            ["sea"],
        ),
        ({"genre": "still life", "season": "autumn"}, "", "On an Autumn Still Life", []),
        ({"genre": "portrait"}, "night", "Night", ["night"]),
        (None, "", "On a Picture", ["night"]),  # dark
    ],
)
def test_a_picture_is_the_theme_and_gives_a_title(
    models: Path, tmp_path: Path, reading: dict[str, Any] | None, prompt: str, title: str, theme: list[str]
) -> None:
    work = reading and {"details": {"analysis": {"format": 1, "reading": reading}}}
    (poem,) = written(VerseEngine().run([on_picture(tmp_path, prompt, work)])[0])
    assert poem.title == title
    assert poem.details["theme"][: len(theme)] == theme
    assert "picture" in poem.details


def test_a_painting_gives_the_words_that_it_was_painted_from(models: Path, tmp_path: Path) -> None:
    work = {"details": {"understood": [{"text": "the sea"}, {"text": " in moonshine"}]}}
    report = Recorder()
    asked = on_picture(tmp_path, "night", work)
    asked = Task(asked.parameters, asked.seed, report, asked.inputs, asked.works)
    (poem,) = written(VerseEngine().run([asked])[0])
    assert poem.details["theme"][:2] == ["night", "sea"]
    # What the painter understood and the poet does not is no news to who asks for a poem.
    assert report.notes == []


def test_without_english_weights_chinese_goes_on(models: Path, tmp_path: Path) -> None:
    os.environ["ARTSITE_MODELS_DIR"] = str(tmp_path)  # undone by the fixture
    shutil.copytree(models / "verse", tmp_path / "verse")
    weights.SHIPPED = tmp_path  # undone by the fixture
    engine = VerseEngine()
    assert written(engine.run([task(form="5jueju", prompt="秋")])[0])
    (result,) = engine.run([task()])
    assert type(result.error) is EngineError
    assert result.error.code == "engine_unavailable"
    assert "verse-english" in str(result.error)
    assert engine.model_of({"form": "haiku"}) == ("verse-english", "")
    # An operator puts them there: the next poem is written, with no restart.
    shutil.copytree(models / "verse-english", tmp_path / "verse-english")
    assert one(engine)
    shutil.rmtree(tmp_path / "verse-english")
    assert one(engine, seed=8)


def test_a_result_names_the_weights_that_wrote_it(engine: VerseEngine) -> None:
    chinese, english = weights.load("verse").digest, weights.load("verse-english").digest
    assert model_of(engine, {"form": "7jueju"}) == ("verse", chinese)
    assert model_of(engine, {"form": "sonnet"}) == ("verse-english", english)
    assert model_of(VerseEngine(), {"form": "sonnet"}) == ("verse-english", english)
