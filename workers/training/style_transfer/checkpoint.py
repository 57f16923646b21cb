"""Reading the checkpoints of a style transfer run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from workers.nets.style_transfer import StyleTransferConfig, StyleTransferNet
from workers.training.common.run import CHECKPOINT
from workers.training.style_transfer.losses import STYLE_LAYERS
from workers.training.style_transfer.style_space import StyleSpace

ENCODER_FOLDER = "encoder"
"""Of the encoder's training, inside the run folder of the network that it belongs to."""


def load_checkpoint(folder: Path) -> tuple[StyleTransferNet, StyleSpace, int]:
    """The averaged network, the space of codes and the step of a run folder."""
    saved = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    state: dict[str, Any] = saved["state"]
    net = StyleTransferNet(StyleTransferConfig.from_dict(state["config"]))
    net.load_state_dict(state["average"])
    space = StyleSpace(STYLE_LAYERS, net.config.code)
    space.load_state_dict(state["space"])
    return net.eval().requires_grad_(False), space, int(saved["step"])


def trained_encoder(run: Path) -> dict[str, torch.Tensor] | None:
    """The encoder's weights of a transfer network's run folder, or None when it was not trained."""
    path = run / ENCODER_FOLDER / CHECKPOINT
    if not path.is_file():
        return None
    saved = torch.load(path, map_location="cpu", weights_only=True)
    weights: dict[str, torch.Tensor] = saved["state"]["encoder"]
    return weights
