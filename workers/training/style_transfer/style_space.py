"""The space of style codes: principal components of the teacher's statistics over many paintings.

Learned end to end, a style encoder starts with codes that are nearly the same for every picture, and
the painter has to wait for it. Taken from the teacher, codes tell styles apart from the first step on;
the encoder that ships learns to predict them by regression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from workers.nets.style_transfer import StyleTransferNet, colour_statistics
from workers.training.common.perceptual_teacher import CHANNELS, Teacher, gram

# Random combinations of a layer's channels whose products are taken: a sketch of the Gram matrix.
PROJECTED = 16
# Root mean square of each layer over paintings: divided by it, numbers suit half precision and one code.
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
        # Half-way to whitening: the strongest components lead, the weak ones are not all noise.
        self.basis.copy_(axes[:count].T / deviation**0.6)
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
class Target:
    """What the teacher has to see: Gram (N, C, C), mean and deviation (N, C) of one layer."""

    gram: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    @staticmethod
    def of(features: torch.Tensor, layer: str, pairs: bool = True) -> Target:
        """From features (N, C, H, W) of a layer; without ``pairs`` the Gram matrix is left empty."""
        features = features.float() / SCALES[layer]
        deviation = (features.var((2, 3), correction=0) + 1e-6).sqrt()
        return Target(gram(features) if pairs else features.new_zeros(0), features.mean((2, 3)), deviation)


class StyleBank:
    """Targets and codes of many style crops, computed once: a step then costs no look at its styles.

    Grams are kept in half precision, 0.9 MB a style. ``famous`` of the entries come first.
    """

    def __init__(
        self,
        space: StyleSpace,
        teach: Callable[[torch.Tensor], dict[str, torch.Tensor]],
        crops: list[torch.Tensor],
        famous: int,
        fit: bool,
    ) -> None:
        """``teach`` gives the features of the space's layers for a crop (1, 3, H, W) in [-1, 1]."""
        self.famous = famous
        self.count = len(crops)
        self._layers = space.layers
        kept: dict[str, list[Target]] = {name: [] for name in space.layers}
        statistics, colours = [], []
        with torch.no_grad():
            for crop in crops:
                found = teach(crop)
                statistics.append(space.statistics(found))
                colours.append(colour_statistics(crop))
                for name in space.layers:
                    target = Target.of(found[name], name)
                    kept[name].append(Target(target.gram.half(), target.mean, target.deviation))
            if fit:
                space.fit(torch.cat(statistics))
            self.codes = torch.cat([space.code(torch.cat(statistics)), torch.cat(colours)], 1)
        self._kept = kept

    def draw(
        self, count: int, famous: float, random: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, Target]]:
        """Full codes (count, code_size) and targets of random styles, ``famous`` the share of famous ones."""
        chosen = []
        for _ in range(count):
            known = float(torch.rand((), generator=random)) < famous
            low, high = (0, self.famous) if known else (self.famous, self.count)
            chosen.append(int(torch.randint(low, high, (), generator=random)))
        targets = {}
        for name in self._layers:
            entries = [self._kept[name][number] for number in chosen]
            targets[name] = Target(
                torch.cat([entry.gram for entry in entries]).float(),
                torch.cat([entry.mean for entry in entries]),
                torch.cat([entry.deviation for entry in entries]),
            )
        return self.codes[chosen], targets
