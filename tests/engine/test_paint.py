"""The paint engine at toy size: real classes, random weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from workers import weights
from workers.engines.base import InvalidRequest, JobCanceled, Picture, Result, SilentReport, Task
from workers.engines.paint import PaintEngine
from workers.engines.vocabulary import words_of
from workers.nets.painter import Painter, PainterConfig
from workers.nets.upscaler import Upscaler, UpscalerConfig

TOY = PainterConfig(words=tuple(words_of()), latent=8, embedding=8, channels=(16, 8, 8))
TOY_UPSCALER = UpscalerConfig(channels=8, blocks=1)
CARD: dict[str, Any] = {
    "name": "paint",
    "architecture": "toy",
    "config": TOY.to_card(),
    "upscaler": "paint-upscaler",
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def lively(net: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights that make words, latents and noise matter: training's first values hide them."""
    stream = torch.Generator().manual_seed(3)
    return {
        name: torch.randn(value.shape, generator=stream) * 0.3
        if name.endswith((".weight", "strength"))
        else value
        for name, value in net.state_dict().items()
    }


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a toy painter and a toy upscaler."""
    root = tmp_path / "models"
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(root))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    weights.save(root / "paint", lively(Painter(TOY)), CARD)
    card = CARD | {"name": "paint-upscaler", "config": TOY_UPSCALER.to_card()}
    weights.save(root / "paint-upscaler", lively(Upscaler(TOY_UPSCALER)), card)
    return root


@pytest.fixture
def engine(models: Path) -> PaintEngine:
    return PaintEngine()


class Recording(SilentReport):
    """Remembers what it was told; cancels at step ``cancel_at``."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.cancel_at = cancel_at
        self.steps: list[tuple[int, int | None]] = []
        self.phases: list[str] = []
        self.previews: list[tuple[int, tuple[int, int]]] = []
        self.notes: list[tuple[str, dict[str, Any]]] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        self.steps.append((step, steps))
        if self.cancel_at is not None and step >= self.cancel_at:
            raise JobCanceled

    def preview(self, image: Image.Image, index: int = 0) -> None:
        self.previews.append((index, image.size))

    def note(self, code: str, **data: Any) -> None:
        self.notes.append((code, data))


def task(prompt: str = "blue sea", seed: int = 5, report: SilentReport | None = None, **more: Any) -> Task:
    parameters = {"prompt": prompt, "count": 1, "truncation": 0.8} | more
    return Task(parameters, seed, report or SilentReport())


def pictures(result: Result) -> list[np.ndarray[Any, Any]]:
    if result.error is not None:
        raise result.error
    return [np.asarray(o.image).astype(int) for o in result.outputs if isinstance(o, Picture)]


def test_pictures_have_twice_the_composed_size_and_say_what_was_understood(engine: PaintEngine) -> None:
    (result,) = engine.run([task("a red boat, 大海, dinosaur", seed=2**63 - 1, count=2)])
    first, second = result.outputs
    assert isinstance(first, Picture)
    assert isinstance(second, Picture)
    assert first.image.size == (engine.size, engine.size) == (64, 64)
    assert first.details == {
        "words": ["red", "boat", "sea"],
        "unknown_words": ["dinosaur"],
        "seed": 2**63 - 1,
        "index": 0,
        "truncation": 0.8,
    }
    assert second.details["index"] == 1


def test_same_recipe_same_picture_other_seed_other_picture(engine: PaintEngine, models: Path) -> None:
    (first,) = pictures(engine.run([task(seed=11)])[0])
    torch.manual_seed(99)
    (again,) = pictures(PaintEngine().run([task(seed=11)])[0])
    (other,) = pictures(engine.run([task(seed=12)])[0])
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 1


def test_words_change_the_picture_and_unknown_words_do_not(engine: PaintEngine) -> None:
    blue, red, odd = (
        pictures(engine.run([task(prompt)])[0])[0] for prompt in ("blue", "red", "blue dinosaur")
    )
    assert np.abs(blue - red).mean() > 0.5
    assert np.array_equal(blue, odd)


