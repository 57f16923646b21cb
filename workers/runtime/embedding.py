"""Embeddings of finished pictures, by which similar works are found.

Loads without torch; the network is loaded when the first picture comes. A worker that cannot load it logs
that once and goes on: no job fails because its works have no embedding.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from PIL import Image

from gallery.services.embeddings import Vector

logger = logging.getLogger(__name__)

RETRY_SECONDS = 600.0
"""Weights may be put in place meanwhile: after so long it is tried again."""


class EmbeddingModel(Protocol):
    """A network that embeds pictures: ``vision.classifier.ClassifierModel``, or an operator's own."""

    digest: str

    def embed(self, pictures: Sequence[Image.Image]) -> Iterable[Iterable[float]]:
        """256 numbers for each picture; their cosine is high for pictures that look alike."""


class Embedder:
    """The network of this process; for the work thread alone."""

    def __init__(self, path: str | None = None) -> None:
        """``path``: the text of ``ARTSITE_SEEING`` (``module:callable``), by default from the environment."""
        self._path = os.environ.get("ARTSITE_SEEING", "") if path is None else path
        self._model: EmbeddingModel | None = None
        self._retry_at = 0.0
        self._logged = ""

    def load_model(self) -> EmbeddingModel | None:
        """The network, loaded now if need be (seconds); None when it cannot be loaded. Raises nothing."""
        if self._model is None and time.monotonic() >= self._retry_at:
            try:
                self._model = self._load()
            except Exception as problem:  # missing weights, a damaged file, a broken driver: all are one
                self._warn(f"works get no embedding: {type(problem).__name__}: {problem}")
                self._retry_at = time.monotonic() + RETRY_SECONDS
        return self._model

    def embed(self, picture: Image.Image) -> Vector | None:
        """The picture's embedding; None when this worker cannot make one. Raises nothing."""
        model = self.load_model()
        if model is None:
            return None
        try:
            (numbers,) = model.embed([picture])
            return Vector.of(numbers, model.digest)
        except Exception as problem:
            self._warn(f"a picture has no embedding: {type(problem).__name__}: {problem}")
            return None

    def _load(self) -> EmbeddingModel:
        if self._path:
            module, _, name = self._path.partition(":")
            made: EmbeddingModel = getattr(importlib.import_module(module), name)()
            return made
        # Before torch is loaded, which takes seconds and half a gigabyte.
        from workers import weights

        weights.find("analyse")
        from workers import device
        from workers.engines.vision.classifier import ClassifierModel

        return ClassifierModel.load(device.choose())

    def _warn(self, reason: str) -> None:
        """Once for each reason: a picture a second must not fill the log."""
        if reason != self._logged:
            logger.warning("%s", reason)
            self._logged = reason
