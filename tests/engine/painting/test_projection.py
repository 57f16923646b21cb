"""Looking for the latent of a picture, at toy size."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from tests.engine.toy_painting import TOY, write_models
from workers.engines.base import JobCanceled
from workers.engines.painting import projection
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import PaintingPipeline, open_pipeline
from workers.engines.painting.projection import project


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PaintingPipeline:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    write_models(tmp_path)
    return open_pipeline()


def quiet(work: int, picture: torch.Tensor | None) -> None:
    """A step that nobody watches."""


def own_picture(pipeline: PaintingPipeline, seed: int = 3) -> torch.Tensor:
    """A picture of the painter itself, (3, S, S)."""
    subject = pipeline.subjects(pipeline.matcher.conditions([("sea", "blue")]))
    styles = pipeline.styles(pipeline.draw(seed, 0)[None], subject)
    return pipeline.compose_latents([Latent.of(styles[0], seed, 0)])[0]


def test_what_is_found_is_much_more_like_the_picture_than_chance(pipeline: PaintingPipeline) -> None:
    target = own_picture(pipeline)
    heard: list[int] = []
    shown: list[torch.Tensor] = []

    def step(work: int, picture: torch.Tensor | None) -> None:
        heard.append(work)
        if picture is not None:
            shown.append(picture)

    found = project(pipeline, target, (7, 4001), step)
    assert sum(heard) == projection.STEP_COUNT
    assert len(shown) >= 10
    assert found.latent.styles.shape == (TOY.levels, TOY.style)

    def apart(picture: torch.Tensor) -> float:
        # The finest grain is noise, which is another stream's.
        return float((F.avg_pool2d(picture, 4) - F.avg_pool2d(target, 4)).square().mean())

    strangers = sorted(apart(own_picture(pipeline, seed)) for seed in range(20, 30))
    assert apart(found.picture) < min(strangers[0], 0.2 * strangers[5])
    assert apart(found.picture) < 0.5 * apart(shown[0])
    assert torch.allclose(found.picture, pipeline.compose_latents([found.latent])[0].cpu(), atol=1e-5)


def test_the_same_picture_and_seed_give_the_same_latent(pipeline: PaintingPipeline) -> None:
    target = own_picture(pipeline)
    torch.manual_seed(1)
    first = project(pipeline, target, (7, 4001), quiet)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    again = project(pipeline, target, (7, 4001), quiet)
    assert torch.equal(first.latent.styles, again.latent.styles)
    assert first.distance == again.distance
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("after", [projection.STARTS // 2, projection.STARTS + 30])
def test_a_step_may_end_the_search(pipeline: PaintingPipeline, after: int) -> None:
    done = 0

    def step(work: int, picture: torch.Tensor | None) -> None:
        nonlocal done
        done += work
        if done >= after:
            raise JobCanceled

    with pytest.raises(JobCanceled):
        project(pipeline, own_picture(pipeline), (7, 4001), step)
    assert done < after + projection.STARTS


def test_the_middle_square_is_looked_for() -> None:
    image = Image.new("RGB", (60, 20), "red")
    image.paste("blue", (20, 0, 40, 20))
    cut = projection.centre_square(image, 64)
    assert cut.shape == (3, 64, 64)
    assert cut[2].min() > 0.99


@pytest.mark.parametrize("size", [(1, 1), (400, 15), (15, 400)])
def test_a_picture_of_few_pixels_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(projection.TooSmall, match=f"{size[0]} x {size[1]}"):
        projection.centre_square(Image.new("RGB", size), 64)
