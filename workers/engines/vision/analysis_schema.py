"""What is read in a picture, as typed facts. ``gallery.presentation.analysis`` reads what is kept of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Share:
    """A label and its calibrated probability in [0, 1]."""

    label: str
    share: float


@dataclass(frozen=True, slots=True)
class OcclusionMap:
    """Which parts of a picture raise the probability of a class: base64 of uint8, row by row, 255 = most."""

    width: int
    height: int
    cells: str


@dataclass(frozen=True, slots=True)
class NearestPainting:
    """A known painting whose embedding is near; ``likeness`` is a cosine in [-1, 1]."""

    title: str
    artist: str
    likeness: float


@dataclass(frozen=True, slots=True)
class PaletteColour:
    """A main colour: ``colour`` as #rrggbb, its English name, its share of the picture in [0, 1]."""

    colour: str
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Composition:
    """Measured on the pixels, each in [0, 1]; ``horizon`` is its distance from the top, None without one."""

    brightness: float
    contrast: float
    saturation: float
    symmetry: float
    horizon: float | None


@dataclass(frozen=True, slots=True)
class PictureReading:
    """Only what is sure: what a poem for the picture is written from."""

    genre: str | None = None
    light: str | None = None
    """``bright``, ``dim`` or ``dark``."""
    season: str | None = None
    objects: tuple[str, ...] = ()
    """Words of the lexicon (``sea``, ``mountain`` ...), the surest first."""


@dataclass(frozen=True, slots=True)
class PictureAnalysis:
    """Everything about one picture. ``heads``: head -> labels, the likeliest first; ``maps`` in their order.

    ``known``: probability that it is a painting, as all that the network was trained on; ``unlike``: that is
    too small for the rest to mean much.
    """

    heads: Mapping[str, tuple[Share, ...]]
    maps: Mapping[str, tuple[OcclusionMap, ...]]
    known: float
    unlike: bool
    near: tuple[NearestPainting, ...]
    palette: tuple[PaletteColour, ...]
    composition: Composition
    reading: PictureReading = field(default_factory=PictureReading)

    def to_details(self) -> dict[str, Any]:
        """JSON-safe: what a work keeps in ``details["analysis"]``."""
        return {"format": FORMAT} | asdict(self)


def reading_from_details(details: Mapping[str, Any]) -> PictureReading | None:
    """The reading in a work's ``details``; None without one of this FORMAT."""
    analysis = details.get("analysis")
    if not isinstance(analysis, Mapping) or analysis.get("format") != FORMAT:
        return None
    kept = analysis.get("reading")
    if not isinstance(kept, Mapping):
        return None

    def word(name: str) -> str | None:
        value = kept.get(name)
        return value if isinstance(value, str) else None

    objects = kept.get("objects")
    words = tuple(o for o in objects if isinstance(o, str)) if isinstance(objects, list | tuple) else ()
    return PictureReading(word("genre"), word("light"), word("season"), words)
