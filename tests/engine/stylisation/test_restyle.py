"""The restyle engine at toy size: real classes, random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.parameters import complete
from tests.engine.toy_restyle import STYLES, TOY, write_restyle
from workers import weights
from workers.engines import restyle
from workers.engines.base import InvalidRequest, JobCanceled, Picture, Result, SilentReport, Task
from workers.engines.restyle import RestyleEngine
from workers.engines.stylisation.region_mask import feathered_region
from workers.engines.stylisation.resizing import canvas_side, transfer_luminance
from workers.engines.stylisation.style_mixing import mix_codes
from workers.nets.style_transfer import StyleTransferNet, colour_statistics, match_colours


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a toy ``restyle``."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    return write_restyle(tmp_path / "models")


@pytest.fixture
def engine(models: Path) -> RestyleEngine:
    return RestyleEngine()


def picture(path: Path, width: int, height: int, seed: int = 0) -> Path:
    """A smooth colourful picture."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(path)
    return path


def task(tmp_path: Path, report: Any = None, of: tuple[int, int] = (90, 60), **parameters: Any) -> Task:
    given = complete("restyle", **{"style": "waves", "strength": 1.0, "size": 256} | parameters)
    inputs = {"image": picture(tmp_path / f"content-{of[0]}x{of[1]}.png", *of)}
    return Task(parameters=given, seed=1, report=report or SilentReport(), inputs=inputs)


def image_of(result: Result) -> Image.Image:
    if result.error is not None:
        raise result.error
    (output,) = result.outputs
    assert isinstance(output, Picture)
    return output.image


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference in 0..255."""
    return float(np.abs(np.asarray(a, np.float32) - np.asarray(b, np.float32)).mean())


class Listener(SilentReport):
    """Remembers what it was told; cancels at a step when asked to."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.cancel_at = cancel_at
        self.steps: list[tuple[int, int | None]] = []
        self.previews: list[tuple[int, int]] = []
        self.phases: list[str] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        self.steps.append((step, steps))
        if step == self.cancel_at:
            raise JobCanceled

    def preview(self, image: Image.Image, index: int = 0) -> None:
        self.previews.append(image.size)


def test_size_and_aspect_of_the_result(engine: RestyleEngine, tmp_path: Path) -> None:
    wide, tall = engine.run([task(tmp_path), task(tmp_path, of=(40, 160))])
    assert image_of(wide).size == (256, 171)
    assert image_of(tall).size == (64, 256)


def test_same_request_same_picture_whatever_is_asked_beside_it(engine: RestyleEngine, tmp_path: Path) -> None:
    alone = image_of(engine.run([task(tmp_path)])[0])
    beside = engine.run([task(tmp_path, style="stars", of=(64, 64)), task(tmp_path)])
    assert difference(alone, image_of(beside[1])) < 0.5
    assert difference(alone, image_of(engine.run([task(tmp_path, style="stars")])[0])) > 1


def test_strength_goes_from_the_content_to_the_style(engine: RestyleEngine, tmp_path: Path) -> None:
    nothing, half, whole = (
        image_of(engine.run([task(tmp_path, strength=strength)])[0]) for strength in (0.0, 0.5, 1.0)
    )
    with Image.open(tmp_path / "content-90x60.png") as content:
        expected = content.resize(nothing.size, Image.Resampling.LANCZOS)
    assert difference(nothing, expected) < 0.5
    assert difference(nothing, whole) > difference(nothing, half) > 1


def test_kept_colours_are_those_of_the_content() -> None:
    colours = torch.rand(1, 3, 16, 16) * 0.6 - 0.3
    light = torch.rand(1, 3, 16, 16) * 0.6 - 0.3
    mixed = transfer_luminance(colours, light)
    assert torch.allclose(mixed[:, 0] - mixed[:, 1], colours[:, 0] - colours[:, 1], atol=1e-5)
    assert not torch.allclose(mixed, colours, atol=0.05)


def test_keep_colours_reaches_the_result(engine: RestyleEngine, tmp_path: Path) -> None:
    free, kept = (image_of(engine.run([task(tmp_path, keep_colours=keep)])[0]) for keep in (False, True))
    assert difference(free, kept) > 1


