"""The classifier as engines use it: one input size for all sources, embeddings of unit length.

Used by ``analyse``, by the search for similar works, by ``dream`` and by the slow mode of ``restyle``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from workers import images, weights
from workers.nets.classifier import STRIDE, Classifier, ClassifierConfig

MODEL = "analyse"
KNOWN = "known."
"""Prefix of the tensors about known paintings, beside those of the network."""
LARGEST_RATIO = 3.0
"""Pictures whose sides differ more are squeezed to this ratio."""


def input_size(width: float, height: float, side: int) -> tuple[int, int]:
    """Width and height of the network's input for a picture: area about ``side**2``, multiples of STRIDE."""
    ratio = min(LARGEST_RATIO, max(1 / LARGEST_RATIO, width / height))
    root = math.sqrt(ratio)
    return tuple(max(64, round(side * x / STRIDE) * STRIDE) for x in (root, 1 / root))  # type: ignore[return-value]


class ClassifierModel:
    """The classifier with its labels and its card. Everything is on ``device``."""

    def __init__(
        self,
        net: Classifier,
        device: torch.device,
        card: Mapping[str, Any] | None = None,
        known: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        """``known``: tensors about known paintings: ``vectors`` (N, E), one embedding each."""
        self.net = net.eval().requires_grad_(False).to(device)
        self.device = device
        self.card: Mapping[str, Any] = card or {}
        self.name, self.digest = str(self.card.get("name", MODEL)), str(self.card.get("sha256", ""))
        self.known = known or {}
        self.labels: dict[str, tuple[str, ...]] = dict(net.config.heads)
        training: Mapping[str, Any] = self.card.get("training", {})
        # At the size at which answers are best, a picture and its small, compressed copy are not near.
        self.search_side = int(training.get("side", net.config.side))

    @classmethod
    def load(cls, device: torch.device, name: str = MODEL) -> ClassifierModel:
        """The classifier of the weights folder ``name``. Raises :class:`workers.weights.WeightsError`."""
        loaded = weights.load(name)
        try:
            net = Classifier(ClassifierConfig.from_card(loaded.card["config"]))
            tensors = dict(loaded.tensors)
            names = [name for name in tensors if name.startswith(KNOWN)]
            known = {name.removeprefix(KNOWN): tensors.pop(name) for name in names}
            net.load_state_dict(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: not a classifier: {error}") from error
        return cls(net, device, loaded.card, known)

    def prepare(self, image: Image.Image, side: int | None = None) -> torch.Tensor:
        """A picture of any size -> (1, 3, h, w) in [-1, 1], area about ``side**2`` (None: the card's)."""
        size = input_size(*image.size, side or self.net.config.side)
        resized = image.convert("RGB").resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        return images.to_tensor(resized).to(self.device)

    @torch.inference_mode()
    def embed(self, pictures: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Unit embeddings (N, E) of pictures at ``search_side``: near for pictures that look alike."""
        vectors = []
        for picture in pictures:
            x = self.prepare(picture, self.search_side)
            # The mean with the mirror image: a picture and its mirror image have the same embedding.
            both = self.net.embedding(self.net.features(torch.cat([x, x.flip(3)])))
            vectors.append(F.normalize(both, dim=1).mean(0))
        return np.asarray(F.normalize(torch.stack(vectors), dim=1).cpu().numpy(), np.float32)
