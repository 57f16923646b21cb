"""Everything that is read in a picture: labels with occlusion maps, colours and contents."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from PIL import Image

from workers import images, weights
from workers.engines.vision.analysis_schema import (
    Composition,
    NearestPainting,
    PictureAnalysis,
    PictureReading,
    Share,
)
from workers.engines.vision.classifier import MODEL, ClassifierModel
from workers.engines.vision.colour_analysis import light_level, main_colours, measure_composition
from workers.engines.vision.occlusion import encode_map, occlusion_maps
from workers.engines.vision.text_image_matcher import MODEL as MATCHER
from workers.engines.vision.text_image_matcher import MatcherModel

LONGEST = 1024
"""Long side of the picture that an analysis is shown with, px."""
SHOWN = 5
"""Labels of each head."""
NEAREST = 3
"""Paintings that are named as alike."""
SURE = 0.6
"""Least probability of a genre that counts as read; set by hand."""
HEADS = ("style", "painter", "genre")
"""Heads of the classifier that are shown; ``source`` says whether the picture is a painting at all."""
KNOWN_FILE = "known.json"
"""Beside the weights: title and artist of each painting whose embedding is among them."""
VIEWS = ("landscape", "cityscape")
"""Genres that the matcher was trained on: only of them it is asked for objects and the season."""
SEASONS = ("spring", "summer", "autumn", "winter")


class PictureAnalyser:
    """The classifier with what its card measured, and the matcher for objects where there is one."""

    def __init__(self, device: torch.device) -> None:
        """Load the weights. Raises :class:`workers.weights.WeightsError` without the classifier."""
        self.classifier = ClassifierModel.load(device)
        card = self.classifier.card
        try:
            self._temperature = {head: float(card["temperature"][head]) for head in self.classifier.labels}
            self._unlike_below = float(card["unlike_below"])
            vectors = self.classifier.known["vectors"].float()
            self._known = F.normalize(vectors, dim=1).to(device)
            titles = json.loads((weights.find(MODEL) / KNOWN_FILE).read_text("utf-8"))
            self._titles = [(str(title), str(artist)) for title, artist in titles]
            if len(self._titles) != len(vectors):
                raise ValueError(f"{len(self._titles)} titles, {len(vectors)} vectors")
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise weights.WeightsCorrupt(f"{MODEL}: not an analyse model: {error}") from error
        # Word -> least cosine at which it counts as seen, chosen by workers.training.classifier.export.
        self._least_cosine: dict[str, float] = dict(card.get("sure_of", {}))
        self._matcher = self._load_matcher()

    def _load_matcher(self) -> MatcherModel | None:
        """The matcher that the card names; without it (or with another one) objects stay unread."""
        try:
            matcher = MatcherModel.load(MATCHER, self.classifier.device)
        except weights.WeightsError:
            return None
        return matcher if matcher.digest == self.classifier.card.get("matcher") else None

    def analyse(self, image: Image.Image, step: Callable[[int, int], None] | None = None) -> PictureAnalysis:
        """Everything about a picture. ``step(done, of)`` may raise to stop."""
        labels = self.classifier.labels
        x = self.classifier.prepare(image)
        embedded, shares = self._classify(x)
        order = {head: shares[head].argsort(descending=True)[:SHOWN].tolist() for head in HEADS}
        maps = occlusion_maps(self.classifier.net, x, self._temperature, step)
        heads = {
            head: tuple(Share(labels[head][n], round(float(shares[head][n]), 4)) for n in order[head])
            for head in HEADS
        }
        known = self._painting_share(shares)
        composition = measure_composition(image)
        return PictureAnalysis(
            heads=heads,
            maps={head: tuple(encode_map(maps[head][n]) for n in order[head]) for head in HEADS},
            known=round(known, 4),
            unlike=known < self._unlike_below,
            near=self._nearest(F.normalize(embedded, dim=1).mean(0)),
            palette=main_colours(image),
            composition=composition,
            reading=self._read(image, heads["genre"][0], composition, known >= self._unlike_below),
        )

    def read(self, image: Image.Image) -> PictureReading:
        """Only what is sure, without evidence: one pass, a fraction of a second."""
        _, shares = self._classify(self.classifier.prepare(image))
        best = int(shares["genre"].argmax())
        genre = Share(self.classifier.labels["genre"][best], float(shares["genre"][best]))
        known = self._painting_share(shares) >= self._unlike_below
        return self._read(image, genre, measure_composition(image), known)

    @torch.inference_mode()
    def _classify(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """A prepared picture (1, 3, h, w) -> embeddings of it and of its mirror image (2, E), and for each
        head the calibrated probabilities (labels,)."""
        net = self.classifier.net
        embedded = net.embedding(net.features(torch.cat([x, x.flip(3)])))
        logits = {head: found.mean(0) for head, found in net.logits(embedded).items()}
        return embedded, {head: (logits[head] / self._temperature[head]).softmax(0) for head in logits}

    def _painting_share(self, shares: Mapping[str, torch.Tensor]) -> float:
        """Probability in [0, 1] that the picture is a painting, as all that the network was trained on."""
        return float(shares["source"][self.classifier.labels["source"].index("painting")])

    @torch.inference_mode()
    def _nearest(self, vector: torch.Tensor) -> tuple[NearestPainting, ...]:
        cosines = self._known @ F.normalize(vector, dim=0)
        best = cosines.topk(min(NEAREST, len(cosines)))
        return tuple(
            NearestPainting(self._titles[n][0], self._titles[n][1], round(value, 4))
            for value, n in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        )

    @torch.inference_mode()
    def _read(
        self, image: Image.Image, genre: Share, composition: Composition, known: bool
    ) -> PictureReading:
        light = light_level(composition)
        sure = genre.label if known and genre.share >= SURE else None
        if self._matcher is None or genre.label not in VIEWS:
            return PictureReading(genre=sure, light=light)
        side = self._matcher.net.config.size
        x = images.to_tensor(image.resize((side, side), Image.Resampling.LANCZOS)).to(self.classifier.device)
        least = {w: cosine for w, cosine in self._least_cosine.items() if w in self._matcher.vocabulary.words}
        if not least:
            return PictureReading(genre=sure, light=light)
        cosines = (self._matcher.texts([[word] for word in least]) @ self._matcher.pictures(x)[0]).tolist()
        above = {w: cosine - least[w] for w, cosine in zip(least, cosines, strict=True) if cosine >= least[w]}
        ranked = sorted(above, key=lambda word: -above[word])
        seasons = [word for word in ranked if word in SEASONS]
        objects = tuple(word for word in ranked if word not in SEASONS)
        return PictureReading(sure, light, seasons[0] if seasons else None, objects)
