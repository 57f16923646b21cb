"""Zero-shot tags: words whose cosine with a view is unusually large, by the matcher.

Less certain than a :class:`PictureReading`, which holds only what is sure: a poem may follow them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

import torch
from PIL import Image

from workers import images, weights
from workers.engines.vision.text_image_matcher import MODEL, MatcherModel

USUAL_FILE = "usual.json"
"""Beside the matcher's weights: ``{"matcher": digest, "words": {word: [mean, deviation]}}`` of the cosine of
each word with views, made by ``python -m workers.training impressions``."""
MIN_DEVIATIONS = 1.2
"""Deviations above its mean from which on a word is a tag: a normal variable exceeds it one time in nine."""
MOST = 3


class ZeroShotTagger:
    """The matcher with the mean and deviation of each word's cosine with views."""

    def __init__(self, matcher: MatcherModel, usual: Mapping[str, tuple[float, float]]) -> None:
        """``usual``: word of the matcher -> mean and deviation (above 0) of its cosine with views."""
        self._matcher = matcher
        self._words = tuple(usual)
        self._texts = matcher.texts([[word] for word in self._words])
        self._mean = torch.tensor([mean for mean, _ in usual.values()], device=matcher.device)
        self._deviation = torch.tensor([deviation for _, deviation in usual.values()], device=matcher.device)

    @classmethod
    def load(cls, device: torch.device, name: str = MODEL) -> ZeroShotTagger:
        """The matcher ``name`` with its table.

        Raises :class:`workers.weights.WeightsError` when either is missing, damaged or another matcher's.
        """
        matcher = MatcherModel.load(name, device)
        path = weights.find(name) / USUAL_FILE
        try:
            table = json.loads(path.read_text("utf-8"))
            usual = {
                str(word): (float(mean), float(spread)) for word, (mean, spread) in table["words"].items()
            }
            finite = all(math.isfinite(mean) and spread > 0 for mean, spread in usual.values())
            known = set(usual) <= set(matcher.vocabulary.words)
            if not usual or not finite or not known or table["matcher"] != matcher.digest:
                raise ValueError("another matcher's table, or none")
        except FileNotFoundError as error:
            raise weights.WeightsMissing(f"no {path}") from error
        except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
            raise weights.WeightsCorrupt(f"{path}: {error}") from error
        return cls(matcher, usual)

    @torch.inference_mode()
    def tags(self, image: Image.Image) -> tuple[str, ...]:
        """At most MOST words, the least usual first; none for a view like all others."""
        side = self._matcher.net.config.size
        x = images.to_tensor(image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS))
        fits = self._texts @ self._matcher.pictures(x.to(self._matcher.device))[0]
        scores = ((fits - self._mean) / self._deviation).tolist()
        ranked = sorted(zip(scores, self._words, strict=True), reverse=True)
        return tuple(word for score, word in ranked[:MOST] if score >= MIN_DEVIATIONS)
