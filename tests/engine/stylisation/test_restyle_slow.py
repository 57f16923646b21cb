"""The slow mode of restyle at toy size: it gets better, it may be ended, it knows what it is shown."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.parameters import complete
from tests.engine.toy_restyle import STYLES, write_classifier, write_restyle
from workers import images, weights
from workers.engines.base import EngineError, InvalidRequest, JobCanceled, Picture, Result, SilentReport, Task
from workers.engines.restyle import RestyleEngine
from workers.engines.stylisation.optimisation import optimise, resolution_levels, style_loss
from workers.engines.stylisation.style_statistics import (
    ReadyStyleStatistics,
    from_tensors,
    mix_statistics,
    style_statistics,
    to_tensors,
)
from workers.engines.vision.classifier import ClassifierModel
from workers.training import __main__ as training

CPU = torch.device("cpu")
STEPS = 12


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a toy ``restyle`` and a toy ``analyse``."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    # What is shipped must not stand in for what is missing here.
    monkeypatch.setattr(weights, "SHIPPED", tmp_path / "models")
    write_restyle(tmp_path / "models")
    write_classifier(tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def classifier(models: Path) -> ClassifierModel:
    return ClassifierModel.load(CPU)


def picture(width: int, height: int, seed: int) -> Image.Image:
    """A colourful picture with edges."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.NEAREST)


class Listener(SilentReport):
    """Remembers what it was told; cancels, or has enough, at a step."""

    def __init__(self, cancel_at: int | None = None, enough_at: int | None = None) -> None:
        self.cancel_at, self.enough_at = cancel_at, enough_at
        self.steps: list[tuple[int, int | None]] = []
        self.previews: list[tuple[int, int]] = []

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        self.steps.append((step, steps))
        if step == self.cancel_at:
            raise JobCanceled

    def preview(self, image: Image.Image, index: int = 0) -> None:
        self.previews.append(image.size)

    def enough(self) -> bool:
        return self.enough_at is not None and self.steps[-1][0] >= self.enough_at


def task(tmp_path: Path, report: Any = None, of: tuple[int, int] = (90, 60), **parameters: Any) -> Task:
    content, style = tmp_path / "content.png", tmp_path / "style.png"
    picture(*of, 1).save(content)
    picture(80, 70, 2).save(style)
    given = complete("restyle", **{"size": 256, "slow": True, "steps": STEPS, "strength": 1.0} | parameters)
    inputs = {"image": content} | ({} if given.get("style") else {"style": style})
    return Task(given, 1, report or SilentReport(), inputs)


def output_of(result: Result) -> Picture:
    if result.error is not None:
        raise result.error
    (output,) = result.outputs
    assert isinstance(output, Picture)
    return output


def test_every_step_is_told_and_the_same_request_gives_the_same_picture(models: Path, tmp_path: Path) -> None:
    engine, listener = RestyleEngine(), Listener()
    first = output_of(engine.run([task(tmp_path, listener)])[0])
    second = output_of(engine.run([task(tmp_path)])[0])
    assert first.image.size == (256, 171)
    assert first.image.tobytes() == second.image.tobytes()
    assert [step for step, _ in listener.steps] == list(range(STEPS + 1))
    assert {steps for _, steps in listener.steps} == {STEPS}
    assert first.details["steps"] == STEPS
    # The start, then from coarse to fine.
    assert [max(size) for size in listener.previews] == [256, 128, 256, 256]


def test_it_comes_nearer_to_the_style_than_it_began(classifier: ClassifierModel) -> None:
    content, start = (images.to_tensor(picture(128, 96, seed)) for seed in (1, 3))
    target = style_statistics(classifier.net, picture(80, 80, 2), 128, CPU)
    made = optimise(classifier.net, content, start, lambda side: target, 30, lambda painted, step: False)
    before, after = (float(style_loss(classifier.net.features(x), target)) for x in (start, made))
    assert after < 0.7 * before
    assert made.shape == content.shape
    assert float(made.abs().max()) <= 1


def test_cancel_takes_effect_at_that_step(models: Path, tmp_path: Path) -> None:
    listener = Listener(cancel_at=3)
    canceled, other = RestyleEngine().run([task(tmp_path, listener), task(tmp_path, steps=2)])
    assert isinstance(canceled.error, JobCanceled)
    assert listener.steps[-1][0] == 3
    output_of(other)


@pytest.mark.parametrize("enough_at", [1, 7])
def test_enough_keeps_what_there_is(models: Path, tmp_path: Path, enough_at: int) -> None:
    listener = Listener(enough_at=enough_at)
    engine = RestyleEngine()
    kept = output_of(engine.run([task(tmp_path, listener)])[0])
    assert kept.image.size == (256, 171)
    assert kept.details["steps"] == enough_at == listener.steps[-1][0]
    assert kept.image.tobytes() != output_of(engine.run([task(tmp_path)])[0]).image.tobytes()


