"""The evaluation at toy size: real engines with random weights, a scene classifier of one step."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.toy_painting import write_models
from tests.engine.toy_training_data import write_training_data
from workers import weights
from workers.engines.blend import BlendEngine
from workers.engines.paint import PaintEngine
from workers.training.classifier import train_scene_classifier
from workers.training.classifier.scene_classifier import SceneClassifier
from workers.training.common.perceptual_teacher import Teacher
from workers.training.generator import evaluate as evaluate_paint
from workers.training.generator.evaluation import distribution, loop_evenness, plots, prompt_fidelity, speed
from workers.training.generator.evaluation.prompts import Prompt
from workers.training.generator.evaluation.sampling import reduced_pictures
from workers.training.matcher.captions import load_views

FEW = (
    Prompt("blue sea", "蓝色的大海", "blue", "sea", "sea"),
    Prompt("green forest", "绿色的森林", "green", "forest"),
    Prompt("night", "夜晚", scene="city"),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with ``data``, ``models``, ``cache`` and a trained ``scenes`` classifier."""
    root = tmp_path_factory.mktemp("evaluation")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    data = write_training_data(root / "data")
    write_models(root / "models")
    parser = argparse.ArgumentParser()
    train_scene_classifier.add_arguments(parser)
    command = ["--data", str(data), "--out", str(root / "scenes"), "--cache", str(root / "cache")]
    train_scene_classifier.main(parser.parse_args([*command, "--batch", "8", "--steps", "1"]))
    yield root
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def models(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(folders / "models"))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")


def evaluate(folders: Path, *more: str) -> None:
    parser = argparse.ArgumentParser()
    evaluate_paint.add_arguments(parser)
    command = ["--data", str(folders / "data"), "--cache", str(folders / "cache")]
    evaluate_paint.main(parser.parse_args([*command, "--scene-classifier", str(folders / "scenes"), *more]))


def test_likeness_and_memory_land_in_the_card(folders: Path) -> None:
    earlier = folders / "earlier.npy"
    np.save(earlier, np.random.default_rng(1).integers(0, 256, (12, 128, 128, 3), dtype=np.uint8))
    evaluate(folders, "--only", "likeness", "--count", "12", "--before", str(earlier))
    quality = weights.load_card(folders / "models" / "paint")["quality"]
    figures = quality["likeness"]
    assert "12 pictures for the captions" in figures["protocol"]
    assert figures["made"]["frechet"] > figures["real_to_real"]["frechet"] > 0
    assert 0 <= figures["made"]["precision"] <= 1
    assert figures["scene_classifier_frechet"] > figures["scene_classifier_frechet_real_to_real"]
    assert quality["before"]["made"]["frechet"] > 0
    assert 0 <= quality["memorisation"]["below_first_percentile"] <= 1
    # What shows training data stays in the cache.
    assert (folders / "cache" / "closest-pairs.jpg").is_file()
    assert not (folders / "models" / "paint" / "closest-pairs.jpg").exists()
    # Another part joins what is there.
    evaluate(folders, "--only", "replay")
    again = weights.load_card(folders / "models" / "paint")["quality"]
    assert again["likeness"] == figures
    assert again["replay"]["same_bytes"] == again["replay"]["pictures"] == 4


def test_an_evaluation_without_a_scene_classifier_says_what_to_do(folders: Path) -> None:
    with pytest.raises(SystemExit, match="train a `scene-classifier` first"):
        evaluate(folders, "--scene-classifier", str(folders / "nothing"))


def test_fidelity_lays_two_languages_side_by_side(folders: Path, tmp_path: Path) -> None:
    engine = PaintEngine()
    views = load_views(folders / "data", 140, Teacher(folders / "data"), folders / "cache")
    loaded = SceneClassifier.load(folders / "scenes", torch.device("cpu"))
    figures, pictures = prompt_fidelity.measure(engine, engine.pipeline.matcher, loaded, views, 2, FEW)
    assert pictures[FEW[0]].shape == (2, 128, 128, 3)
    assert [row["measure"] for row in figures["table"]] == [
        "colour_dominates",
        "colour_found",
        "scene_first_guess",
    ]
    # The twins are read as the same words and have the same seeds, so they are the same pictures.
    assert figures["twins"] == {"same_words": 3, "of": 3, "others": {}}
    assert figures["english"] == figures["chinese"]
    assert set(figures["english"]["scenes"]) == {"sea", "forest", "city"}
    assert sum(figures["english"]["named"]["sea"].values()) == 2
    # Half of the held-out paintings are blue seas and the other half green forests.
    assert figures["real_held_out"]["colours"]["blue"] == 1
    json.dumps(figures, allow_nan=False)
    plots.fidelity(figures, tmp_path / "fidelity.png")
    with Image.open(tmp_path / "fidelity.png") as image:
        assert image.width > image.height


def test_variety_compares_prompts_with_real_paintings_of_their_words(folders: Path) -> None:
    engine, teacher = PaintEngine(), Teacher(folders / "data")
    views = load_views(folders / "data", 140, teacher, folders / "cache")
    reference = distribution.Reference.split(views, 12)
    assert not set(reference.asked) & set(reference.other)
    assert not views.validation[reference.asked].any()
    made = {prompt: reduced_pictures(engine, prompt.english, 3, 1) for prompt in FEW[:2]}
    same = np.repeat(made[FEW[0]][:1], 4, 0)

    def words(prompt: str) -> tuple[str, ...]:
        return tuple(engine.pipeline.matcher.read(prompt).words)

    figures = distribution.variety(made, same, reference, teacher, words)
    assert figures["within_prompt_over_real"] > 0
    assert figures["repeated_pairs"] == 6


def test_a_bridge_is_measured_all_the_way_round(folders: Path) -> None:
    figures = loop_evenness.measure(
        PaintEngine(), BlendEngine(), Teacher(folders / "data"), [("blue sea", "green forest")], 16
    )
    assert figures["worst"] == figures["largest_over_median"]["blue sea -> green forest"] >= 1


def test_the_raw_loop_paints_what_the_engine_is_compared_with(folders: Path, tmp_path: Path) -> None:
    raw = speed.RawLoop()
    paint = raw.prepare(3, 256)
    at_once, run_sequentially = paint(3), paint(1)
    assert at_once.shape == (3, 3, 256, 256)
    # Random weights carry a rounding far, in a few pixels.
    assert (at_once - run_sequentially).abs().mean() < 1e-3
    figures = speed.measure(PaintEngine(), (1, 2), rounds=1, size=256)
    assert set(figures["pictures_per_second"]) == {"1", "2"}
    assert figures["pictures_per_second"]["2"]["ratio"] > 0
    plots.speed(figures, tmp_path / "speed.png")
    assert (tmp_path / "speed.png").stat().st_size < 100_000
