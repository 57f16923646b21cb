"""Matcher: a recurrent text encoder and a convolutional image encoder with one embedding space.

A painting and its caption get embeddings that are near (contrastive, as in Radford et al. 2021 and the
sentence level of AttnGAN's DAMSM, Xu et al. 2018). Texts are sequences of the lexicon's words, so a synonym
or a Chinese term is the same sequence; training shuffles their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PAD = 0
"""Token id of the padding; word ``i`` of the configuration is token ``i + 1``."""
LONGEST = 32
"""Words of a text that are encoded; the rest is left out."""


@dataclass(frozen=True, slots=True)
class MatcherConfig:
    """Sizes. ``widths``: channels of the image encoder at 1/4, 1/8, 1/16 and 1/32 of ``size``."""

    words: tuple[str, ...]
    embedding: int = 256  # of both encoders, and the generator's condition
    token: int = 128
    hidden: int = 192  # of each direction of the recurrent layer
    size: int = 96  # side of the image encoder's input, px
    stem: int = 32
    widths: tuple[int, ...] = (64, 128, 192, 256)
    features: int = 512  # the image encoder's pooled features, distilled from a larger network

    def to_card(self) -> dict[str, Any]:
        """JSON-safe form for the model card."""
        return asdict(self)

    @classmethod
    def from_card(cls, config: Mapping[str, Any]) -> MatcherConfig:
        """Raises KeyError, TypeError or ValueError when the card's config is not one of a Matcher."""
        fields = dict(config)
        words, widths = tuple(fields.pop("words")), tuple(int(w) for w in fields.pop("widths"))
        if not words or not widths:
            raise ValueError("a matcher needs words and widths")
        return cls(words=words, widths=widths, **fields)


class TextEncoder(nn.Module):
    """Token ids (N, T), padded with PAD -> unit embeddings (N, E). An empty text has an embedding, too."""

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__()
        self.config = config
        self.token = nn.Embedding(len(config.words) + 1, config.token, padding_idx=PAD)
        self.gru = nn.GRU(config.token, config.hidden, batch_first=True, bidirectional=True)
        self.project = nn.Linear(2 * config.hidden, config.embedding)
        self.nothing = nn.Parameter(torch.zeros(2 * config.hidden))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        present = (ids != PAD).unsqueeze(-1)  # (N, T, 1)
        # Packed: the backward direction must not start in padding, whose length depends on the batch.
        lengths = present.sum((1, 2)).clamp(min=1).cpu()
        packed = pack_padded_sequence(self.token(ids), lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.gru(packed)[0], batch_first=True, total_length=ids.shape[1])
        # The maximum over the words, so that each counts, however many there are.
        highest = states.masked_fill(~present, -2.0).amax(1)
        pooled = torch.where(present.any(1), highest, self.nothing)
        return F.normalize(self.project(pooled), dim=1)


class _Block(nn.Module):
    """(N, C, r, r) -> the same: a residual pair of convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.second_norm.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = F.relu(self.first_norm(self.first(x)))
        return F.relu(x + self.second_norm(self.second(h)))


class ImageEncoder(nn.Module):
    """Pictures (N, 3, H, W) in [-1, 1], any size -> unit embeddings (N, E)."""

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__()
        self.config = config
        layers: list[nn.Module] = [
            nn.Conv2d(3, config.stem, 3, 2, 1, bias=False),
            nn.BatchNorm2d(config.stem),
            nn.ReLU(inplace=True),
        ]
        for inputs, outputs in pairwise((config.stem, *config.widths)):
            layers += [
                nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
                _Block(outputs),
            ]
        self.trunk = nn.Sequential(*layers)
        self.feature = nn.Linear(config.widths[-1], config.features)
        self.project = nn.Linear(config.features, config.embedding)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Pooled features (N, features) of pictures, not normalised: for perceptual distances."""
        size = self.config.size
        if images.shape[-2:] != (size, size):
            images = F.interpolate(
                images, size=(size, size), mode="bilinear", antialias=True, align_corners=False
            )
        pooled: torch.Tensor = self.trunk(images).mean((2, 3))
        found: torch.Tensor = self.feature(pooled)
        return found

    def embed(self, features: torch.Tensor) -> torch.Tensor:
        """Features (N, features) -> unit embeddings (N, E)."""
        embedded: torch.Tensor = self.project(F.relu(features))
        return F.normalize(embedded, dim=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.embed(self.features(images))


class Matcher(nn.Module):
    """Both encoders, and the logarithm of the inverse temperature of their cosines."""

    def __init__(self, config: MatcherConfig) -> None:
        super().__init__()
        self.config = config
        self.text = TextEncoder(config)
        self.image = ImageEncoder(config)
        self.log_scale = nn.Parameter(torch.tensor(2.3))


def token_ids(config: MatcherConfig, texts: Sequence[Sequence[str]]) -> torch.Tensor:
    """Words of each text -> ids (N, T), T at least 1. Raises KeyError for a word that is not known."""
    index = {word: number for number, word in enumerate(config.words, 1)}
    rows = [[index[word] for word in text][:LONGEST] for text in texts]
    longest = max([1, *map(len, rows)])
    return torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])


def condition(embedding: torch.Tensor) -> torch.Tensor:
    """Unit embeddings (N, E) -> the generator's condition (N, E): entries of about unit size."""
    scaled: torch.Tensor = embedding * embedding.shape[1] ** 0.5
    return scaled
