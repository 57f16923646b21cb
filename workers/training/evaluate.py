"""``python -m workers.training evaluate MODEL``: measure, draw the sheet, write the figures into the card.

Each model's measures live in ``evaluate_<model>.py`` with ``add_arguments(parser)`` and ``main(arguments)``.
"""

from __future__ import annotations

import argparse
import importlib

MODELS = ("analyse", "english", "paint", "restyle", "upscale", "verse")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One sub-command per model."""
    models = parser.add_subparsers(dest="evaluated", required=True)
    for name in MODELS:
        importlib.import_module(f"workers.training.evaluate_{name}").add_arguments(models.add_parser(name))


def main(arguments: argparse.Namespace) -> None:
    """Run the evaluation of one model."""
    importlib.import_module(f"workers.training.evaluate_{arguments.evaluated}").main(arguments)
