"""The upscale engine at toy size: real classes, random weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.parameters import complete
from workers import device as devices
from workers import images, weights
from workers.engines.base import InvalidRequest, JobCanceled, JobReleased, Picture, Result, SilentReport, Task
from workers.engines.upscale import UpscaleEngine, tiles
from workers.nets.upscaler import Upscaler, UpscalerConfig, draw_noise, enlarge

TOY = UpscalerConfig(channels=8, blocks=2, fine=8)
CARD: dict[str, Any] = {
    "name": "paint-upscaler",
    "architecture": "toy",
    "config": TOY.to_card(),
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}


def lively() -> Upscaler:
    """An upscaler that adds a lot, so that a seam, the noise and the texture would show."""
    net = Upscaler(TOY)
    stream = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, value in net.named_parameters():
            inputs = value[0].numel() if name.endswith(".weight") else 4
            value.copy_(torch.randn(value.shape, generator=stream) * (1.2 / inputs) ** 0.5)
    return net.eval().requires_grad_(False)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a toy upscaler."""
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    folder = tmp_path / "models" / "paint-upscaler"
    weights.save(folder, lively().state_dict(), CARD)
    return folder


@pytest.fixture
def engine(models: Path) -> UpscaleEngine:
    found = UpscaleEngine()
    found.tile = 32
    return found


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """A smooth colourful picture."""
    noise = np.random.default_rng(seed).integers(60, 196, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)


def task(
    tmp_path: Path,
    image: Image.Image | None = None,
    report: SilentReport | None = None,
    seed: int = 5,
    **more: Any,
) -> Task:
    path = tmp_path / "picture.png"
    (image or picture(50, 41)).save(path)
    return Task(complete("upscale", **more), seed, report or SilentReport(), {"image": path})


def made(result: Result) -> Image.Image:
    if result.error is not None:
        raise result.error
    (output,) = result.outputs
    assert isinstance(output, Picture)
    return output.image


def difference(a: Image.Image, b: Image.Image) -> float:
    """Mean absolute difference in 0..255."""
    return float(np.abs(np.asarray(a, np.float32) - np.asarray(b, np.float32)).mean())


class Listener(SilentReport):
    """Remembers what it was told; stops with ``reason`` at step ``stop_at``."""

    def __init__(self, stop_at: int | None = None, reason: type[Exception] = JobCanceled) -> None:
        self.stop_at, self.reason = stop_at, reason
        self.steps: list[tuple[int, int | None]] = []
        self.phases: list[str] = []
        self.previews: list[Image.Image] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        self.steps.append((step, steps))
        if step == self.stop_at:
            raise self.reason

    def preview(self, image: Image.Image, index: int = 0) -> None:
        self.previews.append(image)


@pytest.mark.parametrize("factor", ["2", "4"])
@pytest.mark.parametrize("size", [(50, 41), (16, 90), (17, 16)])
def test_the_result_is_so_many_times_as_large_and_says_how_it_came_about(
    engine: UpscaleEngine, tmp_path: Path, size: tuple[int, int], factor: str
) -> None:
    (result,) = engine.run([task(tmp_path, picture(*size), factor=factor)])
    assert made(result).size == (size[0] * int(factor), size[1] * int(factor))
    details = result.outputs[0].details
    assert json.loads(json.dumps(dict(details))) == {
        "factor": int(factor),
        "texture": 0.5,
        "size_before": list(size),
    }


@pytest.mark.parametrize("size", [(150, 101), (64, 64), (31, 97)])
def test_tiles_together_are_what_one_pass_over_the_whole_would_be(
    engine: UpscaleEngine, tmp_path: Path, size: tuple[int, int]
) -> None:
    small = picture(*size)
    tiled = made(engine.run([task(tmp_path, small)])[0])
    noise = draw_noise((size[1], size[0]), [devices.generator(5)])
    with torch.inference_mode():
        whole = images.to_image(enlarge(lively_as_shipped(), images.to_tensor(small), noise, 0.5))
    # The brushwork of this toy is strong, so a tile that saw too little would show.
    assert difference(whole, small.resize(whole.size, Image.Resampling.BICUBIC)) > 5
    apart = np.abs(np.asarray(tiled, int) - np.asarray(whole, int))
    assert apart.max() <= 1


def lively_as_shipped() -> Upscaler:
    """The toy with its weights rounded as the file holds them."""
    net = lively()
    net.load_state_dict({name: value.half().float() for name, value in net.state_dict().items()})
    return net


@pytest.mark.parametrize(
    ("height", "width", "side"), [(1, 1, 32), (33, 64, 32), (100, 31, 32), (97, 130, 64)]
)
def test_tiles_cover_every_pixel_once(height: int, width: int, side: int) -> None:
    seen = np.zeros((height, width), int)
    for tile in tiles(height, width, side):
        assert tile.top % 2 == tile.left % 2 == 0
        assert max(tile.bottom - tile.top, tile.right - tile.left) <= side
        seen[tile.top : tile.bottom, tile.left : tile.right] += 1
    assert seen.min() == seen.max() == 1


