"""A Bloom filter (Bloom 1970) of short texts: "certainly not seen" or "probably seen", in little space."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

PROBES = 6


def _places(text: str, bits: int) -> Iterator[int]:
    # Two halves of one digest give all probes (Kirsch and Mitzenmacher 2006).
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    first, second = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big") | 1
    return ((first + probe * second) % bits for probe in range(PROBES))


class BloomFilter:
    """``data``: the bits, eight to a byte. At ten bits a text, one unknown text in a hundred seems known."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data

    @classmethod
    def of(cls, texts: Iterable[str], size: int) -> BloomFilter:
        """A filter of ``size`` bytes that knows all ``texts``."""
        data = bytearray(size)
        for text in texts:
            for place in _places(text, size * 8):
                data[place >> 3] |= 1 << (place & 7)
        return cls(data)

    def __contains__(self, text: str) -> bool:
        if not self.data:
            return False
        return all(self.data[place >> 3] >> (place & 7) & 1 for place in _places(text, len(self.data) * 8))
