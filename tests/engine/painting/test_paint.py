"""The paint engine at toy size: real classes, random weights."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.parameters import complete
from tests.engine.toy_painting import CARD, TOY, Recording, outputs, pixels, write_models
from workers import weights
from workers.engines.base import InvalidRequest, JobCanceled, SilentReport, Task
from workers.engines.blend import BlendEngine
from workers.engines.paint import PaintEngine
from workers.engines.painting.latents import Latent
from workers.images import to_tensor
from workers.nets.generator import Generator, GeneratorConfig


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "models"
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(root))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    write_models(root)
    return root


@pytest.fixture
def engine(models: Path) -> PaintEngine:
    return PaintEngine()


def task(prompt: str = "blue sea", seed: int = 5, report: SilentReport | None = None, **more: Any) -> Task:
    inputs = more.pop("inputs", {})
    parameters = complete("paint", **{"prompt": prompt, "count": 1, "size": "256"} | more)
    return Task(parameters, seed, report or SilentReport(), inputs)


def picture_file(folder: Path, colour: tuple[int, int, int], name: str = "palette.png") -> Path:
    """A picture of one colour with a little of its opposite."""
    image = Image.new("RGB", (40, 30), colour)
    image.paste((40, 40, 40), (0, 0, 10, 10))
    image.save(folder / name)
    return folder / name


def test_pictures_say_what_was_understood_and_carry_their_latent(engine: PaintEngine) -> None:
    (result,) = engine.run([task("a red boat, 大海, dinosaur", seed=2**63 - 1, count=2)])
    first, second = outputs(result)
    assert first.image.size == (256, 256)
    latent = first.details["latent"]
    assert first.details["words"] == ["red", "boat", "sea"]
    assert "".join(piece["text"] for piece in first.details["understood"]) == "a red boat, 大海, dinosaur"
    assert {"text": "大海", "words": ["sea"]} in first.details["understood"]
    assert [piece["text"] for piece in first.details["understood"] if "nearest" in piece] == ["dinosaur"]
    assert (first.details["seed"], first.details["index"], first.details["truncation"]) == (2**63 - 1, 0, 0.8)
    assert (first.details["width"], first.details["height"]) == (256, 256)
    assert -1 <= first.details["fit"] <= 1
    assert (latent["format"], latent["noise_seed"], latent["noise_index"]) == (1, 2**63 - 1, 0)
    assert second.details["index"] == 1
    json.dumps(first.details)


def test_a_latent_that_was_kept_gives_the_picture_again(engine: PaintEngine) -> None:
    (made,) = outputs(engine.run([task("snow, forest", seed=8)])[0])
    kept = json.loads(json.dumps(made.details["latent"]))
    latent = Latent.from_details(kept, TOY.levels, TOY.style)
    pipeline = engine.pipeline
    composed = pipeline.compose_latents([latent])
    again = pipeline.finish(composed, 256, [(8, 0)])
    assert np.abs(np.asarray(made.image) - (again[0].permute(1, 2, 0).numpy() + 1) * 127.5).max() < 1


def test_same_recipe_same_bytes_on_another_process(engine: PaintEngine, models: Path) -> None:
    program = (
        "import hashlib, sys, torch\n"
        "torch.set_num_threads(1)\n"
        "from workers.engines.base import SilentReport, Task\n"
        "from workers.engines.paint import PaintEngine\n"
        f"asked = {complete('paint', prompt='雪山', count=2, size='256', candidates=2, refine=2)!r}\n"
        "made = PaintEngine().run([Task(asked, 11, SilentReport())])[0]\n"
        "print([hashlib.sha256(o.image.tobytes()).hexdigest() for o in made.outputs])\n"
    )
    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (result,) = engine.run([task("雪山", 11, count=2, candidates=2, refine=2)])
    here = [hashlib.sha256(made.image.tobytes()).hexdigest() for made in outputs(result)]
    assert there.stdout.strip() == str(here)


def test_nothing_global_decides_or_is_changed(engine: PaintEngine) -> None:
    torch.manual_seed(1)
    (first,) = pixels(engine.run([task(seed=11, refine=2)])[0])
    torch.manual_seed(99)
    before = torch.random.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].copy()
    (again,) = pixels(engine.run([task(seed=11, refine=2)])[0])
    assert np.array_equal(first, again)
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], before[1])
    (other,) = pixels(engine.run([task(seed=12)])[0])
    assert np.abs(first - other).mean() > 1


def test_words_change_the_picture_and_unknown_words_do_not(engine: PaintEngine) -> None:
    blue, red, odd, none = (
        pixels(engine.run([task(prompt)])[0])[0] for prompt in ("blue", "red", "blue dinosaur", "")
    )
    assert np.abs(blue - red).mean() > 0.5
    assert np.abs(blue - none).mean() > 0.5
    assert np.array_equal(blue, odd)


def test_twins_of_two_languages_are_one_picture(engine: PaintEngine) -> None:
    english, chinese = (pixels(engine.run([task(prompt)])[0])[0] for prompt in ("snow, forest", "雪, 森林"))
    assert np.array_equal(english, chinese)


def test_more_pictures_keep_the_first_ones(engine: PaintEngine) -> None:
    few = pixels(engine.run([task(count=2)])[0])
    many = pixels(engine.run([task(count=9)])[0])
    assert len(many) == 9
    for one, same in zip(few, many, strict=False):
        assert np.abs(one - same).max() <= 1
    assert np.abs(many[0] - many[8]).mean() > 1


def test_company_in_the_batch_does_not_change_a_picture(engine: PaintEngine) -> None:
    asked: dict[str, Any] = {"seed": 3, "truncation": 0.3, "candidates": 2, "refine": 2}
    alone = pixels(engine.run([task("snow", **asked)])[0])
    batch = [
        task("fire at night", seed=n, count=3 * n + 1, size="512" if n == 2 else "256") for n in range(4)
    ]
    together = engine.run([*batch[:2], task("snow", **asked), *batch[2:]])
    assert [len(result.outputs) for result in together] == [1, 4, 1, 7, 10]
    assert np.abs(alone[0] - pixels(together[2])[0]).max() <= 2
    assert {output.image.size for output in outputs(together[3])} == {(512, 512)}


def test_less_truncation_is_less_variety(engine: PaintEngine) -> None:
    def spread(truncation: float) -> float:
        made = np.stack(pixels(engine.run([task(count=6, truncation=truncation)])[0]))
        return float(made.std(0).mean())

    assert spread(0.1) < spread(1.0)


def test_the_best_of_several_fits_better_and_one_of_one_stays(engine: PaintEngine) -> None:
    one, best = (outputs(engine.run([task(count=4, candidates=k)])[0]) for k in (1, 6))
    fits = [(a.details["fit"], b.details["fit"]) for a, b in zip(one, best, strict=True)]
    assert all(b >= a for a, b in fits)
    assert sum(b > a for a, b in fits) >= 2
    for a, b in zip(one, best, strict=True):
        if a.details["fit"] == b.details["fit"]:
            assert np.array_equal(np.asarray(a.image), np.asarray(b.image))


def test_refining_raises_the_fit_and_is_shown(engine: PaintEngine) -> None:
    report = Recording()
    (plain,) = outputs(engine.run([task("red, sea", seed=4)])[0])
    (refined,) = outputs(engine.run([task("red, sea", seed=4, refine=20, report=report)])[0])
    assert refined.details["fit"] > plain.details["fit"]
    assert report.phases == ["composing", "refining", "painting"]
    assert sum(size == (64, 64) for _, size in report.previews) >= 5
    before, after = (
        Latent.from_details(made.details["latent"], TOY.levels, TOY.style).styles for made in (plain, refined)
    )
    was, now = (torch.linalg.vector_norm(styles[:, : TOY.latent], dim=1) for styles in (before, after))
    assert torch.allclose(was, now, rtol=1e-3)
    assert not torch.allclose(before, after)


def test_a_palette_gives_its_colours(engine: PaintEngine, tmp_path: Path) -> None:
    def blueness(**more: Any) -> float:
        (made,) = outputs(engine.run([task(**more)])[0])
        red, _, blue = to_tensor(made.image).mean((2, 3))[0].tolist()
        return float(blue - red)

    assert blueness() < 0
    assert blueness(inputs={"palette": picture_file(tmp_path, (20, 60, 200))}) > 0.4


def test_shapes_are_cut_from_the_square(engine: PaintEngine) -> None:
    (square,) = outputs(engine.run([task()])[0])
    for aspect, size in {"3:2": (256, 171), "2:3": (171, 256)}.items():
        (made,) = outputs(engine.run([task(aspect=aspect)])[0])
        assert made.image.size == size == (made.details["width"], made.details["height"])
        whole, part = np.asarray(square.image), np.asarray(made.image)
        places = range(256 - min(size) + 1)
        assert any(
            np.array_equal(part, whole[k : k + 171] if aspect == "3:2" else whole[:, k : k + 171])
            for k in places
        )


def test_the_report_sees_composition_then_painting(engine: PaintEngine) -> None:
    report = Recording()
    engine.run([task("sea with 熊猫", count=3, report=report)])
    assert report.phases == ["composing", "painting"]
    assert report.work == [1, 2, 3, 6, 18, 21, 33, 36, 48]  # a doubling works as long as composing three
    assert {steps for _, steps in report.steps} == {48}
    assert [index for index, size in report.previews if size == (64, 64)] == [0, 1, 2]
    assert [index for index, size in report.previews if size == (256, 256)] == [0, 1, 2]
    ((code, data),) = report.notes
    assert code == "understood"
    assert "".join(piece["text"] for piece in data["segments"]) == "sea with 熊猫"


@pytest.mark.parametrize("more", [{}, {"candidates": 3}, {"refine": 3}, {"palette": True}, {"size": "1024"}])
def test_everything_that_takes_time_counts(engine: PaintEngine, tmp_path: Path, more: dict[str, Any]) -> None:
    if more.pop("palette", None):
        more["inputs"] = {"palette": picture_file(tmp_path, (10, 90, 200))}
    report = Recording()
    engine.run([task(count=2, report=report, **more)])
    assert report.steps[-1][0] == report.steps[-1][1]
    assert report.work == sorted(report.work)


@pytest.mark.parametrize("step", [1, 5, 20, 50])
def test_a_cancel_ends_one_task_at_once_and_not_its_neighbours(engine: PaintEngine, step: int) -> None:
    stopped = Recording(cancel_at=step)
    first, second = engine.run([task(count=2, refine=2, report=stopped), task(count=2)])
    assert isinstance(first.error, JobCanceled)
    assert not first.outputs
    assert sum(done >= step for done, _ in stopped.steps) == 1
    assert len(pixels(second)) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": "2"},
        {"truncation": True},
        {"size": 512},
    ],
)
def test_a_request_of_another_form_is_refused_alone(engine: PaintEngine, wrong: dict[str, Any]) -> None:
    bad, good = engine.run([task(**wrong), task()])
    assert isinstance(bad.error, InvalidRequest)
    assert next(iter(wrong)) in str(bad.error)
    assert len(pixels(good)) == 1


def test_a_palette_that_is_no_picture_is_refused(engine: PaintEngine, tmp_path: Path) -> None:
    (tmp_path / "palette.png").write_bytes(b"\x89PNG nonsense")
    (bad,) = engine.run([task(inputs={"palette": tmp_path / "palette.png"})])
    assert isinstance(bad.error, InvalidRequest)
    assert "palette" in bad.error.visitor


@pytest.mark.parametrize("prompt", ["", "   ", "🦄🦄", "<script>alert(1)</script>", "\x00\n\t", "海" * 4000])
def test_any_text_is_a_prompt(engine: PaintEngine, prompt: str) -> None:
    (made,) = outputs(engine.run([task(prompt, candidates=2, aspect="3:2", refine=1)])[0])
    assert "".join(piece["text"] for piece in made.details["understood"]) == prompt


def test_paint_and_blend_hold_the_networks_once(engine: PaintEngine) -> None:
    assert BlendEngine().pipeline is engine.pipeline


@pytest.mark.parametrize("model", ["paint", "match", "paint-upscaler"])
def test_damaged_weights_are_refused(engine: PaintEngine, models: Path, model: str) -> None:
    path = models / model / weights.MODEL_FILE
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with pytest.raises(weights.WeightsCorrupt, match="sha256"):
        PaintEngine()


@pytest.mark.parametrize(
    "change",
    [
        {"config": TOY.to_card() | {"latent": 9}},
        {"config": TOY.to_card() | {"condition": 8}},
        {"config": TOY.to_card() | {"surprise": 1}},
        {"helpers": {"matcher": "match"}},
    ],
)
def test_a_card_that_does_not_fit_is_refused(models: Path, change: dict[str, Any]) -> None:
    weights.save(models / "paint", Generator(TOY).state_dict(), CARD | change)
    with pytest.raises(weights.WeightsCorrupt, match="not a generator"):
        PaintEngine()


def test_a_matcher_of_another_painter_is_refused(models: Path) -> None:
    other = dataclasses.replace(TOY, condition=24)
    weights.save(models / "paint", Generator(other).state_dict(), CARD | {"config": other.to_card()})
    with pytest.raises(weights.WeightsCorrupt, match="24 numbers"):
        PaintEngine()


def test_each_of_the_three_files_is_in_the_digest(models: Path) -> None:
    digests = {PaintEngine().model_digest}
    for model in ("paint", "match", "paint-upscaler"):
        loaded = weights.load(model)
        changed = {name: value + 0.01 for name, value in loaded.tensors.items() if value.is_floating_point()}
        weights.save(models / model, loaded.tensors | changed, loaded.card)
        digests.add(PaintEngine().model_digest)
    assert len(digests) == 4


def test_a_painter_is_rebuilt_from_its_card() -> None:
    assert GeneratorConfig.from_card(TOY.to_card()) == TOY
    assert dataclasses.replace(TOY, channels=(16, 8)).size == 16
