"""``python -m workers.training restyle``: train the style transfer network or its encoder, or export both.

On a GPU: ``--width 2 --batch 16 --sizes 128 192 256 --lr 0.0007 --minutes 120``. The loop and the losses are
the same; the network runs in bfloat16 there and the losses in float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from workers.training.common.setup import run_arguments
from workers.training.style_transfer import export, train, train_encoder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``python -m workers.training restyle``."""
    parser.epilog = __doc__
    run_arguments(parser, "runs/restyle", 60, seed=7, plan=True, always_resumes=True)
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--bank", type=int, default=900, help="paintings, beside the famous, to learn from")
    parser.add_argument("--views", type=int, default=8, help="crops of each famous painting")
    parser.add_argument("--encoder", action="store_true", help="train the encoder of the run in --out")
    parser.add_argument(
        "--sizes", type=int, nargs=3, default=(96, 128, 192), help="px of content crops, in turn"
    )
    parser.add_argument(
        "--turns", type=float, nargs=2, default=(0.45, 0.85), help="when the size changes, 0..1"
    )
    parser.add_argument("--style-size", type=int, default=144, help="px of style crops")
    parser.add_argument("--width", type=float, default=1.0, help="multiplies every channel count")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--content-weight", type=float, default=0.25)
    parser.add_argument("--tv-weight", type=float, default=0.15)
    parser.add_argument("--famous", type=float, default=0.5, help="share of famous styles")
    parser.add_argument("--paintings", type=int, default=4000, help="paintings held in memory")
    parser.add_argument("--export", type=Path, help="only export the checkpoint to this weights folder")


def main(arguments: argparse.Namespace) -> None:
    """Train the transfer network or the encoder, or export the newest checkpoint."""
    if arguments.export is not None:
        export.export(arguments.out, arguments.data, arguments.export)
    elif arguments.encoder:
        train_encoder.train_encoder(arguments)
    else:
        train.train(arguments)
