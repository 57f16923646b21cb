"""The analyse engine at toy size, and what is measured without a network."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from tests.engine.toy_classifier import CARD, TOY, toy_classifier, write_classifier
from tests.engine.toy_painting import Recording, write_models
from workers import weights
from workers.engines.analyse import AnalyseEngine
from workers.engines.base import InvalidRequest, JobCanceled, Picture, Report, Result, SilentReport, Task
from workers.engines.vision.analysis_schema import PictureReading, reading_from_details
from workers.engines.vision.classifier import ClassifierModel, input_size
from workers.engines.vision.colour_analysis import NAMES, main_colours, measure_composition
from workers.engines.vision.occlusion import encode_map, occlude, occlusion_maps, windows
from workers.nets.classifier import Classifier, ClassifierConfig


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnalyseEngine:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    write_classifier(tmp_path)
    return AnalyseEngine()


def picture(width: int = 160, height: int = 120, seed: int = 1) -> Image.Image:
    draw = np.random.default_rng(seed)
    cells = Image.fromarray(draw.integers(0, 256, (6, 8, 3)).astype(np.uint8))
    return cells.resize((width, height), Image.Resampling.BICUBIC)


def analysed(
    engine: AnalyseEngine, image: Image.Image, tmp_path: Path, report: Report | None = None
) -> Result:
    path = tmp_path / "image.png"
    image.save(path)
    task = Task({}, 1, report or SilentReport(), inputs={"image": path})
    return engine.run([task])[0]


def details_of(result: Result) -> dict[str, Any]:
    assert result.error is None
    output = result.outputs[0]
    assert isinstance(output, Picture)
    return dict(output.details["analysis"])


def test_an_analysis_says_what_why_and_what_is_near(engine: AnalyseEngine, tmp_path: Path) -> None:
    report = Recording()
    result = analysed(engine, picture(), tmp_path, report)
    found = details_of(result)
    json.dumps(found)
    assert set(found["heads"]) == set(found["maps"]) == {"style", "painter", "genre"}
    for head, shares in found["heads"].items():
        values = [share["share"] for share in shares]
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(1, abs=1e-3)  # the toy has no more labels than are shown
        assert {share["label"] for share in shares} <= set(TOY.heads[head])
        assert len(found["maps"][head]) == len(shares)
        for heat in found["maps"][head]:
            cells = base64.b64decode(heat["cells"])
            assert len(cells) == heat["width"] * heat["height"]
            assert heat["width"] > heat["height"]
    assert len(found["near"]) == 3
    assert [near["likeness"] for near in found["near"]] == sorted(
        (near["likeness"] for near in found["near"]), reverse=True
    )
    steps = [step for step, _ in report.steps]
    assert steps == list(range(1, len(steps) + 1))
    assert report.steps[-1] == (len(steps), len(steps))


def test_a_picture_that_was_only_looked_at_is_not_called_generated(
    engine: AnalyseEngine, tmp_path: Path
) -> None:
    large = analysed(engine, picture(1500, 900), tmp_path).outputs[0]
    small = analysed(engine, picture(80, 70), tmp_path).outputs[0]
    assert isinstance(large, Picture)
    assert isinstance(small, Picture)
    assert not large.generated
    assert large.image.size == (1024, 614)
    assert small.image.size == (80, 70)


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (400, 3), (64, 64)])
def test_pictures_of_any_size_are_read(engine: AnalyseEngine, tmp_path: Path, size: tuple[int, int]) -> None:
    found = details_of(analysed(engine, picture(*size), tmp_path))
    assert 0 <= found["known"] <= 1
    assert found["palette"]


def test_a_flat_picture_has_one_colour_no_horizon_and_full_symmetry(
    engine: AnalyseEngine, tmp_path: Path
) -> None:
    found = details_of(analysed(engine, Image.new("RGB", (90, 60), "#2e62b8"), tmp_path))
    assert [(s["name"], s["share"]) for s in found["palette"]] == [("blue", 1.0)]
    assert found["composition"]["symmetry"] == 1
    assert found["composition"]["horizon"] is None


def test_what_is_unlike_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    for limit, unlike in ((0.0, False), (1.01, True)):
        write_classifier(tmp_path, CARD | {"unlike_below": limit})
        found = details_of(analysed(AnalyseEngine(), picture(), tmp_path))
        assert found["unlike"] is unlike
        if unlike:
            assert found["reading"]["genre"] is None


def test_it_stops_at_the_first_step_after_a_cancel(engine: AnalyseEngine, tmp_path: Path) -> None:
    report = Recording(cancel_at=2)
    result = analysed(engine, picture(), tmp_path, report)
    assert isinstance(result.error, JobCanceled)
    assert len(report.steps) == 2


def test_without_a_picture_there_is_nothing_to_say(engine: AnalyseEngine) -> None:
    error = engine.run([Task({}, 1, SilentReport())])[0].error
    assert isinstance(error, InvalidRequest)


def test_objects_are_read_with_the_matcher_that_the_card_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    write_models(tmp_path)
    matcher = weights.load("match").digest
    heads = dict(TOY.heads) | {"genre": ("landscape", "cityscape")}
    config = TOY.to_card() | {"heads": heads}
    sure = {"sea": -1.0, "mountain": 1.0, "winter": -1.0}
    for digest, objects, season in ((matcher, ["sea"], "winter"), ("another", [], None)):
        card = CARD | {"config": config, "sure_of": sure, "matcher": digest, "unlike_below": 0.0}
        write_classifier(tmp_path, card)
        reading = details_of(analysed(AnalyseEngine(), picture(), tmp_path))["reading"]
        assert (list(reading["objects"]), reading["season"]) == (objects, season)


def test_titles_that_do_not_fit_the_vectors_are_corrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    write_classifier(tmp_path)
    (tmp_path / "analyse" / "known.json").write_text("[]", "utf-8")
    with pytest.raises(weights.WeightsCorrupt, match="0 titles"):
        AnalyseEngine()


def test_a_reading_survives_its_record_and_nothing_else_does() -> None:
    kept = {
        "analysis": {"format": 1, "reading": {"genre": "landscape", "objects": ["sea", 3], "light": None}}
    }
    assert reading_from_details(kept) == PictureReading(genre="landscape", objects=("sea",))
    assert reading_from_details({}) is None
    assert reading_from_details({"analysis": {"format": 2, "reading": {}}}) is None
    assert reading_from_details({"analysis": "no"}) is None


def test_windows_cover_every_pixel() -> None:
    for size in ((64, 64), (96, 160), (200, 64)):
        masks = windows(*size)
        assert float(masks.amax(0).min()) == 1.0
        assert float(masks.mean((1, 2, 3)).max()) < 0.15


def test_what_is_hidden_is_blurred_and_the_rest_is_kept() -> None:
    x = torch.rand(1, 3, 64, 96) * 2 - 1
    mask = torch.zeros(1, 1, 64, 96)
    mask[..., :32] = 1
    changed = occlude(x, mask)
    assert torch.equal(changed[..., 32:], x[..., 32:])
    assert float(changed[..., :32].std()) < 0.3 * float(x[..., :32].std())


def test_evidence_points_at_the_part_that_decides() -> None:
    net = toy_classifier()
    x = torch.zeros(1, 3, 96, 144)
    torch.manual_seed(2)
    # All that there is to see is on the right: hiding the flat left changes nothing.
    x[..., 96:] = torch.rand(1, 3, 96, 48) * 2 - 1
    maps = occlusion_maps(net, x, dict.fromkeys(TOY.heads, 1.0))
    guess = int(net(x)["style"].argmax())
    heat = np.abs(maps["style"][guess])
    assert heat[:, 18:].mean() > 3 * heat[:, :12].mean()


def test_a_map_is_packed_without_what_speaks_against() -> None:
    heat = np.array([[-1.0, 0.0, 0.5], [1.0, 2.0, -3.0]], np.float32)
    kept = encode_map(heat)
    assert (kept.width, kept.height) == (3, 2)
    assert list(base64.b64decode(kept.cells)) == [0, 0, 64, 128, 255, 0]
    assert set(base64.b64decode(encode_map(-np.ones((2, 2), np.float32)).cells)) == {0}


def test_a_landscape_has_a_horizon_and_its_colours_have_names() -> None:
    image = Image.new("RGB", (200, 150), "#86b5e0")
    ImageDraw.Draw(image).rectangle((0, 60, 200, 150), "#3d8b32")
    composition = measure_composition(image)
    assert composition.horizon == pytest.approx(0.4, abs=0.03)
    assert composition.symmetry == 1
    assert {s.name: round(s.share, 1) for s in main_colours(image)} == {"green": 0.6, "sky blue": 0.4}
    assert measure_composition(Image.new("RGB", (50, 50), "black")).brightness < 0.05


def test_two_shades_of_one_name_are_one_colour() -> None:
    image = Image.new("RGB", (100, 100), "#3d8b32")
    image.paste("#2f7a28", (0, 0, 30, 100))
    image.paste("#ffffff", (70, 0, 100, 100))
    found = main_colours(image)
    assert [swatch.name for swatch in found] == ["green", "white"]
    assert found[0].share == pytest.approx(0.7, abs=0.02)
    assert found[0].colour == "#3d8b32"


def test_every_named_colour_is_called_by_its_name() -> None:
    for name, colour in NAMES.items():
        assert main_colours(Image.new("RGB", (4, 4), colour))[0].name == name


def test_pictures_are_looked_at_with_one_area_and_their_own_proportions() -> None:
    for width, height in ((100, 100), (3000, 2000), (200, 350), (4000, 10)):
        wide, high = input_size(width, height, 144)
        assert wide % 16 == high % 16 == 0
        assert 0.7 < wide * high / 144**2 < 1.35
    assert input_size(4000, 10, 144)[0] / input_size(4000, 10, 144)[1] < 4


def test_a_mirrored_picture_has_the_same_embedding(engine: AnalyseEngine) -> None:
    classifier: ClassifierModel = engine.analyser.classifier
    image = picture()
    a, b, c = classifier.embed([image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), picture(seed=9)])
    assert np.linalg.norm(a) == pytest.approx(1, abs=1e-5)
    assert a @ b == pytest.approx(1, abs=1e-4)
    assert a @ c < 0.9999


def test_search_sees_pictures_as_large_as_training_did() -> None:
    torch.manual_seed(3)
    config = ClassifierConfig(
        heads={"style": ("a", "b")}, stem=8, widths=(8, 8, 16), blocks=(1, 1, 1), embedding=16
    )
    small, large = (
        ClassifierModel(
            Classifier(replace(config, side=side)), torch.device("cpu"), {"training": {"side": 64}}
        )
        for side in (64, 96)
    )
    large.net.load_state_dict(small.net.state_dict())
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    assert large.prepare(picture).shape != small.prepare(picture).shape
    assert np.array_equal(large.embed([picture]), small.embed([picture]))
