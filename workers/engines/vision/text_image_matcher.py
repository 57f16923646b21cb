"""The matcher as engines use it: the similarity of pictures and texts, which the lexicon turns to words.

Used by ``paint`` (conditions, the best of several candidates, refining), by ``blend`` (even steps) and by the
evaluation; a search by words over pictures needs nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from workers import weights
from workers.engines.language.prompt_lexicon import Understood, Vocabulary
from workers.nets.matcher import Matcher, MatcherConfig, condition, token_ids

MODEL = "match"


class MatcherModel:
    """Texts and pictures in one space. Every method takes and gives tensors on ``device``."""

    def __init__(self, net: Matcher, device: torch.device, digest: str = "") -> None:
        self.net = net.eval().requires_grad_(False).to(device)
        self.device = device
        self.digest = digest
        self.vocabulary = Vocabulary(net.config.words)

    @classmethod
    def load(cls, name: str, device: torch.device) -> MatcherModel:
        """The matcher of the weights folder ``name``. Raises :class:`workers.weights.WeightsError`."""
        loaded = weights.load(name)
        try:
            net = Matcher(MatcherConfig.from_card(loaded.card["config"]))
            net.load_state_dict(loaded.tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: not a matcher: {error}") from error
        return cls(net, device, loaded.digest)

    def read(self, prompt: str) -> Understood:
        """What the vocabulary understands of a prompt, English or Chinese."""
        return self.vocabulary.read(prompt)

    @torch.no_grad()
    def texts(self, texts: Sequence[Sequence[str]]) -> torch.Tensor:
        """Words of each text -> unit embeddings (N, E). Raises KeyError for an unknown word."""
        embedded: torch.Tensor = self.net.text(token_ids(self.net.config, texts).to(self.device))
        return embedded

    @torch.no_grad()
    def conditions(self, texts: Sequence[Sequence[str]]) -> torch.Tensor:
        """Words of each text -> the generator's conditions (N, E)."""
        return condition(self.texts(texts))

    def pictures(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W) in [-1, 1] -> unit embeddings (N, E), differentiable in the pictures."""
        embedded: torch.Tensor = self.net.image(images)
        return embedded

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W) in [-1, 1] -> features (N, F) for perceptual distances, differentiable."""
        return self.net.image.features(images)

    @torch.no_grad()
    def fit(self, images: torch.Tensor, texts: Sequence[Sequence[str]]) -> torch.Tensor:
        """Cosine (N,) in [-1, 1] of each picture with its text."""
        return (self.pictures(images) * self.texts(texts)).sum(1)
