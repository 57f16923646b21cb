"""Measures of sets: each is known where the answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workers.training.classifier.scene_labels import SCENES
from workers.training.common import statistics
from workers.training.common.feature_metrics import Moments, frechet
from workers.training.generator.evaluation import plots, sheets
from workers.training.generator.evaluation.prompt_fidelity import (
    colour_scores,
    colour_table,
    dominant_colours,
)
from workers.training.generator.evaluation.prompts import PROMPTS, SHEET
from workers.training.generator.evaluation.sampling import shuffled_words
from workers.training.matcher.captions import COLOUR_LIMITS


def cloud(count: int, centre: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(centre, 1, (count, 8))


def test_frechet_distance_of_a_set_to_itself_is_nothing() -> None:
    some = cloud(200)
    assert frechet(Moments.of(some), Moments.of(some)) == pytest.approx(0, abs=1e-9)
    assert frechet(Moments.of(some), Moments.of(some + 10)) == pytest.approx(8 * 100 / 1000)


def test_precision_and_recall_of_known_sets() -> None:
    real = np.concatenate([cloud(150), cloud(150, 50, 1)])
    assert statistics.precision_recall(real, real) == (1, 1)
    assert statistics.precision_recall(real, real + 1000) == (0, 0)
    # One of two modes, painted well: all of it is real, half of what is real is missing.
    precision, recall = statistics.precision_recall(real, real[:150] + 1e-3)
    assert precision == 1
    assert recall == pytest.approx(0.5, abs=0.02)
    # Every mode and as much nonsense besides.
    precision, recall = statistics.precision_recall(real, np.concatenate([real, cloud(300, -500, 2)]))
    assert precision == pytest.approx(0.5, abs=0.02)
    assert recall == 1


def test_copies_of_training_pictures_are_noticed() -> None:
    train, held = cloud(500), cloud(200, seed=1)
    fresh, copied = cloud(200, seed=2), train[:200] + 1e-4
    of_held, _ = statistics.nearest(held, [train])
    independent = statistics.memorisation(statistics.nearest(fresh, [train])[0], of_held)
    near, whose = statistics.nearest(copied, [train - 100, train])
    memorised = statistics.memorisation(near, of_held)
    assert list(whose) == list(range(200))
    assert independent["below_first_percentile"] < 0.05
    assert independent["median_ratio"] == pytest.approx(1, abs=0.1)
    assert memorised["below_first_percentile"] == 1
    assert memorised["median_ratio"] < 0.01


def test_repeated_pairs_are_counted_once() -> None:
    rows = np.array([[0.0, 0], [0, 1], [10, 0], [10, 1], [50, 50]])
    assert statistics.closest_pair(rows) == pytest.approx(1)
    assert statistics.pairs_nearer_than(rows, 1.5) == 2
    assert statistics.pairs_nearer_than(rows, 1) == 0
    assert statistics.mean_pairwise(rows[:2]) == pytest.approx(1)


def test_a_jump_in_a_loop_is_a_large_step() -> None:
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert statistics.unevenness(statistics.loop_steps(circle)) == pytest.approx(1)
    # What is not closed jumps from the last frame to the first.
    line = np.stack([np.arange(24.0), np.zeros(24)], 1)
    assert statistics.unevenness(statistics.loop_steps(line)) == pytest.approx(23)


def test_area_under_the_curve() -> None:
    scores, positive = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True])
    assert statistics.roc_auc(scores, positive) == pytest.approx(0.875)
    assert statistics.roc_auc(-scores, positive) == pytest.approx(0.125)
    with pytest.raises(ValueError, match="positives and negatives"):
        statistics.roc_auc(scores, np.ones(4, bool))


def test_the_colour_that_covers_most_dominates() -> None:
    picture = np.full((1, 32, 32, 3), (40, 70, 200), np.uint8)
    picture[:, :12] = (200, 20, 20)
    assert dominant_colours(picture) == ["blue"]
    table = colour_table(np.repeat(picture, 3, 0))
    assert table.shape == (3, len(COLOUR_LIMITS))
    dominates, found = colour_scores(table, ["blue", "red", "green"])
    assert dominates.tolist() == [True, False, False]
    assert found.tolist() == [True, True, False]


def test_the_prompts_ask_for_what_can_be_measured() -> None:
    assert len(PROMPTS) == 60
    assert len({prompt.english for prompt in PROMPTS}) == len({prompt.chinese for prompt in PROMPTS}) == 60
    assert {prompt.colour for prompt in PROMPTS} == {"", *COLOUR_LIMITS}
    assert {prompt.scene for prompt in PROMPTS} == {"", *SCENES}
    for scene in SCENES:
        assert sum(prompt.scene == scene for prompt in PROMPTS) >= 4
    assert all(prompt.colour or prompt.scene or prompt.tag for prompt in PROMPTS)
    assert all(prompt.english.isascii() and not prompt.chinese.isascii() for prompt in PROMPTS)


def test_words_of_captions_come_in_any_order() -> None:
    captions = np.array([[1, 0, 1, 1], [0, 0, 0, 0]], np.float32)
    words = ["sea", "city", "blue", "night"]
    said = shuffled_words(captions, words, 1)
    assert sorted(said[0]) == ["blue", "night", "sea"]
    assert said[1] == []
    assert len({tuple(shuffled_words(captions, words, seed)[0]) for seed in range(20)}) > 1


def test_a_sheet_labels_chinese_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = [Image.new("RGB", (64, 64), "blue")] * 2
    rows = [("blue sea", pictures), ("蓝色的大海", pictures), ("night", pictures)]
    asked: list[str] = []

    def words(prompt: str) -> list[str]:
        asked.append(prompt)
        return ["blue", "sea"]

    page = sheets.draw_sheet(rows, words, side=40, per_row=2)
    assert page.size == (2 * (2 * 43 + 10), 2 * 63)
    assert page.getpixel((5, 5)) == (0, 0, 255)
    monkeypatch.setattr(sheets, "CHINESE_FONTS", ())
    asked.clear()
    sheets.draw_sheet(rows, words, side=40)
    assert asked == ["蓝色的大海"]
    assert len(SHEET) == 24


def test_training_curves_join_stages_and_forgive_a_resume(tmp_path: Path) -> None:
    first, second = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    lines = [{"step": step, "minutes": 1, "discriminator": 2.0, "generator": 1.0} for step in (50, 100, 100)]
    lines[-1]["discriminator"] = 1.5
    lines.append({"step": 100, "minutes": 2, "frechet_1000": 30.0})
    first.write_text("".join(json.dumps(line) + "\n" for line in lines))
    second.write_text(json.dumps({"step": 10, "minutes": 1, "fit": 0.3}) + "\n")
    assert plots.read_log(first)["discriminator"] == [(50, 2.0), (100, 1.5)]
    assert plots.curves([first, second], tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.width > 3 * 400
    assert (tmp_path / "curves.png").stat().st_size < 100_000
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    assert not plots.curves([empty], tmp_path / "none.png")
    empty.write_text('{"loss": 1}\n')
    with pytest.raises(ValueError, match="not a line of a training log"):
        plots.read_log(empty)
