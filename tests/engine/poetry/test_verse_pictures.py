"""Poems for a picture: the real engines at toy size look at it before they write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.engine.poetry.test_verse import Recorder, save_toy, task, written
from tests.engine.toy_classifier import write_classifier
from tests.engine.toy_painting import write_models
from workers import weights
from workers.engines.base import JobCanceled, Poem, Task
from workers.engines.verse import VerseEngine
from workers.engines.vision.text_image_matcher import MODEL
from workers.engines.vision.zero_shot_tags import USUAL_FILE


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a toy ``verse``, and nothing that sees."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    save_toy(tmp_path / "verse")
    return tmp_path


def on_picture(folder: Path, work: dict[str, Any] | None = None, **changes: Any) -> Task:
    path = folder / "picture.png"
    Image.new("RGB", (120, 90), "#12182c").save(path)
    asked = task(prompt=changes.pop("prompt", ""), **changes)
    works = {} if work is None else {"image": work}
    return Task(asked.parameters, asked.seed, asked.report, {"image": path}, works)


def poem_of(engine: VerseEngine, asked: Task) -> Poem:
    (poem,) = written(engine.run([asked])[0])
    return poem


def test_without_the_network_light_and_colours_are_read(models: Path, tmp_path: Path) -> None:
    poem = poem_of(VerseEngine(), on_picture(tmp_path))
    assert poem.details["picture"] == {"light": "dark", "colours": ["navy"]}
    assert poem.title == "题画"


@pytest.mark.usefixtures("models")
def test_the_network_that_sees_reads_an_upload(tmp_path: Path) -> None:
    write_classifier(tmp_path)
    told = poem_of(VerseEngine(), on_picture(tmp_path)).details["picture"]
    assert told["light"] == "dark"
    assert told.get("genre") in (None, "landscape", "portrait")


@pytest.mark.usefixtures("models")
def test_an_analysis_is_taken_as_it_is(tmp_path: Path) -> None:
    reading = {"genre": "landscape", "light": None, "season": "autumn", "objects": ["mountain"]}
    work = {"details": {"analysis": {"format": 1, "reading": reading}}}
    poem = poem_of(VerseEngine(), on_picture(tmp_path, work))
    assert poem.title == "题秋山图"
    assert poem.details["theme"] == "山秋"
    assert poem.details["picture"]["season"] == "autumn"


@pytest.mark.parametrize(("genre", "expected"), [("landscape", ["mountain"]), ("still life", None)])
def test_views_leave_impressions_and_other_pictures_do_not(
    models: Path, tmp_path: Path, genre: str, expected: list[str] | None
) -> None:
    write_models(models)
    table = {"matcher": weights.load(MODEL).digest, "words": {"mountain": [-2.0, 0.1]}}
    (models / MODEL / USUAL_FILE).write_text(json.dumps(table), "utf-8")
    work = {"details": {"analysis": {"format": 1, "reading": {"genre": genre}}}}
    poem = poem_of(VerseEngine(), on_picture(tmp_path, work))
    assert poem.details["picture"].get("perhaps") == expected
    assert ("山" in poem.details["theme"]) is bool(expected)


@pytest.mark.usefixtures("models")
def test_a_painting_gives_its_prompt_and_a_theme_of_ones_own_comes_first(tmp_path: Path) -> None:
    work = {"details": {"understood": [{"text": "a mountain "}, {"text": "in spring", "words": ["spring"]}]}}
    poem = poem_of(VerseEngine(), on_picture(tmp_path, work, prompt="秋月"))
    assert poem.details["theme"].startswith("秋月山春")
    assert poem.details["picture"]["prompt"] == "a mountain in spring"
    assert poem.title == "秋月"


@pytest.mark.usefixtures("models")
def test_the_same_picture_and_seed_give_the_same_poem(tmp_path: Path) -> None:
    engine = VerseEngine()
    assert poem_of(engine, on_picture(tmp_path)) == poem_of(engine, on_picture(tmp_path))


@pytest.mark.usefixtures("models")
def test_who_cancels_while_their_picture_waits_stops_nobody_else(tmp_path: Path) -> None:
    def cancel(step: int) -> None:
        raise JobCanceled

    canceled = on_picture(tmp_path, report=Recorder(cancel))
    first, second = VerseEngine().run([canceled, on_picture(tmp_path)])
    assert isinstance(first.error, JobCanceled)
    assert len(written(second)) == 1


@pytest.mark.usefixtures("models")
def test_people_hear_that_the_picture_is_looked_at(tmp_path: Path) -> None:
    class Phases(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.phases: list[str] = []

        def phase(self, name: str) -> None:
            self.phases.append(name)

    with_picture, without = Phases(), Phases()
    engine = VerseEngine()
    poem_of(engine, on_picture(tmp_path, report=with_picture))
    assert "picture" not in poem_of(engine, task(report=without)).details
    assert with_picture.phases == ["looking", "writing"]
    assert without.phases == ["writing"]
