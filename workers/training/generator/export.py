"""``python -m workers.training export-paint``: from a training checkpoint to weights that engines load."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from workers import weights
from workers.engines.painting.pipeline import MODEL as PAINTER
from workers.engines.upscale import MODEL as UPSCALER
from workers.engines.vision.text_image_matcher import MODEL as MATCHER
from workers.nets.generator import GeneratorConfig
from workers.training.common.setup import target_argument

DATA = (
    "About 7,000 landscapes, seascapes and city views by painters who died in 1955 or before, and Song and "
    "Ming scrolls, with artist, title, style and genre; public domain in most countries (works published "
    "after 1930 may not be in the US). Colours and brightness measured on the pictures; scene words that "
    "titles leave out guessed by a linear classifier. The discriminator's feature "
    "network, in training only and not shipped: EfficientNet-Lite0 (Apache-2.0)."
)
EIGHT_BITS_FROM = 500_000
"""The few largest tensors hold most of the numbers."""
GPU = (
    "python -m workers.training gan --data DIR --minutes 120 --batch 64 --average 0.999; then "
    "--grow-from RUN/checkpoint.pt --channels 512 384 256 192 96 --teacher-size 128 --minutes 600; then "
    "upscaler --minutes 120 --batch 64 --painter RUN/checkpoint.pt"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``export-paint`` command."""
    parser.add_argument("--painter", type=Path, required=True, help="checkpoint.pt of a `gan` run")
    parser.add_argument("--batch", type=int, default=32, help="pictures per step of that run")
    parser.add_argument("--device", default="two shared CPU cores, bfloat16", help="what it trained on")
    target_argument(parser, weights.SHIPPED)


def main(arguments: argparse.Namespace) -> None:
    """Write the running average of a ``gan`` checkpoint as weights that name the helpers beside them."""
    matcher = weights.load_card(arguments.to / MATCHER)
    saved = torch.load(arguments.painter, map_location="cpu", weights_only=True)
    card = {
        "name": PAINTER,
        "architecture": "Conditional GAN generator (workers/nets/generator.py)",
        "config": GeneratorConfig.from_card(saved["state"]["config"]).to_card(),
        "helpers": {"matcher": MATCHER, "upscaler": UPSCALER},
        "data": DATA,
        "steps": saved["step"],
        "training": {
            "minutes": round(saved["elapsed"] / 60),
            "pictures": saved["step"] * arguments.batch,
            "device": arguments.device,
            "gpu_recipe": GPU,
        },
        "quality": {},
        "limits": [
            f"Knows {len(matcher['config']['words'])} words (the matcher's) and their synonyms in English "
            "and Chinese; what was not understood is said.",
            "Landscapes, seascapes and views of cities only; no portraits, still lifes or lettering.",
            "Loose, dreamlike compositions; small objects such as boats and houses are hints.",
        ],
    }
    weights.save(arguments.to / PAINTER, saved["state"]["average"], card, eight_bits_from=EIGHT_BITS_FROM)