def test_a_brought_style_comes_before_the_list(engine: RestyleEngine, tmp_path: Path) -> None:
    listed = task(tmp_path)
    style = picture(tmp_path / "style.png", 70, 50, seed=9)
    brought, unlisted = (
        Task(
            parameters={**listed.parameters, "style": slug},
            seed=1,
            report=SilentReport(),
            inputs={**listed.inputs, "style": style},
        )
        for slug in ("waves", "")
    )
    first, second, third = (image_of(result) for result in engine.run([listed, brought, unlisted]))
    assert difference(second, third) < 0.5
    assert difference(first, second) > 1


@pytest.mark.parametrize("size", [(1, 1), (3000, 2), (2, 3000), (7, 5)])
def test_odd_pictures_do_not_crash(engine: RestyleEngine, tmp_path: Path, size: tuple[int, int]) -> None:
    made = task(tmp_path, of=size)
    style = picture(tmp_path / "style.png", *size)
    with_style = Task(made.parameters, 1, SilentReport(), {**made.inputs, "style": style})
    for result in engine.run([made, with_style]):
        assert max(image_of(result).size) == 256


def test_previews_rise_and_steps_count_up(engine: RestyleEngine, tmp_path: Path) -> None:
    listener = Listener()
    image_of(engine.run([task(tmp_path, listener, size=512)])[0])
    assert [max(size) for size in listener.previews] == [192, canvas_side(512)]
    counts = [step for step, _ in listener.steps]
    assert counts == list(range(1, len(counts) + 1))
    assert {steps for _, steps in listener.steps} == {len(counts)}
    assert listener.phases == ["loading", "painting", "finishing"]


def test_cancel_ends_one_task_at_that_step_and_not_its_neighbour(
    engine: RestyleEngine, tmp_path: Path
) -> None:
    listener = Listener(cancel_at=2)
    canceled, other = engine.run([task(tmp_path, listener), task(tmp_path)])
    assert isinstance(canceled.error, JobCanceled)
    assert len(listener.steps) == 2
    assert max(image_of(other).size) == 256


# --- Mixes, brush, scale ---


def test_a_mix_ends_at_each_of_its_styles(engine: RestyleEngine, tmp_path: Path) -> None:
    waves, stars = (image_of(engine.run([task(tmp_path, style=slug)])[0]) for slug in STYLES)
    mixed = [
        image_of(
            engine.run([task(tmp_path, style="waves", style_2="stars", weight_1=first, weight_2=second)])[0]
        )
        for first, second in ((0.7, 0.0), (0.5, 0.5), (0.0, 0.2))
    ]
    assert difference(mixed[0], waves) == 0
    assert difference(mixed[2], stars) == 0
    assert difference(mixed[1], waves) > 0.5
    assert difference(mixed[1], stars) > 0.5


def test_only_proportions_of_a_mix_matter(engine: RestyleEngine, tmp_path: Path) -> None:
    light, heavy = (
        image_of(engine.run([task(tmp_path, style_3="stars", weight_1=a, weight_3=b)])[0])
        for a, b in ((0.1, 0.3), (0.3, 0.9))
    )
    assert difference(light, heavy) < 0.1


def test_mixed_colours_are_those_of_a_canvas_with_both() -> None:
    first, second = (
        torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(n)) ** n for n in (1, 3)
    )
    codes = [
        torch.cat([torch.full((1, 4), float(n)), colour_statistics(x)], 1)
        for n, x in enumerate((first, second))
    ]
    mixed = mix_codes(codes, [3, 1])
    # Three quarters of the one and a quarter of the other, side by side.
    both = colour_statistics(torch.cat([first, first, first, second], 3))
    assert torch.allclose(mixed[:, 4:], both, atol=1e-5)
    assert torch.allclose(mixed[:, :4], torch.full((1, 4), 0.25))


def test_a_mix_says_what_each_style_gave(engine: RestyleEngine, tmp_path: Path) -> None:
    made = task(tmp_path, style_2="stars", weight_1=0.1, weight_2=0.2, weight_3=0.1)
    style = picture(tmp_path / "style.png", 70, 50, seed=9)
    (result,) = engine.run([Task(made.parameters, 1, SilentReport(), {**made.inputs, "style_3": style})])
    (output,) = result.outputs
    shares = [(one["style"], one["share"]) for one in output.details["mix"]]
    assert shares == [("waves", 0.25), ("stars", 0.5), ("", 0.25)]
    assert output.details["weights"] == {"style_3": 0.25}


def test_broad_brushes_and_large_patterns_have_small_canvases() -> None:
    assert canvas_side(1024) == 448
    assert canvas_side(1024, 0.0) == 896
    assert canvas_side(1024, 1.0) == 224
    assert canvas_side(1024, 0.5, 2.0) == 224
    assert canvas_side(2048, 0.0, 0.5) == 2048
    assert canvas_side(48, 1.0, 2.0) == 48


