"""``python -m workers.training style-targets``: statistics of the ready styles in the classifier's features.

The slow mode of ``restyle`` optimises towards statistics of features, more than a style code. The pictures
of the ready styles are not shipped, so their statistics are, made anew whenever the classifier is. Seconds on
a CPU.
"""

from __future__ import annotations

import argparse

import torch
from PIL import Image

from workers import device as devices
from workers import weights
from workers.engines.restyle import MODEL as RESTYLE
from workers.engines.stylisation.style_statistics import (
    GRAMS,
    MODEL,
    SIDES,
    ReadyStyleStatistics,
    style_statistics,
    to_tensors,
)
from workers.engines.vision.classifier import ClassifierModel
from workers.training.common import data
from workers.training.common.setup import data_argument, target_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m workers.training style-targets``."""
    parser.epilog = __doc__
    data_argument(parser)
    target_argument(parser, weights.SHIPPED)


def main(arguments: argparse.Namespace) -> None:
    """Compute the statistics of every style that the restyle network knows, and write them as weights."""
    classifier = ClassifierModel.load(devices.choose())
    known = [str(slug) for slug in weights.load_card(weights.find(RESTYLE))["config"]["styles"]]
    pictures = {entry.slug: entry.path for entry in data.styles(arguments.data)}
    missing = [slug for slug in known if slug not in pictures]
    if missing:
        raise SystemExit(f"no picture of {', '.join(missing)} in {arguments.data}")
    tensors: dict[str, torch.Tensor] = {}
    for slug in known:
        with Image.open(pictures[slug]) as opened:
            picture = opened.convert("RGB")
        for side in SIDES:
            tensors |= to_tensors(
                style_statistics(classifier.net, picture, side, classifier.device), f"{slug}.{side}"
            )
    card = {
        "name": MODEL,
        "architecture": f"Means, deviations and (first {GRAMS} stages) Gram matrices of the classifier's "
        f"features of each ready style at {', '.join(map(str, SIDES))} px "
        "(workers/engines/stylisation/style_statistics.py)",
        "config": {"sees": classifier.digest, "styles": known, "sides": list(SIDES)},
        "data": "The pictures of the ready styles (see the card of restyle); none of them is shipped.",
        "steps": 0,
        "quality": {},
        "limits": ["Belongs to one classifier: another one needs other statistics."],
        "licence": "Apache-2.0",
    }
    digest = weights.save(arguments.to / MODEL, tensors, card)
    if arguments.to == weights.SHIPPED:
        ReadyStyleStatistics.load(classifier)
    print(f"{len(known)} styles, {digest}")
