"""Weights files: what was saved is what is loaded, within the precision that was chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from workers import weights

CARD = {
    "name": "toy",
    "architecture": "toy",
    "config": {},
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}


def test_large_tensors_can_be_kept_in_eight_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    # Rows of very different sizes, one of them empty: each has a scale of its own.
    filters = torch.randn(8, 16, 3, 3) * torch.logspace(-4, 2, 8)[:, None, None, None]
    filters[3] = 0
    tensors = {
        "filters": filters,
        "small": torch.randn(4, 4),
        "bias": torch.randn(2000),
        "count": torch.tensor(7),
    }
    weights.save(tmp_path / "toy", tensors, CARD, eight_bits_from=1000)
    weights.save(tmp_path / "plain", tensors, CARD | {"name": "plain"})
    monkeypatch.setenv("ARTSITE_MODELS_DIR", str(tmp_path))
    loaded = weights.load("toy").tensors
    assert set(loaded) == set(tensors)
    largest = filters.abs().amax((1, 2, 3), keepdim=True)
    assert ((loaded["filters"] - filters).abs() <= largest / 253).all()
    for name in ("small", "bias", "count"):
        assert torch.equal(loaded[name], weights.load("plain").tensors[name])
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("toy", "plain")]
    assert sizes[0] < sizes[1]
