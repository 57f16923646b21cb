"""Weights folders of the restyle kind at toy size: real classes, random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from workers import weights
from workers.nets.classifier import Classifier, ClassifierConfig
from workers.nets.style_transfer import StyleTransferConfig, StyleTransferNet

TOY = StyleTransferConfig(
    widths=(8, 8, 16), full=8, blocks=1, code=8, style_widths=(8, 8, 8, 8), hidden=16, project=4
)
STYLES = ("waves", "stars")
CARD = {
    "name": "restyle",
    "architecture": "toy",
    "config": {**TOY.as_dict(), "styles": list(STYLES)},
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}


def write_restyle(models: Path) -> Path:
    """Write and return the folder of a toy ``restyle`` that knows :data:`STYLES`."""
    torch.manual_seed(0)
    net = StyleTransferNet(TOY)
    codes = torch.cat([net.encode(torch.rand(1, 3, 64, 64) * 2 - 1) for _ in STYLES]).detach()
    weights.save(models / "restyle", {**net.state_dict(), "style_codes": codes}, CARD)
    return models / "restyle"


def write_classifier(models: Path, seed: int = 0) -> Path:
    """Write and return the folder of a toy ``analyse``."""
    torch.manual_seed(seed)
    config = ClassifierConfig(
        heads={"style": ("a", "b")}, stem=8, widths=(8, 8, 16), blocks=(1, 1, 1), embedding=16, side=64
    )
    card = {**CARD, "name": "analyse", "config": config.to_card()}
    weights.save(models / "analyse", Classifier(config).state_dict(), card)
    return models / "analyse"
