"""The blend engine at toy size: real classes, random weights."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.parameters import complete
from tests.engine.toy_painting import TOY, Recording, outputs, pixels, write_models
from workers.engines.base import Animation, InvalidRequest, JobCanceled, Picture, SilentReport, Task
from workers.engines.blend import BlendEngine
from workers.engines.paint import PaintEngine
from workers.engines.painting import projection
from workers.engines.painting.latents import Latent, depth_groups
from workers.images import to_tensor


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlendEngine:
    root = tmp_path / "models"
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(root))
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    write_models(root)
    return BlendEngine()


class Family:
    """Paintings as works with files and details, ready to be parents."""

    def __init__(self, engine: BlendEngine, folder: Path) -> None:
        self.folder = folder
        prompts = ("blue sea", "red forest", "white snow, mountain", "yellow field")
        asked = [
            Task(complete("paint", prompt=text, count=1, size="256", truncation=1.0), 40 + n, SilentReport())
            for n, text in enumerate(prompts)
        ]
        self.paintings: list[Picture] = [outputs(result)[0] for result in PaintEngine().run(asked)]
        for number, painting in enumerate(self.paintings):
            painting.image.save(folder / f"{number}.png")

    def latent(self, number: int) -> Latent:
        """The latent of painting ``number``."""
        return latent_of(self.paintings[number])

    def task(
        self,
        *numbers: int,
        seed: int = 5,
        report: SilentReport | None = None,
        painter: str | None = None,
        **parameters: Any,
    ) -> Task:
        """A blend of the paintings ``numbers``, as parents 1, 2 ...; ``painter``: whose they are instead."""
        kept = [json.loads(json.dumps(self.paintings[number].details)) for number in numbers]
        for details in kept if painter is not None else ():
            details["latent"]["painter"] = painter
        works = {
            f"parent_{place}": {
                "kind": "paint",
                "model": "paint",
                "digest": "of whatever enlarged it",
                "details": details,
            }
            for place, details in enumerate(kept, 1)
        }
        inputs = {f"parent_{place}": self.folder / f"{n}.png" for place, n in enumerate(numbers, 1)}
        given = complete("blend", **{"count": 1, "size": "256"} | parameters)
        return Task(given, seed, report or SilentReport(), inputs, works)


@pytest.fixture
def family(engine: BlendEngine, tmp_path: Path) -> Family:
    return Family(engine, tmp_path)


def latent_of(output: Picture | Animation) -> Latent:
    return Latent.from_details(json.loads(json.dumps(output.details["latent"])), TOY.levels, TOY.style)


def loop_of(engine: BlendEngine, task: Task) -> Animation:
    (result,) = engine.run([task])
    if result.error is not None:
        raise result.error
    (loop,) = result.outputs
    assert isinstance(loop, Animation)
    return loop


def steps_of(engine: BlendEngine, frames: tuple[Image.Image, ...]) -> np.ndarray[Any, Any]:
    """Distances in the matcher's features from each frame to the next, around the loop."""
    seen = engine.pipeline.matcher.features(torch.cat([to_tensor(frame) for frame in frames]))
    distances: np.ndarray[Any, Any] = torch.linalg.vector_norm(seen - seen.roll(-1, 0), dim=1).numpy()
    return distances


def test_all_of_one_parent_is_that_parent(engine: BlendEngine, family: Family) -> None:
    for first, second, whose in ((1.0, 0.0, 0), (0.0, 0.3, 1)):
        (child,) = outputs(engine.run([family.task(0, 1, weight_1=first, weight_2=second)])[0])
        assert torch.equal(latent_of(child).styles, family.latent(whose).styles)
        assert latent_of(child).noise == family.latent(whose).noise
        parent = np.asarray(family.paintings[whose].image).astype(int)
        assert np.abs(np.asarray(child.image).astype(int) - parent).max() <= 1


def test_a_child_is_between_its_parents(engine: BlendEngine, family: Family) -> None:
    (child,) = outputs(engine.run([family.task(0, 1, weight_1=0.9, weight_2=0.3)])[0])
    assert child.details["weights"] == {"parent_1": 0.75, "parent_2": 0.25}
    a, b, c = family.latent(0).styles, family.latent(1).styles, latent_of(child).styles
    assert torch.allclose(c[:, TOY.latent :], torch.lerp(a, b, 0.25)[:, TOY.latent :], atol=1e-5)
    lengths = [torch.linalg.vector_norm(styles[:, : TOY.latent], dim=1) for styles in (a, b, c)]
    assert torch.allclose(lengths[2], torch.lerp(lengths[0], lengths[1], 0.25), rtol=1e-4)
    for plane in engine.pipeline.noise([latent_of(child)]):
        assert 0.7 < float(plane.std()) < 1.3
    json.dumps(child.details)


