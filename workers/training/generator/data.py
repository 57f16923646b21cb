"""Batches for the training of the generator: real pictures with captions, and captions alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from workers.engines.vision.text_image_matcher import MatcherModel
from workers.training.matcher.captions import CaptionedPictures
from workers.training.matcher.train import drop_words, shuffled_ids

MARGIN = 12
"""Pictures are kept this much larger than the result, for random crops."""


@dataclass(frozen=True, slots=True)
class CaptionBatch:
    """Captions for both networks: multi-hot ``words`` (N, K), ``text`` embeddings (N, E)."""

    words: torch.Tensor
    text: torch.Tensor


class Batches:
    """Endless random batches of training pictures with captions from which words are dropped."""

    def __init__(
        self,
        views: CaptionedPictures,
        matcher: MatcherModel,
        size: int,
        batch: int,
        generator: torch.Generator,
    ) -> None:
        keep = np.flatnonzero(~views.validation)
        self.pictures = torch.from_numpy(views.pictures[keep])
        self.captions = torch.from_numpy(views.captions[keep])
        self.matcher, self.size, self.batch, self.generator = matcher, size, batch, generator

    @torch.no_grad()
    def embedded(self, captions: torch.Tensor) -> CaptionBatch:
        """Captions (N, K) on the matcher's device, in a random order of their words."""
        device = self.matcher.device
        ids = shuffled_ids(captions, self.generator)
        return CaptionBatch(captions.to(device), self.matcher.net.text(ids.to(device)))

    def prompts(self) -> CaptionBatch:
        """Captions for generated pictures; the two halves are the same, for the diversity loss."""
        chosen = torch.randint(len(self.captions), (self.batch // 2,), generator=self.generator)
        return self.embedded(drop_words(self.captions[chosen], self.generator).repeat(2, 1))

    def real(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pictures (batch, 3, S, S) in [-1, 1], their captions with words dropped, their whole captions."""
        chosen = torch.randint(len(self.captions), (self.batch,), generator=self.generator)
        top, left, flip = (int(torch.randint(MARGIN + 1, (), generator=self.generator)) for _ in range(3))
        window = self.pictures[chosen][:, top : top + self.size, left : left + self.size]
        x = window.permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
        whole = self.captions[chosen]
        return x.flip(3) if flip % 2 else x, drop_words(whole, self.generator), whole


def mismatched(captions: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Other pictures' captions, and 1 where such a caption says something that the picture is not, else 0."""
    wrong = captions.roll(1, 0)
    return wrong, ((wrong * (1 - whole)).sum(1) > 0).to(captions.dtype)
