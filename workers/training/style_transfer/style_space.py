"""The space of style codes: principal components of the teacher's statistics over many paintings.

Learned end to end, a style encoder starts with codes that are nearly the same for every picture, and the
transfer network learns little before the encoder has. Taken from the teacher, codes tell styles apart from
the first step on; the encoder that ships learns to predict them by regression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from workers.nets.style_transfer import StyleTransferNet, colour_statistics
from workers.training.common.perceptual_teacher import CHANNELS, Teacher, gram

PROJECTED = 16
"""Random combinations of a layer's channels whose products are taken: a sketch of the Gram matrix."""
WHITENING = 0.6
"""Power of a component's deviation by which it is divided: 0 keeps the variances, 1 whitens. Not tuned."""
# Root mean square of each layer over paintings, measured: divided by it, numbers suit half precision.
SCALES = {"conv1": 45.0, "fire2": 140.0, "fire4": 240.0, "fire5": 360.0, "fire6": 170.0, "fire7": 120.0}


class StyleSpace(nn.Module):
    """Teacher features -> style code of zero mean and unit variance. Fitted once, then frozen."""

    mean: torch.Tensor
    basis: torch.Tensor

    def __init__(self, layers: tuple[str, ...], code: int) -> None:
        """``layers`` of the teacher, ``code`` floats."""
        super().__init__()
        self.layers = layers
        random = torch.Generator().manual_seed(5)
        for name in layers:
            projection = torch.randn(PROJECTED, CHANNELS[name], generator=random) / CHANNELS[name] ** 0.5
            self.register_buffer(f"project_{name}", projection)
        size = sum(2 * CHANNELS[name] + PROJECTED * (PROJECTED + 1) // 2 for name in layers)
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("basis", torch.zeros(size, code))

    @torch.no_grad()
    def statistics(self, found: dict[str, torch.Tensor]) -> torch.Tensor:
        """Features by layer -> (N, size): means, deviations and sketched Gram matrices."""
        parts = []
        for name in self.layers:
            flat = found[name].float().flatten(2) / SCALES[name]
            projected = self.get_buffer(f"project_{name}") @ flat
            products = projected @ projected.transpose(1, 2) / flat.shape[2]
            row, column = torch.triu_indices(PROJECTED, PROJECTED, device=flat.device)
            pairs = products[:, row, column]
            parts += [flat.mean(2), flat.std(2, correction=0), pairs.sign() * pairs.abs().sqrt()]
        return torch.cat(parts, 1)

    def fit(self, statistics: torch.Tensor) -> None:
        """Set mean and basis from (pictures, size)."""
        self.mean.copy_(statistics.mean(0))
        _, values, axes = torch.linalg.svd(statistics - self.mean, full_matrices=False)
        count = self.basis.shape[1]
        deviation = values[:count] / len(statistics) ** 0.5
        # Between the two, the strongest components lead and the weak ones are not all noise.
        self.basis.copy_(axes[:count].T / deviation**WHITENING)
        self.basis.div_(((statistics - self.mean) @ self.basis).std())

    def code(self, statistics: torch.Tensor) -> torch.Tensor:
        """(N, size) -> codes (N, code)."""
        return (statistics - self.mean) @ self.basis

    @torch.no_grad()
    def forward(self, found: dict[str, torch.Tensor]) -> torch.Tensor:
        """Features by layer -> codes (N, code)."""
        return self.code(self.statistics(found))


@torch.no_grad()
def famous_code(
    net: StyleTransferNet, space: StyleSpace, teacher: Teacher, picture: torch.Tensor
) -> torch.Tensor:
    """The full code (1, code_size) of a whole style picture (1, 3, H, W), from the teacher's statistics."""
    colours = net.encode(picture)[:, net.config.code :]
    return torch.cat([space(teacher(picture, space.layers)), colours], 1)


@dataclass(frozen=True, slots=True)
class StyleStatistics:
    """Gram matrix (N, C, C), mean and deviation (N, C) of one layer's features: target of a style loss."""

    gram: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    @staticmethod
    def of(features: torch.Tensor, layer: str, with_gram: bool = True) -> StyleStatistics:
        """From features (N, C, H, W) of a layer; ``with_gram`` False leaves the Gram matrix empty."""
        features = features.float() / SCALES[layer]
        deviation = (features.var((2, 3), correction=0) + 1e-6).sqrt()
        products = gram(features) if with_gram else features.new_zeros(0)
        return StyleStatistics(products, features.mean((2, 3)), deviation)

    def halved(self) -> StyleStatistics:
        """The same with its Gram matrix in half precision: 0.9 MB for all six layers of a style."""
        return StyleStatistics(self.gram.half(), self.mean, self.deviation)


def stacked(entries: Sequence[StyleStatistics]) -> StyleStatistics:
    """One batch of several, in single precision."""
    return StyleStatistics(
        torch.cat([entry.gram for entry in entries]).float(),
        torch.cat([entry.mean for entry in entries]),
        torch.cat([entry.deviation for entry in entries]),
    )


class StyleBank:
    """Statistics and codes of many style crops, computed once, so that no step runs the teacher on a style.

    The first ``famous`` entries are the famous ones.
    """

    def __init__(
        self,
        space: StyleSpace,
        features: Callable[[torch.Tensor], dict[str, torch.Tensor]],
        crops: list[torch.Tensor],
        famous: int,
        fit: bool,
    ) -> None:
        """``features`` gives those of the space's layers for a crop (1, 3, H, W) in [-1, 1]."""
        self.famous = famous
        self.count = len(crops)
        self._kept: dict[str, list[StyleStatistics]] = {name: [] for name in space.layers}
        statistics, colours = [], []
        with torch.no_grad():
            for crop in crops:
                found = features(crop)
                statistics.append(space.statistics(found))
                colours.append(colour_statistics(crop))
                for name, kept in self._kept.items():
                    kept.append(StyleStatistics.of(found[name], name).halved())
            if fit:
                space.fit(torch.cat(statistics))
            self.codes = torch.cat([space.code(torch.cat(statistics)), torch.cat(colours)], 1)

    def draw(
        self, count: int, famous: float, random: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, StyleStatistics]]:
        """Full codes (count, code_size) and statistics of random styles; ``famous``: share of famous ones."""
        chosen = []
        for _ in range(count):
            known = float(torch.rand((), generator=random)) < famous
            low, high = (0, self.famous) if known else (self.famous, self.count)
            chosen.append(int(torch.randint(low, high, (), generator=random)))
        targets = {name: stacked([kept[number] for number in chosen]) for name, kept in self._kept.items()}
        return self.codes[chosen], targets
