"""What is watched while the generator trains: a sheet of samples, and a distance to real paintings.

The distance is taken in features that the training never sees (SqueezeNet's): nothing is trained to lower it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch

from workers.images import contact_sheet, to_images
from workers.nets.generator import Generator, GeneratorConfig, Latents, draw_many
from workers.nets.matcher import condition
from workers.training.common.feature_metrics import Moments, frechet, pooled
from workers.training.common.perceptual_teacher import Teacher
from workers.training.generator.data import Batches
from workers.training.matcher.captions import CaptionedPictures


@torch.no_grad()
def generate(
    net: Generator, conditions: torch.Tensor, latents: Latents, chunk: int = 16
) -> Iterator[torch.Tensor]:
    """Pictures of ``conditions`` (N, K) in chunks (n, 3, S, S), on the network's device."""
    device = conditions.device
    for start in range(0, len(conditions), chunk):
        part = slice(start, start + chunk)
        piece = Latents(latents.z[part], tuple(n[part] for n in latents.noise)).to(device)
        yield net(conditions[part], piece)


class Monitor:
    """Fixed captions and latents for the sheet and for the Frechet distance of 1,000 pictures."""

    def __init__(
        self, views: CaptionedPictures, batches: Batches, config: GeneratorConfig, teacher: Teacher
    ) -> None:
        stream = torch.Generator().manual_seed(7)
        captions = torch.from_numpy(views.captions)

        def drawn(rows: torch.Tensor) -> tuple[torch.Tensor, Latents]:
            conditions = condition(batches.embedded(captions[rows]).text)
            return conditions, draw_many(config, len(rows), stream)

        self._teacher = teacher
        self._sheet = drawn(torch.randint(len(captions), (12,), generator=stream).repeat_interleave(4))
        self.conditions, self._latents = drawn(torch.randint(len(captions), (1000,), generator=stream))
        self._reference = Moments.of(views.features)

    def draw_sheet(self, net: Generator, path: Path) -> None:
        """Four pictures of each of twelve captions, as a JPEG at ``path``."""
        contact_sheet(to_images(torch.cat(list(generate(net, *self._sheet)))), 8).save(path, quality=90)

    def distance(self, net: Generator) -> float:
        """Frechet distance of 1,000 pictures to all real ones, in thousands."""
        pictures = generate(net, self.conditions, self._latents)
        return frechet(Moments.of(pooled(self._teacher, pictures)), self._reference)
