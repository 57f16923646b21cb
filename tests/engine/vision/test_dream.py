"""The dream engine at toy size: real classes, random weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from tests.engine.parameters import complete
from tests.engine.toy_painting import Recording, pixels
from workers import weights
from workers.engines.base import Animation, InvalidRequest, JobCanceled, Report, Result, Task
from workers.engines.dream import DreamEngine
from workers.engines.vision.activation_maximisation import (
    STAGES,
    Feature,
    GradientAscent,
    activation_objective,
    channels_of,
    normalise_gradient_pyramid,
    octave_noise,
    parse_features,
    preactivations,
)
from workers.engines.vision.zoom_loop import ZoomLoop
from workers.nets.classifier import Classifier, ClassifierConfig
from workers.runtime.video_encoding import check_loop

TOY = ClassifierConfig(
    heads={"style": ("Impressionism", "Cubism"), "genre": ("landscape", "portrait")},
    stem=8,
    widths=(8, 12, 16),
    blocks=(1, 1, 1),
    embedding=8,
)
CARD: dict[str, Any] = {
    "name": "analyse",
    "architecture": "toy",
    "config": TOY.to_card(),
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}
CHANNELS = {"s0": 8, "s1": 8, "s2": 12, "s3": 16}


def toy() -> Classifier:
    """Seeded, with normalisation that has seen something, so that every stage is alive."""
    torch.manual_seed(5)
    net = Classifier(TOY).train()
    with torch.no_grad():
        for _ in range(20):
            net(torch.rand(2, 3, 64, 64) * 2 - 1)
    return net.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def net() -> Classifier:
    return toy()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DreamEngine]:
    root = tmp_path_factory.mktemp("models")
    weights.save(root / "analyse", toy().state_dict(), CARD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARTSITE_MODELS_DIR", str(root))
        patch.setenv("ARTSITE_DEVICE", "cpu")
        yield DreamEngine()


def picture(folder: Path, width: int, height: int, mode: str = "RGB") -> Path:
    """A smooth colourful picture."""
    noise = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    path = folder / f"{width}x{height}-{mode}.png"
    Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(path)
    return path


def task(report: Report | None = None, seed: int = 1, image: Path | None = None, **parameters: Any) -> Task:
    given = complete(
        "dream",
        **{
            "features": "s3:3*1.0, s2",
            "octaves": 2,
            "steps": 5,
            "step_size": 0.03,
            "jitter": 8,
            "size": 64,
            "frames": 16,
        }
        | parameters,
    )
    inputs = {"image": image} if image is not None else {}
    return Task(parameters=given, seed=seed, report=report or Recording(), inputs=inputs)


def loop_of(result: Result) -> Animation:
    if result.error is not None:
        raise result.error
    (output,) = result.outputs
    assert isinstance(output, Animation)
    return output


# --- Dreams ------------------------------------------------------------------------------------------


def test_same_request_same_dream_whatever_is_dreamt_beside_it(engine: DreamEngine, tmp_path: Path) -> None:
    source = picture(tmp_path, 64, 48)
    (first,) = pixels(engine.run([task(image=source)])[0])
    beside = engine.run([task(seed=7), task(image=source, features="s1"), task(image=source)])
    assert np.array_equal(first, pixels(beside[2])[0])
    assert not np.array_equal(first, pixels(engine.run([task(image=source, seed=2)])[0])[0])


def test_a_dream_from_noise_is_that_of_its_seed(engine: DreamEngine) -> None:
    first, again, other = (pixels(engine.run([task(seed=seed)])[0])[0] for seed in (4, 4, 2**63 - 1))
    assert first.shape == (64, 64, 3)
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 5


def test_a_dream_activates_its_features(engine: DreamEngine, net: Classifier, tmp_path: Path) -> None:
    source = picture(tmp_path, 96, 96)

    def felt(result: Result, channel: int) -> float:
        (made,) = pixels(result)
        x = torch.from_numpy(made).permute(2, 0, 1)[None].float() / 127.5 - 1
        return float(activation_objective(preactivations(net, x, ["s3"])["s3"], channel))

    one, other = engine.run(
        [task(image=source, size=96, features=f"s3:{channel}", steps=10) for channel in (3, 9)]
    )
    assert felt(one, 3) > felt(other, 3)
    assert felt(other, 9) > felt(one, 9)


def test_weights_say_how_much_each_feature_counts(engine: DreamEngine, tmp_path: Path) -> None:
    source = picture(tmp_path, 64, 64)
    alone, mostly, evenly = (
        pixels(engine.run([task(image=source, features=features)])[0])[0]
        for features in ("s3:3", "s3:3*3, s2:1*0.05", "s3:3, s2:1")
    )
    assert np.abs(alone - mostly).mean() < np.abs(alone - evenly).mean()


def test_kept_colours_are_those_of_the_picture(engine: DreamEngine, tmp_path: Path) -> None:
    grey = Image.new("RGB", (64, 64), (110, 130, 120))
    grey.save(tmp_path / "plain.png")
    (made,) = pixels(engine.run([task(image=tmp_path / "plain.png", keep_colours=True)])[0])
    assert np.ptp(made, axis=(0, 1)).min() > 5
    inner = made[(made > 0).all(2) & (made < 255).all(2)]
    assert np.abs(inner[:, 1] - inner[:, 0] - 20).max() <= 1
    (free,) = pixels(engine.run([task(image=tmp_path / "plain.png")])[0])
    assert np.abs((free[..., 1] - free[..., 0]) - 20).max() > 5


@pytest.mark.parametrize(
    ("size", "mode", "expected"),
    [
        ((1, 1), "RGB", (64, 64)),
        ((3000, 2), "RGB", (64, 2)),
        ((2, 3000), "RGB", (2, 64)),
        ((7, 5), "L", (64, 46)),
        ((61, 97), "RGBA", (40, 64)),
    ],
)
@pytest.mark.parametrize("zoom", [False, True])
def test_odd_pictures_are_dreamt_of(
    engine: DreamEngine,
    tmp_path: Path,
    size: tuple[int, int],
    mode: str,
    expected: tuple[int, int],
    zoom: bool,
) -> None:
    asked = task(image=picture(tmp_path, *size, mode), octaves=6, steps=1, zoom=zoom)
    (result,) = engine.run([asked])
    if zoom:
        loop = loop_of(result)
        check_loop(loop.frames, loop.seconds)
        assert loop.frames[0].size == expected
    else:
        (made,) = pixels(result)
        assert made.shape[1::-1] == expected


# --- Talking while it works ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zoom", "frames", "total"), [(False, 16, 10), (True, 16, 10 + 2 + 16), (True, 32, 10 + 10 + 2 + 32)]
)
def test_every_step_is_told_and_previews_come(
    engine: DreamEngine, zoom: bool, frames: int, total: int
) -> None:
    report = Recording()
    engine.run([task(report, zoom=zoom, frames=frames)])
    assert report.steps == [(step, total) for step in range(1, total + 1)]
    assert len(report.previews) >= 4
    assert report.phases == ["loading", "dreaming", "finishing"]


@pytest.mark.parametrize(("zoom", "at"), [(False, 1), (False, 7), (True, 12), (True, 25)])
def test_a_cancel_is_heard_within_a_step_and_by_nobody_else(engine: DreamEngine, zoom: bool, at: int) -> None:
    report = Recording(cancel_at=at)
    canceled, other = engine.run([task(report, zoom=zoom), task()])
    assert isinstance(canceled.error, JobCanceled)
    assert len(report.steps) == at
    assert len(pixels(other)) == 1


@pytest.mark.parametrize(
    "features",
    ["", "s4", "s3:16", "s3:-1", "s3 s2", "../s3", "s3:3*"],
)
def test_features_that_are_not_there_are_refused_in_a_sentence(engine: DreamEngine, features: str) -> None:
    (result,) = engine.run([task(features=features)])
    assert isinstance(result.error, InvalidRequest)
    assert result.error.visitor != InvalidRequest.visitor


def test_features_are_read_as_they_are_written() -> None:
    assert parse_features("s3:15*0.5,s2 , s0:0*3", CHANNELS) == (
        Feature("s3", 15, 0.5),
        Feature("s2", None, 1.0),
        Feature("s0", 0, 3.0),
    )


# --- Preactivations and gradients ----------------------------------------------------------------------


def test_relu_of_preactivations_is_the_networks_features(net: Classifier) -> None:
    x = torch.rand(2, 3, 80, 64) * 2 - 1
    found = preactivations(net, x, STAGES)
    for stage, features in zip(STAGES, net.features(x), strict=True):
        assert torch.equal(F.relu(found[stage]), features)
    assert channels_of(net) == CHANNELS == {stage: drive.shape[1] for stage, drive in found.items()}
    assert list(preactivations(net, x, ["s1"])) == ["s1"]


def test_a_normalised_gradient_has_no_lattice_and_no_dominant_octave() -> None:
    torch.manual_seed(0)
    rows = torch.arange(64)
    checks = ((rows[:, None] + rows[None, :]) % 2 * 2.0 - 1).expand(1, 3, 64, 64)
    waves = torch.sin(rows / 64 * 6.28 * 4).expand(1, 3, 64, 64)
    normalised = normalise_gradient_pyramid(100 * checks + waves)
    assert normalised.square().mean().sqrt() == pytest.approx(1, abs=1e-4)

    def share(pattern: torch.Tensor) -> float:
        return float((normalised * pattern).mean().abs() / pattern.square().mean().sqrt())

    assert share(waves) > 0.5 * share(checks)
    assert normalise_gradient_pyramid(torch.zeros(1, 3, 5, 1)).abs().max() == 0


def test_nothing_moves_where_the_mask_is_closed(net: Classifier) -> None:
    ascent = GradientAscent(net, [Feature("s2")], torch.Generator().manual_seed(0), step_size=0.1)
    start = torch.rand(1, 3, 40, 56) - 0.5
    ascent.prepare(start)
    mask = torch.zeros(1, 1, 40, 56)
    mask[..., :20] = 1
    made = ascent.step(start, mask)
    assert torch.allclose(made[..., 20:], start[..., 20:], atol=1e-6)
    assert (made[..., :20] - start[..., :20]).abs().mean() > 0.01


# --- The zoom ----------------------------------------------------------------------------------------------


def test_the_zoom_closes(engine: DreamEngine, tmp_path: Path) -> None:
    loop = loop_of(engine.run([task(image=picture(tmp_path, 90, 60), zoom=True, frames=32, size=96)])[0])
    assert len(loop.frames) == 32
    frames = [np.asarray(frame).astype(int) for frame in loop.frames]
    steps = [np.abs(one - frames[(number + 1) % 32]).mean() for number, one in enumerate(frames)]
    # From the last frame to the first it is no further than from any other to the next.
    assert steps[-1] <= 1.2 * max(steps[:-1])
    assert min(steps) > 0


def test_a_zoom_is_one_picture_at_every_scale() -> None:
    stream = torch.Generator().manual_seed(2)
    zoom = ZoomLoop([octave_noise(64, stream) for _ in range(3)])
    assert torch.equal(zoom.at(0), zoom.at(3))
    assert torch.equal(zoom.at(1.25), zoom.at(4.25))
    # No jump where one layer hands over to the next.
    for time in (0, 1, 2):
        before, after = zoom.at(time + 3 - 1e-4), zoom.at(time + 1e-4)
        assert (before - after).abs().max() < 0.01
    # In the middle lies the next layer, at half the size; in its own middle the one after that.
    small = F.interpolate(zoom.layers[1], (32, 32), mode="bilinear", antialias=True, align_corners=False)
    view = zoom.at(0)
    assert (view[..., 22:24, 24:40] - small[..., 6:8, 8:24]).abs().max() < 0.05
    assert (view[..., 26:38, 26:38] - small[..., 10:22, 10:22]).abs().max() > 0.05


def test_noise_to_dream_from_is_soft_and_middling() -> None:
    noise = octave_noise(128, torch.Generator().manual_seed(1))
    assert abs(float(noise.mean())) < 0.2
    coarse = F.avg_pool2d(noise, 8)
    assert float(coarse.std()) > 0.5 * float(noise.std())
    assert torch.equal(noise, octave_noise(128, torch.Generator().manual_seed(1)))
