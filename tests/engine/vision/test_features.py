"""Feature visualisation at toy size: real classes, random weights."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.engine.vision.test_dream import CARD, CHANNELS, TOY, toy
from workers import weights
from workers.engines.vision.activation_maximisation import preactivations
from workers.training.__main__ import main
from workers.training.classifier.feature_visualisation import candidates, farthest_first, visualised
from workers.training.classifier.feature_words import (
    Name,
    assign_words,
    display_name,
    label_name,
    number_repeats,
    word_effects,
)

ARGUMENTS = ["--weights", "analyse", "--count", "10", "--side", "64", "--steps", "6", "--threads", "1"]


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path / "models"))
    weights.save(tmp_path / "models" / "analyse", toy().state_dict(), CARD)
    return tmp_path / "models" / "analyse"


def paintings_of(folder: Path, count: int = 40) -> Path:
    """A data folder: seas are blue, forests green; photographs are grey."""
    random = np.random.default_rng(0)
    fields = ["file", "shard", "artist", "style", "genre", "title", "year", "width", "height"]
    rows, others = [], []
    with (
        zipfile.ZipFile(folder / "paintings.zip", "w") as archive,
        zipfile.ZipFile(folder / "photos.zip", "w") as more,
    ):
        for number in range(count):
            sea = number % 2
            tint = np.array([20, 60, 200] if sea else [30, 150, 30])
            pixels = (tint + random.integers(0, 40, (48, 64, 3))).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            archive.writestr(f"{number}.png", file.getvalue())
            title = "The sea" if sea else "A forest"
            rows.append(
                [f"{number}.png", "paintings.zip", "Claude Monet", "", "landscape", title, "", 64, 48]
            )
            grey = Image.fromarray(random.integers(90, 160, (48, 48), dtype=np.uint8))
            file = io.BytesIO()
            grey.save(file, "PNG")
            more.writestr(f"p{number}.png", file.getvalue())
            others.append([f"p{number}.png"])
    for name, head, body in (("paintings", fields, rows), ("photos", ["file"], others)):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as target:
            writer = csv.writer(target)
            writer.writerow(head)
            writer.writerows(body)
    return folder


@pytest.mark.parametrize("with_data", [False, True])
def test_a_sheet_and_its_list_are_written(
    models: Path, tmp_path: Path, with_data: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    web = tmp_path / "web"
    more = ["--data", str(paintings_of(tmp_path)), "--pictures", "40"] if with_data else ["--pictures", "24"]
    main(["features", *ARGUMENTS, "--web", str(web), *more])
    listed = json.loads((web / "features.json").read_text("utf-8"))
    assert (models / "features.json").read_bytes() == (web / "features.json").read_bytes()
    assert listed["digest"] == weights.load_card(models)["sha256"]
    assert listed["channels"] == CHANNELS
    found = listed["features"]
    assert 0 < len(found) <= 10
    assert len({(one["stage"], one["channel"]) for one in found}) == len(found)
    assert len({one["en"] for one in found}) == len({one["zh"] for one in found}) == len(found)
    for one in found:
        assert 0 <= one["channel"] < CHANNELS[one["stage"]]
    assert [one["stage"] for one in found] == sorted((one["stage"] for one in found), reverse=True)
    with Image.open(web / "sheet.webp") as sheet:
        assert sheet.size == (640, 64)
        colours = np.asarray(sheet.convert("RGB").crop((0, 0, 64, 64)))
        assert colours.std() > 10
    if with_data:
        words = {one["en"].split(" ")[0] for one in found}
        assert words & {"sea", "forest", "green", "blue", "photograph", "cold", "vivid"}
    assert f"{len(found)} features" in capsys.readouterr().out


@torch.no_grad()
def test_a_visualisation_activates_its_channel() -> None:
    net = toy()
    # Kernels without a pattern: random ones want only the finest noise, which is never drawn.
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.weight.copy_(3 * module.weight.mean((2, 3), keepdim=True).expand_as(module.weight))
    channels = list(range(16))
    made = visualised(net, "s3", channels, 64, 20, torch.Generator().manual_seed(1))
    heard = preactivations(net, made, ["s3"])["s3"].mean((2, 3))
    lead = (heard - heard.mean(0)) / heard.std(0)
    # Each picture is ahead of the others where it was drawn for.
    assert float(lead.diagonal().mean()) > 0.9
    assert torch.equal(made, visualised(net, "s3", channels, 64, 20, torch.Generator().manual_seed(1)))


def test_dead_channels_and_copies_are_left_out() -> None:
    random = np.random.default_rng(1)
    activations = np.abs(random.standard_normal((200, 5))).astype(np.float32)
    activations[:, 1] = 0
    activations[:, 3] = activations[:, 2] * 2
    chosen = candidates(activations, 3)
    assert 1 not in chosen
    assert len({2, 3} & set(chosen)) == 1
    assert candidates(np.zeros((10, 4), np.float32), 3) == []
    assert farthest_first(np.eye(3, dtype=np.float32), 1, 9) == [1, 0, 2]


def test_the_effect_of_a_word_is_beyond_the_average() -> None:
    random = np.random.default_rng(2)
    words = [
        {"sea"} if number % 2 else {"forest", "rare"} if number < 8 else {"forest"} for number in range(80)
    ]
    activations = random.standard_normal((80, 2)).astype(np.float32)
    activations[1::2, 0] += 2
    activations[::2, 1] += 2
    known, table = word_effects(activations, words)
    assert known == ("forest", "sea")
    assert [known[number] for number in table.argmax(1)] == ["sea", "forest"]


def test_a_word_names_two_channels_at_most_the_strongest_first() -> None:
    table = np.array([[3, 1], [5, 2], [4, 3.5]], np.float32)
    names = assign_words(table, [("sea", "大海"), ("sky", "天空")])
    assert [name.en for name in names] == ["sky", "sea", "sea"]
    assert [name.zh for name in number_repeats(names)] == ["天空", "大海", "大海 2"]
    with pytest.raises(ValueError, match="words"):
        assign_words(table, [("sea", "大海")] * 2)


def test_names_are_in_both_languages() -> None:
    assert display_name("sea") == ("sea", "大海")
    assert display_name("monet") == ("Monet", "莫奈")
    assert display_name("blue") == ("blue", "蓝色")
    assert label_name("portrait") == ("portrait", "肖像")
    assert label_name("Claude Monet") == ("Monet", "莫奈")
    assert label_name("Xyzzy") is None
    assert number_repeats([Name("sea", "大海", 1.0)])[0].en == "sea"
    assert set(TOY.heads) == {"style", "genre"}
