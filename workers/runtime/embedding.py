"""Where pictures lie among all pictures: the network that sees, asked once for each finished picture.

Loads without torch; the network is loaded when the first picture comes. A worker that cannot see says so
once and goes on: no work fails because it has no embedding.
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

AGAIN_SECONDS = 600.0
"""Weights may be put in place meanwhile: after so long it is tried again."""


class Sight(Protocol):
    """What can say where pictures lie: ``workers.engines.vision.classifier.Seeing``, or an operator's own."""

    digest: str

    def embed(self, pictures: Sequence[Image.Image]) -> Iterable[Iterable[float]]:
        """256 numbers for each picture: near for pictures that look alike."""


class Embedder:
    """The network of this process; for the work thread alone."""

    def __init__(self, path: str | None = None) -> None:
        """``path``: the text of ``ARTSITE_SEEING`` (``module:callable``), by default from the environment."""
        self._path = os.environ.get("ARTSITE_SEEING", "") if path is None else path
        self._sight: Sight | None = None
        self._again = 0.0
        self._complaint = ""

    @property
    def sight(self) -> Sight | None:
        """The network, loaded now if need be (seconds); None when this worker cannot see."""
        if self._sight is None and time.monotonic() >= self._again:
            try:
                self._sight = self._load()
            except Exception as problem:  # missing weights, a damaged file, a broken driver: all are one
                self._complain(f"cannot see, works get no embedding: {type(problem).__name__}: {problem}")
                self._again = time.monotonic() + AGAIN_SECONDS
        return self._sight

    def embed(self, picture: Image.Image) -> Vector | None:
        """Where the picture lies; None when this worker cannot see it. Raises nothing."""
        sight = self.sight
        if sight is None:
            return None
        try:
            (numbers,) = sight.embed([picture])
            return Vector.of(numbers, sight.digest)
        except Exception as problem:
            self._complain(f"a picture has no embedding: {type(problem).__name__}: {problem}")
            return None

    def _load(self) -> Sight:
        if self._path:
            module, _, name = self._path.partition(":")
            made: Sight = getattr(importlib.import_module(module), name)()
            return made
        # Before torch is loaded, which takes seconds and half a gigabyte.
        from workers import weights

        weights.find("analyse")
        from workers import device
        from workers.engines.vision.classifier import Seeing

        return Seeing.load(device.pick())

    def _complain(self, complaint: str) -> None:
        """Once for each reason: a picture a second must not fill the log."""
        if complaint != self._complaint:
            logger.warning("%s", complaint)
            self._complaint = complaint
