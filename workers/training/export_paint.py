"""``python -m workers.training export-paint``: from training checkpoints to weights that engines load."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from workers import weights
from workers.nets.painter import PainterConfig
from workers.nets.upscaler import UpscalerConfig

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
    parser.add_argument("--painter", type=Path, help="checkpoint.pt of a `gan` run")
    parser.add_argument("--upscaler", type=Path, help="checkpoint.pt of an `upscaler` run")
    parser.add_argument("--to", type=Path, default=weights.SHIPPED, help="folder of weights folders")


def _card_of(folder: Path) -> dict[str, Any]:
    return weights.load_card(folder) if (folder / weights.CARD_FILE).is_file() else {}


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


def export_upscaler(checkpoint: Path, folder: Path) -> None:
    """Write an ``upscaler`` checkpoint as weights."""
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    card = {
        "name": UPSCALER,
        "architecture": "Upscaler: residual CNN with pixel shuffle, 2x (workers/nets/upscaler.py)",
        "config": UpscalerConfig(**saved["state"]["config"]).to_card(),
        "data": "Paintings of 256 px from the painter's collection, and the painter's own pictures.",
        "steps": saved["step"],
        "training": {"minutes": round(saved["elapsed"] / 60), "device": "one shared CPU core, float32"},
        "quality": {"note": "Measured together with the painter, see its card."},
        "limits": ["Made for paintings of 128 px from the painter; invents brushwork, restores nothing."],
    }
    weights.save(folder, saved["state"]["net"], card)


def main(arguments: argparse.Namespace) -> None:
    """Export what is given; a painter uses the upscaler that lies beside it."""
    upscaler = arguments.to / UPSCALER
    if arguments.upscaler:
        export_upscaler(arguments.upscaler, upscaler)
    if arguments.painter:
        name = UPSCALER if (upscaler / weights.CARD_FILE).is_file() else ""
        export_painter(arguments.painter, arguments.to / PAINTER, name)
