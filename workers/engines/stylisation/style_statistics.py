"""A style for the slow mode: statistics of our classifier's features at several sizes.

Means, deviations and Gram matrices (Gatys et al. 2016) of the features of the style's picture. Of a picture
that was brought they are computed; those of the ready styles, whose pictures are not shipped, come from a
weights folder that ``python -m workers.training style-targets`` makes with the classifier that is shipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from workers import images, weights
from workers.engines.stylisation.resizing import mirror_pad
from workers.engines.stylisation.style_mixing import normalise_weights
from workers.engines.vision.classifier import ClassifierModel
from workers.nets.classifier import STRIDE, Classifier

MODEL = "restyle-targets"
SIDES = (128, 256, 512)
"""Long sides at which pictures are optimised and styles are measured, px."""
GRAMS = 3
"""Number of stages, from the first, with Gram matrices: the deepest one's would be most of all numbers."""
STAGES = 4
LONGEST = 1024  # px, of a style's picture
LEAST = 64  # px, of its sides


@dataclass(frozen=True, slots=True)
class LayerStatistics:
    """Statistics of one stage: mean and deviation (C), Gram matrix per position (C, C) or None."""

    mean: torch.Tensor
    deviation: torch.Tensor
    gram: torch.Tensor | None


StyleStatistics = tuple[LayerStatistics, ...]
"""Of each stage of the classifier."""


def layer_statistics(features: torch.Tensor, with_gram: bool) -> LayerStatistics:
    """Statistics of features (1, C, h, w); differentiable."""
    flat = features[0].flatten(1)  # (C, positions)
    mean = flat.mean(1)
    deviation = ((flat - mean[:, None]).square().mean(1) + 1e-6).sqrt()
    return LayerStatistics(mean, deviation, flat @ flat.T / flat.shape[1] if with_gram else None)


def picture_statistics(net: Classifier, picture: torch.Tensor) -> StyleStatistics:
    """Statistics of a picture (1, 3, H, W) in [-1, 1]; differentiable."""
    return tuple(layer_statistics(found, stage < GRAMS) for stage, found in enumerate(net.features(picture)))


@torch.no_grad()
def style_statistics(net: Classifier, style: Image.Image, side: int, device: torch.device) -> StyleStatistics:
    """Statistics of a style picture whose long side has about ``side`` px."""
    longest = min(LONGEST, max(LEAST, side))
    picture = images.to_tensor(images.resize_longest(style, longest)).to(device)
    return picture_statistics(net, mirror_pad(picture, 0, LEAST, STRIDE)[0])


def mix_statistics(styles: Sequence[StyleStatistics], weights: Sequence[float]) -> StyleStatistics:
    """Statistics of a canvas that the styles cover in these shares."""
    shares = normalise_weights(weights)
    mixed = []
    for stage in zip(*styles, strict=True):
        mean = sum((one.mean * share for one, share in zip(stage, shares, strict=True)), torch.zeros(()))
        square = sum(
            (
                (one.mean.square() + one.deviation.square()) * share
                for one, share in zip(stage, shares, strict=True)
            ),
            torch.zeros(()),
        )
        grams = [one.gram for one in stage if one.gram is not None]
        gram = sum((g * s for g, s in zip(grams, shares, strict=True)), torch.zeros(())) if grams else None
        mixed.append(LayerStatistics(mean, (square - mean.square()).clamp_min(1e-6).sqrt(), gram))
    return tuple(mixed)


def to_tensors(statistics: StyleStatistics, prefix: str) -> dict[str, torch.Tensor]:
    """Tensors for a weights folder; half of each symmetric matrix."""
    found = {}
    for stage, one in enumerate(statistics):
        found[f"{prefix}.s{stage}.mean"] = one.mean.cpu()
        found[f"{prefix}.s{stage}.deviation"] = one.deviation.cpu()
        if one.gram is not None:
            row, column = torch.triu_indices(*one.gram.shape).unbind()
            found[f"{prefix}.s{stage}.gram"] = one.gram.cpu()[row, column]
    return found


def from_tensors(tensors: Mapping[str, torch.Tensor], prefix: str, device: torch.device) -> StyleStatistics:
    """The inverse of :func:`packed`. Raises KeyError."""
    found = []
    for stage in range(STAGES):
        mean, deviation = (
            tensors[f"{prefix}.s{stage}.{name}"].float().to(device) for name in ("mean", "deviation")
        )
        gram = None
        if (half := tensors.get(f"{prefix}.s{stage}.gram")) is not None:
            gram = torch.zeros(len(mean), len(mean), device=device)
            row, column = torch.triu_indices(*gram.shape, device=device).unbind()
            gram[row, column] = half.float().to(device)
            gram[column, row] = half.float().to(device)
        found.append(LayerStatistics(mean, deviation, gram))
    return tuple(found)


class ReadyStyleStatistics:
    """Statistics of the ready styles by one classifier."""

    def __init__(self, tensors: Mapping[str, torch.Tensor], device: torch.device) -> None:
        self._tensors = tensors
        self._device = device

    @classmethod
    def load(cls, classifier: ClassifierModel, name: str = MODEL) -> ReadyStyleStatistics:
        """Raises :class:`workers.weights.WeightsError`, also for those of another classifier."""
        loaded = weights.load(name)
        made_by = str(loaded.card.get("config", {}).get("sees", ""))
        if made_by != classifier.digest:
            raise weights.WeightsCorrupt(
                f"{loaded.folder}: made with the classifier {made_by[:12]}, not {classifier.digest[:12]}: "
                "run python -m workers.training style-targets"
            )
        return cls(loaded.tensors, classifier.device)

    def statistics(self, slug: str, side: int) -> StyleStatistics:
        """The ready style ``slug`` at the size nearest to ``side``. Raises KeyError."""
        nearest = min(SIDES, key=lambda known: abs(known / side - 1) + abs(side / known - 1))
        return from_tensors(self._tensors, f"{slug}.{nearest}", self._device)
