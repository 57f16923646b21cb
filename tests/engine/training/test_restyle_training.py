"""The training of ``restyle`` at toy size, from the first step to weights that the engine loads."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.engine.toy_restyle import TOY, write_restyle
from tests.engine.toy_training_data import coloured, write_photographs, write_training_data
from workers import weights
from workers.engines.restyle import RestyleEngine
from workers.training import __main__ as training
from workers.training.style_transfer import train
from workers.training.style_transfer.train_joint import begin

SLUGS = [f"style_{number}" for number in range(22)]
"""As many as the sample sheets ask for."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Training data with photographs and famous styles."""
    made = write_training_data(tmp_path / "data")
    write_photographs(made, 4, validation=False)
    (made / "styles").mkdir()
    with (made / "styles.csv").open("w", newline="", encoding="utf-8") as table:
        rows = csv.DictWriter(table, ["file", "artist", "title"])
        rows.writeheader()
        for number, slug in enumerate(SLUGS):
            coloured(100 + number, 96).save(made / "styles" / f"{slug}.png")
            rows.writerow({"file": f"styles/{slug}.png", "artist": "Nobody", "title": slug})
    return made


def test_new_blocks_change_nothing_before_they_have_learned(tmp_path: Path) -> None:
    small = write_restyle(tmp_path / "models")
    before, after = begin(small, 1), begin(small, 3)
    assert len(after.painter.blocks) == 3
    generator = torch.Generator().manual_seed(2)
    content, style = (torch.rand(1, 3, 64, 64, generator=generator) * 2 - 1 for _ in range(2))
    with torch.inference_mode():
        apart = before(content, before.encode(style)) - after(content, after.encode(style))
    # Not nothing to the last bit: their scale answers to the style from the first step on.
    assert float(apart.abs().max()) < 0.05
    assert len(begin(small, 0).painter.blocks) == 1  # none are taken away


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    small = write_restyle(tmp_path / "models")
    card = weights.load_card(small)
    weights.write_card(small, {**card, "config": {**card["config"], "full": 16}})
    with pytest.raises((RuntimeError, ValueError)):
        begin(small, 2)


def test_painter_and_encoder_learn_together_go_on_and_are_exported(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path / "models"))
    run = tmp_path / "run"
    small = write_restyle(tmp_path / "models")
    asked = [
        "restyle-together", "--data", str(folder), "--out", str(run), "--minutes", "0.0001", "--batch", "1",
        "--sizes", "64", "64", "--style-size", "64", "--style-short", "80", "--paintings", "4", "--pool", "3",
        "--blocks", "2",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="--start-from"):
        training.main(asked)
    training.main([*asked, "--start-from", str(small)])
    training.main(asked)
    saved = torch.load(run / "checkpoint.pt", weights_only=True)
    assert saved["step"] == 2
    # Both halves have bounded_step (what was loaded, half precision, is exact in single precision).
    old, new = load_file(small / weights.MODEL_FILE), saved["state"]["net"]
    for name in ("painter.down1.conv.weight", "encoder.out.weight"):
        assert not torch.equal(old[name].float(), new[name])

    training.main([*asked, "--export", str(small)])
    engine = RestyleEngine()
    assert engine.styles == tuple(SLUGS)
    assert engine.net.config.blocks == 2
    assert engine.paint(coloured(1, 96), engine.code(SLUGS[3])).size == (96, 96)
    assert weights.load_card(small)["steps"] == 2


def test_the_first_stages_make_weights_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTSITE_DEVICE", "cpu")
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setattr(train, "scaled_config", lambda width: TOY)
    run = tmp_path / "run"
    asked = [
        "restyle", "--data", str(folder), "--out", str(run), "--minutes", "0.0001", "--batch", "1",
        "--bank", "2", "--views", "1", "--sizes", "64", "64", "64", "--style-size", "64", "--paintings", "4",
    ]  # fmt: skip
    training.main(asked)
    training.main([*asked, "--encoder"])
    training.main([*asked, "--export", str(tmp_path / "models" / "restyle")])
    engine = RestyleEngine()
    assert engine.paint(coloured(1, 96), engine.encode(coloured(2, 96))).size == (96, 96)
