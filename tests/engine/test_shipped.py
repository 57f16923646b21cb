"""What is shipped fits together: what was made from the classifier names the classifier that is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from workers import weights
from workers.engines.analyse import AnalyseEngine
from workers.engines.base import SilentReport, Task

SHEET = Path(__file__).parents[2] / "gallery" / "static" / "gallery" / "features"


@pytest.fixture
def digest(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.delenv("ARTSITE_MODELS_DIR", raising=False)
    return weights.load("analyse").digest


def test_named_features_and_style_targets_are_of_the_shipped_classifier(digest: str) -> None:
    for folder in (SHEET, weights.SHIPPED / "analyse"):
        assert json.loads((folder / "features.json").read_text("utf-8"))["digest"] == digest
    assert weights.load_card(weights.SHIPPED / "restyle-targets")["config"]["sees"] == digest


def test_the_objects_it_reads_are_of_the_shipped_matcher(digest: str) -> None:
    assert weights.load_card(weights.SHIPPED / "analyse")["matcher"] == weights.load("match").digest


def test_the_shipped_classifier_analyses(digest: str, tmp_path: Path) -> None:
    path = tmp_path / "flat.png"
    Image.new("RGB", (120, 90), "#2e62b8").save(path)
    engine = AnalyseEngine()
    (result,) = engine.run([Task({}, 1, SilentReport(), inputs={"image": path})])
    assert result.error is None
    assert engine.model_digest == digest
    assert result.outputs[0].details["analysis"]["unlike"]


def test_all_weights_together_stay_small() -> None:
    sizes = [file.stat().st_size for file in weights.SHIPPED.glob("*/model.safetensors")]
    assert max(sizes) < 16 * 2**20
    assert sum(sizes) < 60 * 10**6