def test_one_recipe_is_one_picture_to_the_byte(engine: UpscaleEngine, tmp_path: Path) -> None:
    again = UpscaleEngine()
    again.tile = engine.tile
    first, second = (made(e.run([task(tmp_path, factor="4")])[0]) for e in (engine, again))
    assert first.tobytes() == second.tobytes()
    other = made(engine.run([task(tmp_path, factor="4", seed=6)])[0])
    assert difference(first, other) > 0.5


def test_without_brushwork_nothing_is_left_to_chance(engine: UpscaleEngine, tmp_path: Path) -> None:
    quiet, other_seed, bold = (
        made(engine.run([task(tmp_path, texture=texture, seed=seed)])[0])
        for texture, seed in ((0.0, 5), (0.0, 6), (1.0, 5))
    )
    assert quiet.tobytes() == other_seed.tobytes()
    assert difference(quiet, bold) > 0.5


def test_every_tile_is_a_step_and_shows(engine: UpscaleEngine, tmp_path: Path) -> None:
    listener = Listener()
    made(engine.run([task(tmp_path, picture(64, 40), listener, factor="4")])[0])
    count = len(tiles(40, 64, 32)) + len(tiles(80, 128, 32))
    assert listener.steps == [(number, count) for number in range(1, count + 1)]
    assert listener.phases == ["loading", "painting", "finishing"]
    assert len(listener.previews) == count + 1
    assert {preview.size for preview in listener.previews} == {(128, 80)}


def test_the_last_preview_is_the_result_made_small(engine: UpscaleEngine, tmp_path: Path) -> None:
    listener = Listener()
    result = made(engine.run([task(tmp_path, picture(64, 40), listener)])[0])
    assert difference(listener.previews[-1], result) < 1
    assert difference(listener.previews[0], result) > 5


@pytest.mark.parametrize("reason", [JobCanceled, JobReleased])
def test_a_stopped_picture_ends_at_that_tile_and_not_its_neighbour(
    engine: UpscaleEngine, tmp_path: Path, reason: type[Exception]
) -> None:
    listener = Listener(stop_at=2, reason=reason)
    stopped, other = engine.run([task(tmp_path, picture(90, 90), listener), task(tmp_path, picture(90, 90))])
    assert isinstance(stopped.error, reason)
    assert len(listener.steps) == 2
    assert made(other).size == (180, 180)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1", "I;16", "CMYK"])
def test_pictures_of_every_mode_are_enlarged(engine: UpscaleEngine, tmp_path: Path, mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((20, 30), 40000, np.uint16))
    else:
        image = picture(30, 20).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    image.save(path)
    (result,) = engine.run([Task(complete("upscale"), 1, SilentReport(), {"image": path})])
    enlarged = made(result)
    assert (enlarged.mode, enlarged.size) == ("RGB", (60, 40))
    if mode in ("L", "LA", "1", "I;16"):
        # What has no colour gets none.
        red, green, blue = enlarged.split()
        assert red.tobytes() == green.tobytes() == blue.tobytes()
    if mode == "I;16":
        assert np.abs(np.asarray(enlarged, int).mean() - 40000 // 257) < 40


def test_what_is_transparent_lies_on_white_paper(tmp_path: Path) -> None:
    from workers.engines.upscale import open_flattened

    clear = Image.new("RGBA", (20, 20), (200, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert open_flattened(tmp_path / "clear.png").getcolors() == [(400, (255, 255, 255))]


@pytest.mark.parametrize("size", [(15, 40), (40, 15), (1, 1)])
def test_too_small_a_picture_is_refused_in_a_sentence(
    engine: UpscaleEngine, tmp_path: Path, size: tuple[int, int]
) -> None:
    (result,) = engine.run([task(tmp_path, Image.new("RGB", size))])
    assert isinstance(result.error, InvalidRequest)
    assert "too small" in result.error.visitor
    assert result.error.visitor.endswith(".")


def test_no_picture_is_refused(engine: UpscaleEngine) -> None:
    (result,) = engine.run([Task(complete("upscale"), 1, SilentReport())])
    assert isinstance(result.error, InvalidRequest)


def test_weights_of_another_network_are_said_to_be_corrupt(models: Path) -> None:
    weights.write_card(models, weights.load_card(models) | {"config": {"channels": 8, "blocks": 9}})
    with pytest.raises(weights.WeightsCorrupt, match="not an upscaler"):
        UpscaleEngine()


def test_pictures_of_one_batch_have_textures_of_their_own() -> None:
    net, small = lively(), torch.rand(2, 3, 20, 20) * 2 - 1
    noise = draw_noise(20, [devices.generator(1), devices.generator(2)])
    together = enlarge(net, small, noise, torch.tensor([0.0, 1.0]))
    for index, texture in enumerate((0.0, 1.0)):
        alone = enlarge(net, small[index : index + 1], noise[index : index + 1], texture)
        assert torch.allclose(alone[0], together[index], atol=1e-4)
    assert not torch.allclose(enlarge(net, small[:1], noise[:1], 1.0)[0], together[0], atol=0.05)