def test_four_parents_and_the_next_generation(engine: BlendEngine, family: Family) -> None:
    (child,) = outputs(engine.run([family.task(0, 1, 2, 3)])[0])
    assert set(child.details["weights"].values()) == {0.25}
    family.paintings.append(child)
    child.image.save(family.folder / "4.png")
    (grandchild,) = outputs(engine.run([family.task(4, 0, weight_1=1.0, weight_2=0.0)])[0])
    difference = np.abs(np.asarray(grandchild.image).astype(int) - np.asarray(child.image).astype(int))
    assert difference.max() <= 1
    (other,) = outputs(engine.run([family.task(4, 0)])[0])
    for plane in engine.pipeline.noise([latent_of(other)]):
        assert 0.7 < float(plane.std()) < 1.3


@pytest.mark.parametrize("depth", ["layout", "shapes", "colour"])
def test_a_depth_of_one_parent_changes_only_its_levels(
    engine: BlendEngine, family: Family, depth: str
) -> None:
    taken: dict[str, Any] = {f"{depth}_from": "2"}
    asked = family.task(0, 1, weight_1=1.0, weight_2=0.0, **taken)
    (child,) = outputs(engine.run([asked])[0])
    levels = list(depth_groups(TOY.levels)[depth])
    wanted = family.latent(0).styles.clone()
    wanted[levels] = family.latent(1).styles[levels]
    assert torch.equal(latent_of(child).styles, wanted)
    assert child.details["depths"] == {depth: "parent_2"}
    assert child.details["weights"]["parent_2"] == pytest.approx(len(levels) / TOY.levels, abs=1e-3)
    first, second = engine.pipeline.noise([family.latent(0)]), engine.pipeline.noise([family.latent(1)])
    for block, plane in enumerate(engine.pipeline.noise([latent_of(child)])):
        assert torch.equal(plane, (second if block + 1 in levels else first)[block])


def test_depth_groups_are_thirds_from_coarse_to_fine() -> None:
    assert {name: list(levels) for name, levels in depth_groups(6).items()} == {
        "layout": [0, 1],
        "shapes": [2, 3],
        "colour": [4, 5],
    }


def test_the_first_child_is_as_asked_and_the_others_vary(engine: BlendEngine, family: Family) -> None:
    one = outputs(engine.run([family.task(0, 1)])[0])
    four = outputs(engine.run([family.task(0, 1, count=4)])[0])
    assert torch.equal(latent_of(one[0]).styles, latent_of(four[0]).styles)
    assert len({json.dumps(child.details["weights"]) for child in four}) == 4
    assert len({child.details["latent"]["styles"] for child in four}) == 4
    for child in four:
        assert sum(child.details["weights"].values()) == pytest.approx(1, abs=1e-3)
    again = outputs(engine.run([family.task(0, 1, count=4)])[0])
    other = outputs(engine.run([family.task(0, 1, count=4, seed=6)])[0])
    assert [np.asarray(a.image).tobytes() for a in four] == [np.asarray(b.image).tobytes() for b in again]
    assert other[1].details["latent"] != four[1].details["latent"]


def test_a_parent_without_a_share_stays_out(engine: BlendEngine, family: Family) -> None:
    for child in outputs(engine.run([family.task(0, 1, 2, weight_3=0.0, count=4)])[0]):
        assert child.details["weights"]["parent_3"] == 0


def test_mutations_grow_with_their_strength(engine: BlendEngine, family: Family) -> None:
    def away(strength: float) -> float:
        (child,) = outputs(engine.run([family.task(0, mode="mutate", mutation=strength)])[0])
        found, parent = latent_of(child).styles, family.latent(0).styles
        is_now, was = (torch.linalg.vector_norm(styles[:, : TOY.latent], dim=1) for styles in (found, parent))
        assert torch.allclose(is_now, was, rtol=1e-4)
        return float((found - parent).norm())

    strengths = [away(strength) for strength in (0.05, 0.2, 0.5, 1.0)]
    assert strengths == sorted(strengths)
    assert strengths[0] > 0
    children = outputs(engine.run([family.task(0, mode="mutate", mutation=0.4, count=5)])[0])
    assert len({child.details["latent"]["styles"] for child in children}) == 5
    assert all(child.details["weights"] == {"parent_1": 1.0} for child in children)


