"""Embeddings that are missing, made while no job waits.

Works from before there was an embedding network, from before its weights were replaced, or from workers that
could not load it.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from uuid import UUID

from django.core.files.storage import default_storage
from django.db import Error as DatabaseProblem
from django.db import connection
from PIL import Image

from gallery.models import Artwork
from gallery.services.embeddings import artworks_without_embedding, embedding_store
from workers.runtime.embedding import Embedder

logger = logging.getLogger(__name__)

BATCH = 16
SECONDS = 4.0
"""Longest that one call takes; the next one comes when the idle worker looks for jobs again."""
REST_SECONDS = 300.0
"""How long it is believed that nothing is missing."""
CANDIDATES = 128
MAX_UNREADABLE = 500


class EmbeddingBackfill:
    """Fills in what is missing, a few pictures at a time; for the work thread alone."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._unreadable: set[UUID] = set()
        self._rest_until = 0.0

    def fill(self, wanted: Callable[[], bool]) -> int:
        """Embed a few works; how many. Asks ``wanted`` after each and ends as soon as it says yes.

        Raises nothing. Several workers choose at random, so that they seldom choose alike.
        """
        if time.monotonic() < self._rest_until or len(self._unreadable) > MAX_UNREADABLE or wanted():
            return 0
        model = self._embedder.load_model()
        if model is None:
            return 0
        filled, deadline = 0, time.monotonic() + SECONDS
        try:
            missing = artworks_without_embedding(model.digest, CANDIDATES, self._unreadable)
            if not missing:
                self._rest_until = time.monotonic() + REST_SECONDS
            for artwork in random.sample(missing, min(BATCH, len(missing))):
                filled += self._fill_in(artwork)
                if time.monotonic() > deadline or wanted():
                    break
        except DatabaseProblem as problem:
            logger.warning("cannot fill in embeddings: %s", problem)
            connection.close()
        if filled:
            logger.info("filled in %d embeddings", filled)
        return filled

    def _fill_in(self, artwork: Artwork) -> bool:
        try:
            with default_storage.open(artwork.file.name or "") as file, Image.open(file) as source:
                picture = source.convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError) as problem:
            logger.warning("work %s cannot be read: %s", artwork.pk, problem)
            self._unreadable.add(artwork.pk)
            return False
        vector = self._embedder.embed(picture)
        if vector is None:
            self._unreadable.add(artwork.pk)
            return False
        return embedding_store(artwork_id=artwork.pk, vector=vector)
