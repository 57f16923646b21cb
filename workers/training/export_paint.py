"""``python -m workers.training export-paint``: from a training checkpoint to weights that engines load."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from workers import weights
from workers.nets.painter import PainterConfig

PAINTER, UPSCALER = "paint", "paint-upscaler"
DATA = (
    "About 7,000 landscapes, seascapes and city views by painters who died in 1955 or before, and Song and "
    "Ming scrolls, with artist, title, style and genre; public domain in most countries (works published "
    "after 1930 may not be in the US). Colours and brightness measured on the pictures; scene words that "
    "titles leave out guessed by a linear classifier. Teacher, in training only and not shipped: "
    "SqueezeNet 1.0 (BSD)."
)
GPU = (
    "python -m workers.training gan --data DIR --minutes 600 --batch 64 --teacher-size 128 "
    "--channels 768 512 384 256 128; then upscaler --minutes 120 --batch 64 --painter RUN/checkpoint.pt"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``export-paint`` command."""
    parser.add_argument("--painter", type=Path, required=True, help="checkpoint.pt of a `gan` run")
    parser.add_argument("--to", type=Path, default=weights.SHIPPED, help="folder of weights folders")


def export_painter(checkpoint: Path, folder: Path, upscaler: str) -> None:
    """Write the running average of a ``gan`` checkpoint as weights; ``upscaler`` is a model name or empty."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    config = PainterConfig.from_card(saved["state"]["config"])
    card = {
        "name": PAINTER,
        "architecture": "Painter: conditional GAN generator (workers/nets/painter.py)",
        "config": config.to_card(),
        "upscaler": upscaler,
        "data": DATA,
        "steps": saved["step"],
        "training": {
            "minutes": round(saved["elapsed"] / 60),
            "pictures": saved["step"] * 16,
            "device": "one shared CPU core, float32",
            "gpu_recipe": GPU,
        },
        "quality": {},
        "limits": [
            f"Understands {len(config.words)} words (config.words) and their synonyms in English and "
            "Chinese; others are ignored.",
            "Landscapes, seascapes and views of cities only; no people, animals or lettering.",
            "Loose, dreamlike compositions; small objects such as boats and houses are hints.",
        ],
    }
    weights.save(folder, saved["state"]["average"], card)


def main(arguments: argparse.Namespace) -> None:
    """Export the painter, which uses the upscaler that lies beside it."""
    upscaler = arguments.to / UPSCALER
    name = UPSCALER if (upscaler / weights.CARD_FILE).is_file() else ""
    export_painter(arguments.painter, arguments.to / PAINTER, name)
