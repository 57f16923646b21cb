"""A classifier at toy size in a models folder that can be analysed with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from workers import weights
from workers.engines.vision.classifier import KNOWN
from workers.engines.vision.picture_analysis import KNOWN_FILE
from workers.nets.classifier import Classifier, ClassifierConfig

TOY = ClassifierConfig(
    heads={
        "style": ("Impressionism", "Cubism", "Baroque"),
        "painter": ("Claude Monet", "Rembrandt"),
        "genre": ("landscape", "portrait"),
        "source": ("painting", "photograph", "other"),
    },
    stem=8,
    widths=(8, 12, 16),
    blocks=(1, 1, 1),
    embedding=16,
    side=96,
)
TITLES = [
    ["Wheatstacks", "Claude Monet"],
    ["The Night Watch", "Rembrandt"],
    ["Sea", "Ivan Aivazovsky"],
    ["", ""],
]
CARD: dict[str, Any] = {
    "name": "analyse",
    "architecture": "toy",
    "config": TOY.to_card(),
    "temperature": dict.fromkeys(TOY.heads, 1.0),
    "unlike_below": 0.2,
    "data": "none",
    "steps": 0,
    "quality": {},
    "limits": [],
}


def toy_classifier() -> Classifier:
    """Seeded, with normalisation that has seen something, so that every stage is alive."""
    torch.manual_seed(5)
    net = Classifier(TOY).train()
    with torch.no_grad():
        for _ in range(20):
            net(torch.rand(2, 3, 64, 64) * 2 - 1)
        for head in net.heads.values():
            next(head.parameters()).mul_(4)
    return net.eval().requires_grad_(False)


def write_classifier(root: Path, card: dict[str, Any] | None = None) -> None:
    """The folder ``analyse`` under ``root``."""
    torch.manual_seed(9)
    vectors = torch.randint(-127, 128, (len(TITLES), TOY.embedding), dtype=torch.int8)
    tensors = dict(toy_classifier().state_dict()) | {f"{KNOWN}vectors": vectors}
    weights.save(root / "analyse", tensors, card or CARD)
    (root / "analyse" / KNOWN_FILE).write_text(json.dumps(TITLES), "utf-8")
