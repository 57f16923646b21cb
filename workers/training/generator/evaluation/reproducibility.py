"""Reproducibility: whether a recipe gives the same bytes in another process.

Run as a module it generates the recipes in a fresh process and prints one digest of pixels per picture, which
the evaluation compares with its own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import torch

from workers.engines.base import Picture
from workers.engines.paint import PaintEngine
from workers.training.generator.evaluation.sampling import PAINTED, ask

RECIPES = (("red sunset over the sea", 11), ("秋天的山水", 2**62 + 5))
EACH = 2
"""Pictures of each recipe."""


def digests(pictures: Sequence[Picture]) -> list[str]:
    """sha256 of each picture's size and pixels."""
    return [
        hashlib.sha256(f"{picture.image.size}".encode() + picture.image.tobytes()).hexdigest()
        for picture in pictures
    ]


def paint(engine: PaintEngine, size: int = PAINTED) -> list[str]:
    """Digests of all recipes, in order."""
    return [
        digest for prompt, seed in RECIPES for digest in digests(ask(engine, prompt, EACH, seed, size=size))
    ]


def measure(engine: PaintEngine, size: int = PAINTED) -> dict[str, Any]:
    """Paint the recipes here and in another process with as many threads, and compare."""
    here = paint(engine, size)
    command = [sys.executable, "-m", __name__, "--size", str(size), "--threads", str(torch.get_num_threads())]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    there = printed.stdout.split()
    return {
        "protocol": f"{len(here)} pictures of {size} px on {engine.device.type}, painted again by "
        "another process.",
        "pictures": len(here),
        "same_bytes": sum(one == other for one, other in zip(here, there, strict=True)),
    }


def main() -> None:
    """Print the digests, one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=PAINTED)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print("\n".join(paint(PaintEngine(), given.size)))


if __name__ == "__main__":
    main()
