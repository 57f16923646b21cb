"""Weights on disk: a folder per model with ``model.safetensors`` and ``card.json``.

Loading is safetensors only, never pickle, and the file's sha256 must be the one on the card: a
flipped byte is an error that names the file, never a strange picture.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SHIPPED = Path(__file__).parent / "weights"
MODEL_FILE = "model.safetensors"
CARD_FILE = "card.json"
REQUIRED = ("name", "architecture", "config", "data", "steps", "quality", "limits", "sha256")


class WeightsError(Exception):
    """Weights are missing, damaged, or not what the code expects."""


class WeightsMissing(WeightsError):
    """No folder of that name in any of the model folders."""


class WeightsCorrupt(WeightsError):
    """The file's digest is not the one on its card, or it cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One checked checkpoint: ``card`` (parsed card.json) and ``tensors`` (name -> float32 CPU tensor)."""

    card: Mapping[str, Any]
    tensors: dict[str, torch.Tensor]
    folder: Path

    @property
    def digest(self) -> str:
        return str(self.card["sha256"])


SCALE = ":scale"
"""Ends the name of the scales of a tensor that is kept in 8 bits."""


def model_folders() -> list[Path]:
    """Where models are looked for: the operator's ``ARTSITE_MODELS_DIR`` first, then the shipped ones."""
    own = os.environ.get("ARTSITE_MODELS_DIR", "")
    return ([Path(own)] if own else []) + [SHIPPED]


def find(name: str) -> Path:
    """The folder of model ``name``. Raises WeightsMissing; a name is never a path."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]*", name):
        raise WeightsMissing(f"{name!r} is not a model name (lower-case letters, digits, '-', '_', '.')")
    for root in model_folders():
        if (root / name / CARD_FILE).is_file():
            return root / name
    raise WeightsMissing(f"no model {name!r} in {', '.join(str(r) for r in model_folders())}")


def load_card(folder: Path) -> dict[str, Any]:
    """Parse and check ``card.json``. Raises WeightsCorrupt naming what is wrong."""
    path = folder / CARD_FILE
    try:
        card = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsCorrupt(f"{path}: {error}") from error
    missing = [key for key in REQUIRED if key not in card] if isinstance(card, dict) else list(REQUIRED)
    if missing:
        raise WeightsCorrupt(f"{path}: the card lacks {', '.join(missing)}")
    return dict(card)


def file_digest(path: Path) -> str:
    """sha256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load(name: str) -> Weights:
    """Load model ``name`` as float32 CPU tensors (integers keep their type).

    Raises WeightsMissing, or WeightsCorrupt when the digest differs from the card.
    """
    import safetensors.torch
    import torch

    folder = find(name)
    card = load_card(folder)
    path = folder / MODEL_FILE
    try:
        digest = file_digest(path)
        if digest != card["sha256"]:
            raise WeightsCorrupt(f"{path}: sha256 is {digest}, the card says {card['sha256']}")
        tensors = safetensors.torch.load_file(path)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise WeightsCorrupt(f"{path}: {error}") from error
    floats = {k: v.to(torch.float32) if v.is_floating_point() else v for k, v in tensors.items()}
    for name in [k for k in floats if k.endswith(SCALE)]:
        scale, whole = floats.pop(name), floats[name.removesuffix(SCALE)]
        floats[name.removesuffix(SCALE)] = whole.to(torch.float32) * scale
    return Weights(card=card, tensors=floats, folder=folder)


def save(
    folder: Path,
    tensors: Mapping[str, torch.Tensor],
    card: Mapping[str, Any],
    *,
    eight_bits_from: int | None = None,
) -> str:
    """Write fp16 weights and their card atomically; return the digest that was put on the card.

    Matrices and filters of ``eight_bits_from`` numbers and more are written in 8 bits: whole numbers and one
    scale for each output, which is within half a step (1/254 of the row's largest number) of what it was.
    ``card`` holds every key of REQUIRED except ``sha256``. The card is written last, so a folder
    with a card is complete.
    """
    import safetensors.torch
    import torch

    missing = [key for key in REQUIRED if key not in card and key != "sha256"]
    if missing:
        raise WeightsError(f"a model card needs {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    half = {}
    for k, v in tensors.items():
        value = v.detach().cpu()
        if value.is_floating_point():
            if eight_bits_from is not None and value.dim() > 1 and value.numel() >= eight_bits_from:
                largest = value.float().abs().flatten(1).amax(1).clamp(min=1e-12)
                half[k + SCALE] = (largest / 127).view(-1, *[1] * (value.dim() - 1)).contiguous()
                value = (value.float() / half[k + SCALE]).round().to(torch.int8)
            else:
                value = value.to(torch.float16)
        half[k] = value.contiguous()
    temporary = folder / f".{MODEL_FILE}.tmp"
    safetensors.torch.save_file(half, temporary, metadata={"name": str(card["name"])})
    # The library makes it for its owner alone; a container's worker is another user.
    temporary.chmod(0o644)
    digest = file_digest(temporary)
    os.replace(temporary, folder / MODEL_FILE)
    write_card(folder, {**card, "sha256": digest})
    return digest


def write_card(folder: Path, card: Mapping[str, Any]) -> None:
    """Write ``card.json`` atomically, readable by people (sorted as given, UTF-8)."""
    temporary = folder / f".{CARD_FILE}.tmp"
    temporary.write_text(json.dumps(dict(card), ensure_ascii=False, indent=2) + "\n", "utf-8")
    os.replace(temporary, folder / CARD_FILE)
