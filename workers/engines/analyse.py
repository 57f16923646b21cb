"""Kind ``analyse``: which style, painter and genre a picture resembles, why, and what is in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from PIL import Image

from workers import device as devices
from workers import images, weights
from workers.engines.base import Picture, Result, Task
from workers.engines.batching import run_sequentially
from workers.engines.request import Request
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
"""Long side of the picture that the analysis is laid over, px."""
SHOWN = 5
NEAREST = 3
SURE = 0.6
"""Share from which on the genre counts as read."""
ASKED = ("style", "painter", "genre")
"""The heads that are shown; the fourth says whether the picture is a painting at all."""
KNOWN_FILE = "known.json"
VIEWS = ("landscape", "cityscape")
"""Genres whose pictures the matcher was trained on: only there it is asked for objects and season."""
SEASONS = ("spring", "summer", "autumn", "winter")


@dataclass(frozen=True, slots=True)
class AnalyseRequest(Request):
    """``analyse`` has no parameters: only the picture in the role ``image``."""


class AnalyseEngine:
    """Looks at one picture at a time: most of the work is hiding parts of it, which is a batch already."""

    kind: ClassVar[str] = "analyse"
    request: ClassVar[type[AnalyseRequest]] = AnalyseRequest
    batch_size: ClassVar[int] = 1
    stall_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Load the weights. Raises :class:`workers.weights.WeightsError`."""
        self.device = devices.pick()
        self.classifier = ClassifierModel.load(self.device)
        card = self.classifier.card
        self.model_name, self.model_digest = self.classifier.name, self.classifier.digest
        try:
            self._temperature = {head: float(card["temperature"][head]) for head in self.classifier.labels}
            self._unlike_below = float(card["unlike_below"])
            vectors = self.classifier.known["vectors"].float()
            self._known = F.normalize(vectors, dim=1).to(self.device)
            titles = json.loads((weights.find(MODEL) / KNOWN_FILE).read_text("utf-8"))
            self._titles = [(str(title), str(artist)) for title, artist in titles]
            if len(self._titles) != len(vectors):
                raise ValueError(f"{len(self._titles)} titles, {len(vectors)} vectors")
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise weights.WeightsCorrupt(f"{MODEL}: not an analyse model: {error}") from error
        self._sure: dict[str, float] = dict(card.get("sure_of", {}))
        self._matcher = self._load_matcher()

    def _load_matcher(self) -> MatcherModel | None:
        # Objects are read with the painter's matcher; without it (or with another one) they stay unread.
        try:
            matcher = MatcherModel.load(MATCHER, self.device)
        except weights.WeightsError:
            return None
        return matcher if matcher.digest == self.classifier.card.get("matcher") else None

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Every picture has its own size, so all that is shared is the model."""
        return "analyse"

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        return run_sequentially(tasks, self._analyse)

    def _analyse(self, task: Task) -> Picture:
        AnalyseRequest.from_parameters(task.parameters)
        path = task.input("image")
        task.report.phase("looking")
        image = images.open_rgb(path, LONGEST)
        task.report.preview(image)
        analysis = self.analysis(image, task.report.step)
        return Picture(image, details={"analysis": analysis.to_details()}, generated=False)

    def analysis(self, image: Image.Image, step: Callable[[int, int], None] | None = None) -> PictureAnalysis:
        """Everything about a picture. ``step(done, of)`` may raise to stop."""
        x = self.classifier.look(image)
        embedded, shares = self._look(x)
        order = {head: shares[head].argsort(descending=True)[:SHOWN].tolist() for head in ASKED}
        heat = occlusion_maps(self.classifier.net, x, self._temperature, step)
        heads = {
            head: tuple(
                Share(self.classifier.labels[head][n], round(float(shares[head][n]), 4)) for n in order[head]
            )
            for head in ASKED
        }
        known = self._known_share(shares)
        composition = measure_composition(image)
        return PictureAnalysis(
            heads=heads,
            maps={head: tuple(encode_map(heat[head][n]) for n in order[head]) for head in ASKED},
            known=round(known, 4),
            unlike=known < self._unlike_below,
            near=self._near(F.normalize(embedded, dim=1).mean(0)),
            palette=main_colours(image),
            composition=composition,
            reading=self._read(image, heads["genre"][0], composition, known >= self._unlike_below),
        )

    def read(self, image: Image.Image) -> PictureReading:
        """What it is sure of in a picture, without the evidence: one look, a fraction of a second."""
        _, shares = self._look(self.classifier.look(image))
        best = int(shares["genre"].argmax())
        genre = Share(self.classifier.labels["genre"][best], float(shares["genre"][best]))
        known = self._known_share(shares) >= self._unlike_below
        return self._read(image, genre, measure_composition(image), known)

    @torch.inference_mode()
    def _look(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """A looked-at picture (1, 3, h, w) -> embeddings of it and of its mirror image (2, E), and for each
        question the calibrated shares of its answers."""
        embedded = self.classifier.net.embedding(self.classifier.net.features(torch.cat([x, x.flip(3)])))
        logits = {head: found.mean(0) for head, found in self.classifier.net.answer(embedded).items()}
        return embedded, {head: (logits[head] / self._temperature[head]).softmax(0) for head in logits}

    def _known_share(self, shares: Mapping[str, torch.Tensor]) -> float:
        return float(shares["source"][self.classifier.labels["source"].index("painting")])

    @torch.inference_mode()
    def _near(self, vector: torch.Tensor) -> tuple[NearestPainting, ...]:
        likeness = self._known @ F.normalize(vector, dim=0)
        best = likeness.topk(min(NEAREST, len(likeness)))
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
        x = images.to_tensor(image.resize((side, side), Image.Resampling.LANCZOS)).to(self.device)
        words = [word for word in self._sure if word in self._matcher.vocabulary.words]
        if not words:
            return PictureReading(genre=sure, light=light)
        fits = (self._matcher.texts([[word] for word in words]) @ self._matcher.pictures(x)[0]).tolist()
        above = {w: fit - self._sure[w] for w, fit in zip(words, fits, strict=True) if fit >= self._sure[w]}
        ranked = sorted(above, key=lambda word: -above[word])
        seasons = [word for word in ranked if word in SEASONS]
        objects = tuple(word for word in ranked if word not in SEASONS)
        return PictureReading(sure, light, seasons[0] if seasons else None, objects)
