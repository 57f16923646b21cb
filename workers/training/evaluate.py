"""``python -m workers.training evaluate MODEL``: measure, draw the sheet, write the figures into the card.

Each model's measures live in a module of its own with ``add_arguments(parser)`` and ``main(arguments)``.
"""

from __future__ import annotations

import argparse
import importlib

MODULES = {
    "analyse": "workers.training.classifier.evaluate",
    "english": "workers.training.english_verse.evaluate",
    "paint": "workers.training.generator.evaluate",
    "restyle": "workers.training.style_transfer.evaluate",
    "upscale": "workers.training.upscaler.evaluate",
    "verse": "workers.training.chinese_verse.evaluate",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command per model."""
    models = parser.add_subparsers(dest="evaluated", required=True)
    for name, module in MODULES.items():
        importlib.import_module(module).add_arguments(models.add_parser(name))


def main(arguments: argparse.Namespace) -> None:
    """Run the evaluation of one model."""
    importlib.import_module(MODULES[arguments.evaluated]).main(arguments)
