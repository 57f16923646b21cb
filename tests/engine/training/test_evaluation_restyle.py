"""What the restyle engine's measures say, at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.toy_restyle import write_restyle
from tests.engine.toy_training_data import coloured, write_photographs, write_training_data
from workers import weights
from workers.engines.restyle import RestyleEngine
from workers.training import __main__ as training
from workers.training.common.perceptual_teacher import Teacher
from workers.training.style_transfer import evaluate
from workers.training.style_transfer.optimisation_baseline import NamedPicture, OptimisationBaseline, seams


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    return write_restyle(tmp_path / "models")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Training data with three validation photographs."""
    made = write_training_data(tmp_path / "data")
    write_photographs(made, 3, validation=True)
    return made


def test_losses_of_the_style_and_of_the_content_themselves_are_zero(folder: Path) -> None:
    baseline = OptimisationBaseline(Teacher(folder), steps=1)
    content, style = NamedPicture("content", coloured(1)), NamedPicture("style", coloured(2))
    assert baseline.losses_of(content, style, style.image)[0] == pytest.approx(0, abs=1e-6)
    assert baseline.losses_of(content, style, content.image)[1] == pytest.approx(0, abs=1e-6)
    assert baseline.losses_of(content, style, content.image)[0] > 0.01


def test_an_optimisation_lowers_the_style_loss_and_is_made_once(folder: Path, tmp_path: Path) -> None:
    content, style = NamedPicture("content", coloured(1)), NamedPicture("style", coloured(2))
    cache = tmp_path / "cache"
    first = OptimisationBaseline(Teacher(folder), 8, cache).optimised(content, style)
    assert first.style < first.untouched
    (kept,) = cache.iterdir()
    kept.write_text('{"style": 1.5, "content": 2.5, "untouched": 3.5}')
    again = OptimisationBaseline(Teacher(folder), 8, cache).optimised(content, style)
    assert (again.style, again.content, again.untouched) == (1.5, 2.5, 3.5)
    # Another picture and another number of steps are other optimisations, whatever their names.
    OptimisationBaseline(Teacher(folder), 9, cache).optimised(content, style)
    OptimisationBaseline(Teacher(folder), 8, cache).optimised(NamedPicture("content", coloured(3)), style)
    assert len(list(cache.iterdir())) == 3


def test_strips_have_no_seams(models: Path) -> None:
    found = seams(RestyleEngine(), side=192, rows=32)
    assert found["apart"] < 1e-3
    assert found["gradient"] == pytest.approx(1, abs=0.15)


def test_figures_go_onto_the_card_and_a_second_run_needs_no_optimisation(
    models: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Costs are those of this machine: minutes at the sizes that count.
    monkeypatch.setattr(evaluate, "costs", lambda engine, largest: {"seams": {}})
    cache = tmp_path / "cache"
    asked = [
        "evaluate", "restyle", "--data", str(folder), "--side", "64", "--steps", "3", "--photos", "2",
        "--styles", "3", "--no-sheet", "--cache", str(cache),
    ]  # fmt: skip
    training.main(asked)
    first = weights.load_card(models)["quality"]["unseen"]
    assert first["pairs"] == 6
    assert len(list(cache.iterdir())) == 6
    assert first["style_ratio"] > 0
    assert "2 validation photographs x 3" in first["protocol"]
    stamps = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    training.main(asked)
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == stamps
    assert weights.load_card(models)["quality"]["unseen"] == first
    training.main([*asked, "--each", "1"])
    assert weights.load_card(models)["quality"]["unseen"]["pairs"] == 3
    assert len(list(cache.iterdir())) == 6


def test_the_sheet_has_a_row_for_each_picture(models: Path) -> None:
    drawn = evaluate.sheet(RestyleEngine(), [coloured(1), coloured(2)])
    side = evaluate.TILE + 4
    assert drawn.size == (3 * side + 4, 2 * side + 4)
