"""Similar works: exact nearest-neighbour search over embeddings, in this process's memory and the database.

Each process keeps the signs of all vectors (256 bits) and counts in how many they differ from those asked
for (Charikar 2002): with 100,000 works that takes some 20 ms. The best are then put in order by the vectors
themselves, which the database gives for those works alone that the person may find: what is private,
hidden or deleted is left out there, whatever this process remembers.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import mul
from uuid import UUID

from gallery.models import Artwork, Embedding
from gallery.permissions import Person, findable
from gallery.selectors.artworks import cards

FEW, MANY = 6, 30
"""Works beside another one, and on a page of their own."""
CANDIDATES = 200
"""Works whose vectors are compared at a time."""
ROUNDS = 5
OVERLAP = 500
"""The newest ids are asked for again each time: a transaction with a lower one may have committed late."""


@dataclass(slots=True)
class _Known:
    """The ids and signs of all embeddings of one network."""

    ids: list[int] = field(default_factory=list)
    signatures: list[int] = field(default_factory=list)


class Index:
    """The embeddings that this process remembers, by the digest of their network. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._highest = 0
        self._recent: set[int] = set()

    def nearest(self, digest: str, signature: bytes) -> Iterator[list[int]]:
        """Ids of embeddings of this network, the nearest first, :data:`CANDIDATES` at a time."""
        with self._lock:
            self._refresh()
            known = self._known.get(digest)
            if known is None:
                return
            # Only ever appended to: what comes later does not disturb what is looked at now.
            count = len(known.ids)
            ids, signatures = known.ids, known.signatures[:count]
        wanted = int.from_bytes(signature, "big")
        distances = [(wanted ^ one).bit_count() for one in signatures]
        counted = Counter(distances)
        begin = 0
        while begin <= 256:
            # A whole shell of distances at a time: as many as are needed for enough works.
            end, there = begin, counted[begin]
            while there < CANDIDATES and end < 256:
                end += 1
                there += counted[end]
            shell = [number for number, distance in enumerate(distances) if begin <= distance <= end]
            shell.sort(key=distances.__getitem__)
            begin = end + 1
            for start in range(0, len(shell), CANDIDATES):
                yield [ids[number] for number in shell[start : start + CANDIDATES]]

    def _refresh(self) -> None:
        """Take up what was embedded since the last question."""
        newer = Embedding.objects.filter(pk__gt=self._highest - OVERLAP).order_by("pk")
        for key, digest, signature in newer.values_list("pk", "digest", "signature").iterator(5000):
            if key not in self._recent:
                known = self._known.setdefault(digest, _Known())
                known.ids.append(key)
                known.signatures.append(int.from_bytes(signature, "big"))
                self._recent.add(key)
                self._highest = max(self._highest, key)
        if len(self._recent) > 2 * OVERLAP:
            self._recent = {key for key in self._recent if key > self._highest - OVERLAP}


_index = Index()


def similar_works(
    person: Person, artwork: Artwork, limit: int = FEW, index: Index | None = None
) -> list[Artwork]:
    """The works most like ``artwork`` among those that ``person`` may find, the nearest first.

    Empty while the work has no embedding. The caller has asked ``can_view`` for ``artwork`` already. When
    many of the nearest are not for this person, only :data:`ROUNDS` times :data:`CANDIDATES` are tried.
    """
    own = Embedding.objects.filter(artwork=artwork).first()
    if own is None:
        return []
    vector = _signed(own.vector)
    others = findable(person, Artwork.objects.exclude(pk=artwork.pk))
    found: list[tuple[float, UUID]] = []
    rounds = (index or _index).nearest(own.digest, bytes(own.signature))
    for _round, candidates in zip(range(ROUNDS), rounds, strict=False):
        close = others.filter(embedding__pk__in=candidates, embedding__digest=own.digest)
        for key, other in close.values_list("pk", "embedding__vector"):
            there = _signed(other)
            # The cosine but for the length of the work's own vector, which is the same for all.
            found.append((sum(map(mul, vector, there)) / math.sqrt(sum(map(mul, there, there)) or 1), key))
        if len(found) >= limit:
            break
    best = [key for _, key in sorted(found, reverse=True)[:limit]]
    works = {one.pk: one for one in cards(Artwork.objects.filter(pk__in=best))}
    return [works[key] for key in best if key in works]


def _signed(data: bytes | memoryview) -> memoryview:
    return memoryview(bytes(data)).cast("b")