def test_a_mutated_mix_without_strength_is_the_mix(engine: BlendEngine, family: Family) -> None:
    settings: tuple[dict[str, Any], ...] = ({}, {"mutation": 0.0}, {"mutation": 0.3})
    plain, none, some = (
        latent_of(outputs(engine.run([family.task(0, 1, **more)])[0])[0]).styles for more in settings
    )
    assert torch.equal(plain, none)
    assert not torch.allclose(plain, some)


def test_company_in_the_batch_does_not_change_a_child(engine: BlendEngine, family: Family) -> None:
    alone = pixels(engine.run([family.task(0, 2, count=2)])[0])
    batch = engine.run(
        [
            family.task(1, 3, count=3, seed=9),
            family.task(0, 2, count=2),
            family.task(1, mode="mutate", mutation=0.5, count=5),
            family.task(1, size=256),
        ]
    )
    assert [len(result.outputs) for result in batch] == [3, 2, 5, 0]
    for one, same in zip(alone, pixels(batch[1]), strict=True):
        assert np.abs(one - same).max() <= 1


def test_a_bridge_is_closed_and_its_steps_are_even(engine: BlendEngine, family: Family) -> None:
    report = Recording()
    loop = loop_of(engine, family.task(0, 1, 2, mode="bridge", frames=40, report=report))
    assert len(loop.frames) == 40 == loop.details["frames"]
    assert loop.seconds == pytest.approx(40 / 12)
    assert {frame.size for frame in loop.frames} == {(256, 256)}
    steps = steps_of(engine, loop.frames)
    assert steps.max() < 2 * np.median(steps)
    assert steps.min() > 0
    parent = np.asarray(family.paintings[0].image).astype(int)
    assert np.abs(np.asarray(loop.frames[0]).astype(int) - parent).max() <= 1
    assert torch.equal(latent_of(loop).styles, family.latent(0).styles)
    assert set(loop.details["weights"]) == {"parent_1", "parent_2", "parent_3"}
    assert report.steps[-1][0] == report.steps[-1][1]
    assert sum(size == (256, 256) for _, size in report.previews) == 40


def test_a_bridge_between_a_painting_and_itself_stands_still(engine: BlendEngine, family: Family) -> None:
    loop = loop_of(engine, family.task(0, 0, mode="bridge", frames=4))
    first = np.asarray(loop.frames[0]).astype(int)
    assert all(np.abs(np.asarray(frame).astype(int) - first).max() <= 1 for frame in loop.frames)


def test_a_bridge_may_keep_the_layout_of_one(engine: BlendEngine, family: Family) -> None:
    free = loop_of(engine, family.task(0, 1, mode="bridge", frames=8))
    held = loop_of(engine, family.task(0, 1, mode="bridge", frames=8, layout_from="1"))
    assert np.array_equal(np.asarray(free.frames[0]), np.asarray(held.frames[0]))
    assert not np.array_equal(np.asarray(free.frames[4]), np.asarray(held.frames[4]))


def test_a_work_of_another_model_is_looked_for(engine: BlendEngine, family: Family) -> None:
    report = Recording()
    asked = family.task(0, 1, painter="0" * 64, weight_1=1.0, weight_2=0.0, report=report)
    (child,) = outputs(engine.run([asked])[0])
    assert report.phases == ["composing", "projecting", "projecting", "composing", "painting"]
    assert report.notes == [("projected", {"parents": [1, 2]})]
    assert report.steps[-1][0] == report.steps[-1][1] == 2 * projection.STEP_COUNT + 16
    assert set(child.details["projected"]) == {"parent_1", "parent_2"}
    own, stranger = (to_tensor(family.paintings[number].image) for number in (0, 1))
    made = to_tensor(child.image)
    assert (made - own).square().mean() < 0.5 * (made - stranger).square().mean()


