"""``python -m workers.training export-match``: from a ``match`` checkpoint to measured weights."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from workers import device as devices
from workers import weights
from workers.engines.vision.text_image_matcher import MODEL
from workers.nets.matcher import Matcher, MatcherConfig
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.setup import cache_argument, data_argument, target_argument
from workers.training.matcher.captions import load_views
from workers.training.matcher.train import MARGIN, measure, resized

DATA = (
    "About 7,000 landscapes, seascapes and city views by painters who died in 1955 or before, and Song and "
    "Ming scrolls, with artist, title, style and genre; public domain in most countries (works published "
    "after 1930 may not be in the US). Colours, brightness and contrast measured on the pictures; scene "
    "words that titles leave out guessed by a linear classifier. About 10,000 more paintings of other "
    "genres for features only. Teacher, in training only and not shipped: SqueezeNet 1.0 (BSD)."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``export-match`` command."""
    data_argument(parser)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint.pt of a `match` run")
    cache_argument(parser)
    target_argument(parser, weights.SHIPPED)


def main(arguments: argparse.Namespace) -> None:
    """Measure the held-out paintings and write weights with their card."""
    device = devices.choose()
    saved = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    net = Matcher(MatcherConfig.from_card(saved["state"]["config"]))
    net.load_state_dict(saved["state"]["net"])
    net.to(device)
    views = load_views(arguments.data, 140, Teacher(arguments.data).to(device), arguments.cache)
    views = replace(views, pictures=resized(views.pictures, net.config.size + MARGIN))
    figures = measure(net, views)
    card = {
        "name": MODEL,
        "architecture": "Matcher: bidirectional GRU over the lexicon's words and a residual CNN, trained "
        "contrastively (workers/nets/matcher.py)",
        "config": net.config.to_card(),
        "data": DATA,
        "steps": saved["step"],
        "training": {
            "minutes": round(saved["elapsed"] / 60),
            "device": f"{device.type}, float32",
            "gpu_recipe": "python -m workers.training match --data DIR --minutes 30 --batch 512",
        },
        "quality": {
            "protocol": "Held-out views (5 %, by file-name hash): the place of a picture among all of them "
            "for its own whole caption; per word, the area under the curve of the cosine with that word "
            "alone between pictures whose caption has it and the others (words with 8 examples or more).",
            **figures,
        },
        "limits": [
            f"Knows {len(net.config.words)} words (config.words) of views; English and Chinese terms lead to "
            "them through the lexicon.",
            "Captions come from titles, so a word that titles leave out is learned from few pictures.",
            "Order and number are not understood: a prompt is a set of wishes (what it denies is left out).",
        ],
    }
    weights.save(arguments.to / MODEL, net.state_dict(), card)
    print({name: value for name, value in figures.items() if name != "word_auc"})