@pytest.mark.parametrize("of", [(1, 1), (300, 2), (2, 300), (7, 5)])
def test_odd_pictures_do_not_crash(models: Path, tmp_path: Path, of: tuple[int, int]) -> None:
    made = output_of(RestyleEngine().run([task(tmp_path, of=of, steps=3)])[0])
    assert max(made.image.size) == 256


def test_large_pictures_are_optimised_small_and_made_sharp(models: Path, tmp_path: Path) -> None:
    made = output_of(RestyleEngine().run([task(tmp_path, size=640, steps=3)])[0])
    assert made.image.size == (640, 427)


@pytest.mark.parametrize(
    ("longest", "steps"), [(64, 5), (128, 1), (300, 20), (512, 120), (2048, 400), (512, 3)]
)
def test_levels_rise_and_use_all_steps(longest: int, steps: int) -> None:
    levels = resolution_levels(longest, steps)
    sides = [level.side for level in levels]
    assert sides == sorted(set(sides))
    assert sides[-1] == min(512, longest)
    assert all(level.steps >= 1 for level in levels)
    assert sum(level.steps for level in levels) == max(steps, len(levels))


def test_a_network_that_is_not_there_is_told_before_anything_is_painted(models: Path, tmp_path: Path) -> None:
    (models / "analyse" / "card.json").unlink()
    listener = Listener()
    (result,) = RestyleEngine().run([task(tmp_path, listener)])
    assert isinstance(result.error, EngineError)
    assert result.error.code == "engine_unavailable"
    assert listener.steps == []
    # Without it everything else goes on.
    output_of(RestyleEngine().run([task(tmp_path, slow=False)])[0])


def test_ready_styles_need_their_statistics(models: Path, tmp_path: Path) -> None:
    (result,) = RestyleEngine().run([task(tmp_path, style="waves")])
    assert isinstance(result.error, InvalidRequest)
    assert "picture of a style" in result.error.visitor


def test_statistics_of_ready_styles_are_made_by_a_command(models: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "styles").mkdir(parents=True)
    with (data / "styles.csv").open("w", newline="", encoding="utf-8") as table:
        rows = csv.DictWriter(table, ["file", "artist", "title"])
        rows.writeheader()
        for number, slug in enumerate(STYLES):
            picture(80, 70, 5 + number).save(data / "styles" / f"{slug}.png")
            rows.writerow({"file": f"styles/{slug}.png", "artist": "nobody", "title": slug})
    training.main(["style-targets", "--data", str(data), "--to", str(models)])
    engine = RestyleEngine()
    choices: tuple[dict[str, Any], ...] = (
        {"style": "waves"},
        {"style": "stars"},
        {"style": "waves", "style_2": "stars"},
    )
    waves, stars, both = (
        output_of(engine.run([task(tmp_path, steps=4, **chosen)])[0]).image for chosen in choices
    )
    assert len({waves.tobytes(), stars.tobytes(), both.tobytes()}) == 3
    # What another classifier saw is of no use.
    write_classifier(models, seed=1)
    with pytest.raises(weights.WeightsCorrupt, match="style-targets"):
        ReadyStyleStatistics.load(ClassifierModel.load(CPU))


def test_what_is_packed_comes_back(classifier: ClassifierModel) -> None:
    target = style_statistics(classifier.net, picture(80, 80, 2), 128, CPU)
    for before, after in zip(target, from_tensors(to_tensors(target, "x"), "x", CPU), strict=True):
        assert torch.allclose(before.mean, after.mean)
        assert torch.allclose(before.deviation, after.deviation)
        assert (before.gram is None) == (after.gram is None)
        if before.gram is not None and after.gram is not None:
            assert torch.allclose(before.gram, after.gram)


def test_a_mixed_target_is_that_of_both_side_by_side(classifier: ClassifierModel) -> None:
    first, second = (style_statistics(classifier.net, picture(128, 128, seed), 128, CPU) for seed in (2, 3))
    alone = mix_statistics([first, second], [1, 0])
    half = mix_statistics([first, second], [1, 1])
    for one, two, whole, mixed in zip(first, second, alone, half, strict=True):
        assert torch.allclose(whole.mean, one.mean)
        assert torch.allclose(whole.deviation, one.deviation, atol=1e-3)
        assert torch.allclose(mixed.mean, (one.mean + two.mean) / 2)
        # The spread of a mix holds how far its styles lie apart.
        assert (
            mixed.deviation.square() >= (one.deviation.square() + two.deviation.square()) / 2 - 1e-5
        ).all()
