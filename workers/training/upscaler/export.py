"""``python -m workers.training export-upscaler``: from an ``upscaler`` checkpoint to weights.

The measures of ``evaluate upscale`` are made again afterwards: other weights, other quality.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from workers import weights
from workers.engines.upscale import MODEL
from workers.nets.upscaler import UpscalerConfig
from workers.training.common.setup import target_argument

DATA = (
    "Pieces of about 4,000 paintings of 256 px by painters who died in 1955 or before, of 34 famous "
    "paintings of 768 px (public domain in most countries; works published after 1930 may not be in the US) "
    "and of about 1,300 photographs (BSDS500: non-commercial research; PACS; a teaching set of travel "
    "photographs), made small and worse by filters, JPEG and noise{own}. Teacher, in training only and not "
    "shipped: SqueezeNet 1.0 (BSD)."
)
OWN = "; and the painter's own pictures of 128 px"
GPU = (
    "python -m workers.training upscaler --data DIR --painter RUN/checkpoint.pt --minutes 120 --batch 64 "
    "--channels 96 --blocks 12 --crop 128"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``export-upscaler`` command."""
    parser.epilog = __doc__
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint.pt of an `upscaler` run")
    parser.add_argument("--device", default="one of two shared CPU cores, float32", help="what it trained on")
    target_argument(parser, weights.SHIPPED)


def main(arguments: argparse.Namespace) -> None:
    """Write the running average as weights with their card."""
    saved = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    state = saved["state"]
    config = UpscalerConfig.from_card(state["config"])
    card = {
        "name": MODEL,
        "architecture": "Upscaler: residual CNN at half the small size with a thin path at full size, pixel "
        "shuffle, 2x (applied twice for 4x); texture and noise as inputs (workers/nets/upscaler.py)",
        "config": config.to_card(),
        "data": DATA.format(own=OWN if state.get("generated", state.get("own")) else ""),
        "steps": saved["step"],
        "training": {
            "minutes": round(saved["elapsed"] / 60),
            "device": arguments.device,
            "losses": "pixels, teacher features, and a projected discriminator (Sauer et al. 2021) whose "
            "weight follows the texture",
            "gpu_recipe": GPU,
        },
        "quality": {},
        "limits": [
            "Invents plausible brushwork, not what was lost. Texture 0 invents least.",
            "Learned from paintings first: faces, lettering and line drawings in photographs and screenshots "
            "become painterly or ragged.",
            "Removes little of strong JPEG blocks or noise: it was trained on light ones.",
        ],
    }
    weights.save(arguments.to / MODEL, state["average"], card)