def test_brush_and_scale_change_the_picture_and_not_its_size(engine: RestyleEngine, tmp_path: Path) -> None:
    usual = image_of(engine.run([task(tmp_path)])[0])
    others: tuple[dict[str, Any], ...] = ({"brush": 0.0}, {"brush": 1.0}, {"style_scale": 2.0})
    for other in others:
        made = image_of(engine.run([task(tmp_path, **other)])[0])
        assert made.size == usual.size
        if other != {"brush": 0.0}:  # a small picture's canvas is as large as itself already
            assert difference(made, usual) > 0.2


def test_a_canvas_in_strips_is_the_canvas_in_one_pass(
    engine: RestyleEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {"size": 512, "brush": 0.0}
    whole = image_of(engine.run([task(tmp_path, **asked)])[0])
    listener = Listener()
    monkeypatch.setattr(restyle, "STRIPS_FROM", 0)
    strips = image_of(engine.run([task(tmp_path, listener, **asked)])[0])
    assert difference(whole, strips) < 0.05
    counts = [step for step, _ in listener.steps]
    assert counts == list(range(1, len(counts) + 1))
    assert {steps for _, steps in listener.steps} == {len(counts)}


def test_previews_of_a_large_canvas_rise_twice(engine: RestyleEngine, tmp_path: Path) -> None:
    listener = Listener()
    image_of(engine.run([task(tmp_path, listener, of=(64, 64), size=1024, brush=0.0)])[0])
    sides = [max(size) for size in listener.previews]
    assert sides[:2] == [192, 448]
    assert sides == sorted(sides)


@pytest.mark.parametrize("size", [256, 320, 2048])
def test_every_size_is_exact(engine: RestyleEngine, tmp_path: Path, size: int) -> None:
    assert max(image_of(engine.run([task(tmp_path, size=size)])[0]).size) == size


# --- Regions ---


def masked(
    tmp_path: Path, mask: Image.Image, report: Any = None, suffix: str = "png", **parameters: Any
) -> Task:
    made = task(tmp_path, report, **parameters)
    path = tmp_path / f"mask.{suffix}"
    mask.save(path)
    return Task(made.parameters, 1, made.report, {**made.inputs, "mask": path})


def half(size: tuple[int, int] = (90, 60)) -> Image.Image:
    """White on the left."""
    mask = Image.new("RGB", size)
    mask.paste("white", (0, 0, size[0] // 2, size[1]))
    return mask


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("invert", [False, True])
def test_outside_of_a_region_no_pixel_changes(
    engine: RestyleEngine, tmp_path: Path, suffix: str, invert: bool
) -> None:
    result = image_of(engine.run([masked(tmp_path, half(), suffix=suffix, invert=invert)])[0])
    plain = image_of(engine.run([task(tmp_path)])[0])
    with Image.open(tmp_path / "content-90x60.png") as content:
        untouched = np.asarray(content.resize(result.size, Image.Resampling.LANCZOS))
    found, whole = np.asarray(result), np.asarray(plain)
    left, right = np.s_[:, :118], np.s_[:, 138:]
    outside, inside = (left, right) if invert else (right, left)
    assert np.array_equal(found[outside], untouched[outside])
    deep = (inside[0], np.s_[:110] if not invert else np.s_[150:])
    assert np.array_equal(found[deep], whole[deep])
    assert not np.array_equal(found[deep], untouched[deep])


def test_previews_keep_to_the_region(engine: RestyleEngine, tmp_path: Path) -> None:
    shown: list[Image.Image] = []

    class Watch(SilentReport):
        def preview(self, image: Image.Image, index: int = 0) -> None:
            shown.append(image)

    image_of(engine.run([masked(tmp_path, half(), Watch())])[0])
    with Image.open(tmp_path / "content-90x60.png") as content:
        small = content.resize((256, 171), Image.Resampling.LANCZOS).resize(shown[0].size)
    assert difference(shown[0].crop((110, 0, 192, 128)), small.crop((110, 0, 192, 128))) < 0.01


def test_a_region_has_a_soft_edge_inside() -> None:
    region = np.asarray(feathered_region(half((512, 256)), (1024, 512)))[256].astype(int)
    assert region[0] == 255
    assert region[512:].max() == 0
    edge = region[480:514]
    assert (np.diff(edge) <= 0).all()
    assert np.diff(edge).min() > -80


def test_thin_lines_alone_are_a_region() -> None:
    mask = Image.new("L", (512, 512))
    mask.paste(255, (100, 100, 300, 102))
    assert np.asarray(feathered_region(mask, (512, 512)))[100, 200] == 255


@pytest.mark.parametrize(
    ("mask", "invert"),
    [
        (Image.new("RGB", (90, 60), "black"), False),
        (Image.new("RGB", (90, 60), "white"), True),
    ],
)
def test_a_region_of_nothing_is_refused(
    engine: RestyleEngine, tmp_path: Path, mask: Image.Image, invert: bool
) -> None:
    listener = Listener()
    (result,) = engine.run([masked(tmp_path, mask, listener, invert=invert)])
    assert isinstance(result.error, InvalidRequest)
    assert "region" in result.error.visitor
    assert listener.steps == []


def test_a_region_of_everything_is_none(engine: RestyleEngine, tmp_path: Path) -> None:
    white = image_of(engine.run([masked(tmp_path, Image.new("L", (45, 30), 255))])[0])
    assert difference(white, image_of(engine.run([task(tmp_path)])[0])) == 0


# --- Refusals ---


@pytest.mark.parametrize("style", ["no_such_style", "../waves"])
def test_a_style_that_is_not_there_is_refused_in_a_sentence(
    engine: RestyleEngine, tmp_path: Path, style: str
) -> None:
    (result,) = engine.run([task(tmp_path, style=style)])
    assert isinstance(result.error, InvalidRequest)
    assert result.error.visitor.endswith(".")
    assert result.error.visitor != InvalidRequest.visitor


def test_no_picture_is_refused(engine: RestyleEngine) -> None:
    (result,) = engine.run([Task(complete("restyle", style="waves"), 1, SilentReport())])
    assert isinstance(result.error, InvalidRequest)


def test_damaged_weights_are_refused(models: Path) -> None:
    file = models / weights.MODEL_FILE
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(weights.WeightsCorrupt, match="sha256"):
        RestyleEngine()


@pytest.mark.parametrize(
    "change", [{"widths": [8, 8, 8]}, {"styles": ["waves"]}, {"unheard_of": 1}, {"styles": None}]
)
def test_a_card_that_does_not_fit_its_weights_is_refused(models: Path, change: dict[str, Any]) -> None:
    card = weights.load_card(models)
    weights.write_card(models, {**card, "config": {**card["config"], **change}})
    with pytest.raises(weights.WeightsCorrupt, match="style transfer"):
        RestyleEngine()


def test_colours_are_carried_onto_the_style() -> None:
    random = torch.Generator().manual_seed(3)
    image = torch.rand(2, 3, 40, 40, generator=random) * 0.8 - 0.4
    wanted = colour_statistics(torch.rand(2, 3, 32, 32, generator=random) ** 2)
    carried = colour_statistics(match_colours(image, colour_statistics(image), wanted))
    assert torch.allclose(carried[:, :3], wanted[:, :3], atol=1e-4)
    assert torch.allclose(carried[:, 3:], wanted[:, 3:], atol=0.01)


def test_codes_do_not_depend_on_the_batch() -> None:
    torch.manual_seed(1)
    net = StyleTransferNet(TOY).eval()
    pictures, contents = torch.rand(3, 3, 48, 48) * 2 - 1, torch.rand(3, 3, 32, 40) * 2 - 1
    with torch.inference_mode():
        codes = net.encode(pictures)
        together = net(contents, codes)
        for n in range(3):
            alone = net(contents[n : n + 1], net.encode(pictures[n : n + 1]))
            assert torch.allclose(alone[0], together[n], atol=1e-3)


def test_the_shipped_styles_are_those_of_the_web(root: Path) -> None:
    """Both sides list the styles; the web must not offer one that the model does not know."""
    catalogue = json.loads((root / "gallery" / "style_catalogue.json").read_text("utf-8"))
    card = weights.load_card(weights.SHIPPED / "restyle")
    assert [entry["slug"] for entry in catalogue] == card["config"]["styles"]
    for entry in catalogue:
        assert (root / "gallery/static/gallery/styles" / f"{entry['slug']}.webp").is_file()
        assert all(entry[key] for key in ("artist", "artist_zh", "title_en", "title_zh"))


def test_the_shipped_model_paints() -> None:
    engine = RestyleEngine()
    content = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8))
    first, second = (engine.paint(content, engine.code(slug)) for slug in engine.styles[:2])
    assert difference(first, second) > 5
