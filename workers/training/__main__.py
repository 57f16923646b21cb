"""``python -m workers.training COMMAND``: train, evaluate and export the shipped models.

Each command lives in a module of its own with ``add_arguments(parser)`` and ``main(arguments)``.
"""

from __future__ import annotations

import argparse
import importlib

COMMANDS = {
    "gan": ("workers.training.generator.train", "train the painting generator (kind: paint)"),
    "match": ("workers.training.matcher.train", "train the encoders of texts and pictures (kind: paint)"),
    "export-match": ("workers.training.matcher.export", "measure and export the encoders"),
    "scene-classifier": (
        "workers.training.classifier.train_scene_classifier",
        "train the classifier that measures prompt fidelity (kind: paint)",
    ),
    "upscaler": (
        "workers.training.upscaler.train",
        "train the network that doubles pictures (kinds: paint, upscale)",
    ),
    "export-upscaler": ("workers.training.upscaler.export", "make weights of an upscaler's checkpoint"),
    "export-paint": ("workers.training.generator.export", "make weights of a generator's checkpoint"),
    "classify": ("workers.training.classifier.train", "train the classifier (kinds: analyse, dream)"),
    "export-classify": ("workers.training.classifier.export", "calibrate and export the classifier"),
    "restyle": (
        "workers.training.style_transfer.command",
        "train the style transfer network (kind: restyle)",
    ),
    "restyle-together": (
        "workers.training.style_transfer.train_joint",
        "go on with transfer network and encoder as one",
    ),
    "features": (
        "workers.training.classifier.feature_visualisation",
        "visualise and name the classifier's features (kind: dream)",
    ),
    "style-targets": (
        "workers.training.style_transfer.export_statistics",
        "compute the classifier's statistics of the ready styles (kind: restyle)",
    ),
    "impressions": (
        "workers.training.matcher.zero_shot_calibration",
        "calibrate the words that pictures are tagged with (kind: verse)",
    ),
    "verse": ("workers.training.chinese_verse.train", "train the poem language model (kind: verse)"),
    "english": (
        "workers.training.english_verse.train",
        "train the language model of English verse (kind: verse)",
    ),
    "evaluate": ("workers.training.evaluate", "measure a model, draw its sheet, fill in its card"),
}


def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run one command."""
    parser = argparse.ArgumentParser(prog="python -m workers.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text)
        importlib.import_module(module).add_arguments(command)
    arguments = parser.parse_args(argv)
    importlib.import_module(COMMANDS[arguments.command][0]).main(arguments)


if __name__ == "__main__":
    main()