def test_an_upload_is_looked_for_beside_a_painting(engine: BlendEngine, family: Family) -> None:
    asked = family.task(0)
    Image.new("RGB", (50, 70), (200, 120, 40)).save(family.folder / "upload.jpg")
    inputs = {**asked.inputs, "parent_3": family.folder / "upload.jpg"}
    report = Recording()
    (result,) = engine.run([Task(asked.parameters, 5, report, inputs, asked.works)])
    (child,) = outputs(result)
    assert report.notes == [("projected", {"parents": [3]})]
    assert child.details["weights"] == {"parent_1": 0.5, "parent_3": 0.5}


@pytest.mark.parametrize("step", [1, 3, 7])
def test_a_cancel_ends_one_task_at_once_and_not_its_neighbours(
    engine: BlendEngine, family: Family, step: int
) -> None:
    stopped = Recording(cancel_at=step)
    first, second = engine.run([family.task(0, 1, count=3, report=stopped), family.task(0, 1, count=2)])
    assert isinstance(first.error, JobCanceled)
    assert not first.outputs
    assert sum(done >= step for done, _ in stopped.steps) == 1
    assert len(outputs(second)) == 2


@pytest.mark.parametrize("step", [10, 50, 110])
def test_bridges_and_searches_can_be_canceled(engine: BlendEngine, family: Family, step: int) -> None:
    for more in ({"mode": "bridge", "frames": 16}, {"painter": "old"}):
        stopped = Recording(cancel_at=step)
        (result,) = engine.run([family.task(0, 1, report=stopped, **more)])
        assert isinstance(result.error, JobCanceled)
        assert sum(done >= step for done, _ in stopped.steps) == 1


@pytest.mark.parametrize("wrong", [{"mutation": "0.4"}, {"frames": 16.5}])
def test_a_request_of_another_form_is_refused_alone(
    engine: BlendEngine, family: Family, wrong: dict[str, Any]
) -> None:
    bad, good = engine.run([family.task(0, 1, **wrong), family.task(0, 1)])
    assert isinstance(bad.error, InvalidRequest)
    assert next(iter(wrong)) in str(bad.error)
    assert len(outputs(good)) == 1


def _short(latent: dict[str, Any]) -> None:
    latent["styles"] = latent["styles"][:40]


def _not_finite(latent: dict[str, Any]) -> None:
    count = latent["shape"][0] * latent["shape"][1]
    latent["styles"] = base64.b64encode(np.full(count, np.nan, "<f4").tobytes()).decode()


@pytest.mark.parametrize(
    "damage",
    [
        _short,
        _not_finite,
        lambda latent: latent.update(styles="%%%"),
        lambda latent: latent.update(styles=7),
        lambda latent: latent.update(format=2),
        lambda latent: latent.update(shape=[3, 3]),
        lambda latent: latent.update(noise_seed=-1),
        lambda latent: latent.update(noise=[{"seed": 1, "index": 0, "shares": [1.0]}]),
        lambda latent: latent.update(noise=[{"seed": 1, "index": 0, "shares": [9.0] * 3}]),
        lambda latent: latent.update(noise=[{"seed": 1, "index": 0, "shares": [0.1] * 3}] * 99),
        lambda latent: latent.pop("styles"),
        lambda latent: latent.pop("noise_index"),
    ],
)
def test_a_damaged_latent_is_a_clear_error(engine: BlendEngine, family: Family, damage: Any) -> None:
    asked = family.task(0, 1)
    damage(asked.works["parent_2"]["details"]["latent"])
    (result,) = engine.run([asked])
    assert isinstance(result.error, InvalidRequest)
    assert "parent 2" in result.error.visitor


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, None, "small"])
def test_a_parent_that_is_no_picture_is_a_clear_error(
    engine: BlendEngine, family: Family, content: bytes | str | None
) -> None:
    path = family.folder / "upload.png"
    if content == "small":
        Image.new("RGB", (200, 9)).save(path)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    asked = family.task(0)
    inputs = {**asked.inputs, "parent_2": path}
    (result,) = engine.run([Task(asked.parameters, 5, SilentReport(), inputs, asked.works)])
    assert isinstance(result.error, InvalidRequest)
    assert "arent 2" in result.error.visitor


def test_nothing_global_decides_or_is_changed(engine: BlendEngine, family: Family) -> None:
    torch.manual_seed(1)
    first = pixels(engine.run([family.task(0, 1, count=3)])[0])
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    again = pixels(engine.run([family.task(0, 1, count=3)])[0])
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert torch.equal(torch.random.get_rng_state(), state)