def test_more_candidates_keep_the_first_ones(engine: PaintEngine) -> None:
    few = pictures(engine.run([task(count=2)])[0])
    many = pictures(engine.run([task(count=9)])[0])
    assert len(many) == 9
    for one, same in zip(few, many, strict=False):
        assert np.abs(one - same).max() <= 1
    assert np.abs(many[0] - many[8]).mean() > 1


def test_company_in_the_batch_does_not_change_a_picture(engine: PaintEngine) -> None:
    alone = pictures(engine.run([task("snow", seed=3, truncation=0.3)])[0])
    batch = [task("fire at night", seed=n, count=3) for n in range(4)]
    together = engine.run([*batch[:2], task("snow", seed=3, truncation=0.3), *batch[2:]])
    assert [len(result.outputs) for result in together] == [3, 3, 1, 3, 3]
    assert np.abs(alone[0] - pictures(together[2])[0]).max() <= 1


def test_less_truncation_is_less_variety(engine: PaintEngine) -> None:
    def spread(truncation: float) -> float:
        made = np.stack(pictures(engine.run([task(count=6, truncation=truncation)])[0]))
        return float(made.std(0).mean())

    assert spread(0.1) < spread(1.0)


def test_the_report_sees_composition_then_painting(engine: PaintEngine) -> None:
    report = Recording()
    engine.run([task("sea with 熊猫", count=3, report=report)])
    assert report.phases == ["composing", "painting"]
    assert report.steps == [(n, 6) for n in range(1, 7)]
    assert report.previews == [(n, (32, 32)) for n in range(3)] + [(n, (64, 64)) for n in range(3)]
    assert report.notes == [("unknown_words", {"words": ["熊猫"]})]


@pytest.mark.parametrize("step", [1, 4])
def test_a_cancel_ends_one_task_at_once_and_not_its_neighbours(engine: PaintEngine, step: int) -> None:
    stopped = Recording(cancel_at=step)
    first, second = engine.run([task(count=3, report=stopped), task(count=2)])
    assert isinstance(first.error, JobCanceled)
    assert not first.outputs
    assert len(stopped.steps) == step
    assert len(pictures(second)) == 2


@pytest.mark.parametrize("wrong", [{"count": 0}, {"count": 17}, {"truncation": 0.0}, {"truncation": 1.5}])
def test_impossible_numbers_are_refused_alone(engine: PaintEngine, wrong: dict[str, Any]) -> None:
    bad, good = engine.run([task(**wrong), task()])
    assert isinstance(bad.error, InvalidRequest)
    assert len(pictures(good)) == 1


@pytest.mark.parametrize("prompt", ["", "   ", "🦄🦄", "<script>alert(1)</script>", "\x00\n\t", "海" * 4000])
def test_any_text_is_a_prompt(engine: PaintEngine, prompt: str) -> None:
    assert len(pictures(engine.run([task(prompt)])[0])) == 1


def test_damaged_weights_are_refused(models: Path) -> None:
    path = models / "paint" / weights.MODEL_FILE
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(weights.WeightsCorrupt, match="sha256"):
        PaintEngine()


@pytest.mark.parametrize("change", [{"latent": 9}, {"words": []}, {"words": ["sea", "sea"]}, {"surprise": 1}])
def test_a_card_that_does_not_fit_is_refused(models: Path, change: dict[str, Any]) -> None:
    card = CARD | {"config": TOY.to_card() | change}
    weights.save(models / "paint", Painter(TOY).state_dict(), card)
    with pytest.raises(weights.WeightsCorrupt, match="not a painter"):
        PaintEngine()


def test_without_an_upscaler_pictures_stay_small(models: Path) -> None:
    digest = PaintEngine().model_digest
    weights.save(models / "paint", lively(Painter(TOY)), CARD | {"upscaler": ""})
    engine = PaintEngine()
    assert pictures(engine.run([task()])[0])[0].shape == (32, 32, 3)
    assert engine.model_digest != digest


def test_a_painter_is_rebuilt_from_its_card() -> None:
    assert PainterConfig.from_card(TOY.to_card()) == TOY
    assert dataclasses.replace(TOY, channels=(16, 8)).size == 16
