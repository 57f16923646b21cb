"""Rules that write embeddings: the vectors of pictures by which similar works are found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from gallery.models import Artwork, Embedding

LENGTH = Embedding.LENGTH
_LARGEST = 127


@dataclass(frozen=True, slots=True)
class Vector:
    """An embedding as it is stored: 256 signed bytes, and the digest of the weights that made it.

    Raises ValueError for any other length.
    """

    values: bytes
    digest: str

    def __post_init__(self) -> None:
        if len(self.values) != LENGTH:
            raise ValueError(f"an embedding is {LENGTH} bytes, not {len(self.values)}")

    @classmethod
    def of(cls, numbers: Iterable[float], digest: str) -> Vector:
        """256 numbers of any scale -> their signed bytes. Raises ValueError for what has no direction."""
        values = [float(number) for number in numbers]
        largest = max(map(abs, values), default=0.0)
        if not 0 < largest < float("inf"):
            raise ValueError("an embedding has a direction")
        return cls(bytes(round(value / largest * _LARGEST) & 0xFF for value in values), digest)

    @property
    def signature(self) -> bytes:
        """The 256 signs, the first one in the highest bit: 1 for what is above 0."""
        bits = 0
        for value in self.values:
            bits = bits << 1 | (0 < value < 128)
        return bits.to_bytes(LENGTH // 8, "big")


def embedding_row(artwork: Artwork, vector: Vector) -> Embedding:
    """The unsaved row."""
    return Embedding(artwork=artwork, digest=vector.digest, signature=vector.signature, vector=vector.values)


def embedding_store(*, artwork_id: UUID, vector: Vector) -> bool:
    """Give a work its embedding, in place of an older one. False when the work is gone meanwhile.

    Two workers may come with the same: the second one changes nothing that matters.
    """
    with transaction.atomic():
        # Held, so that it does not go before the row is committed.
        artwork = Artwork.objects.select_for_update(no_key=True).filter(pk=artwork_id).only("pk").first()
        if artwork is None:
            return False
        # A new row, not a changed one: it gets a higher id, by which others find it.
        Embedding.objects.filter(artwork=artwork).delete()
        embedding_row(artwork, vector).save(force_insert=True)
    return True


def artworks_without_embedding(
    digest: str, limit: int, except_for: Collection[UUID] = ()
) -> Sequence[Artwork]:
    """Pictures that have no embedding of these weights, newest first."""
    pictures = Artwork.objects.exclude(file="").exclude(embedding__digest=digest)
    return list(pictures.exclude(pk__in=except_for).only("pk", "file").order_by("-created_at", "-pk")[:limit])
