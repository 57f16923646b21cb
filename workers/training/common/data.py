"""Reading the training data folder (``--data DIR``): paintings, photographs, styles.

The archives are read in place. Validation is split off by a hash of the file name, so every
training run and every evaluation agrees on it without a list.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from workers import images

VALIDATION_PERCENT = 5
"""Share of paintings and photographs that are held out."""
SAMPLES = ("astronaut", "coffee", "chelsea", "rocket")
"""Public-domain photographs that scikit-image brings along, by their names there."""


def is_validation(file: str) -> bool:
    """Whether ``file`` (its name as listed in the csv) belongs to the validation split (5 %)."""
    return int.from_bytes(hashlib.sha256(file.encode()).digest()[:8], "big") % 100 < VALIDATION_PERCENT


@dataclass(frozen=True, slots=True)
class Painting:
    """One row of paintings.csv; empty strings where nothing is known."""

    file: str
    shard: str
    artist: str
    style: str
    genre: str
    title: str


@dataclass(frozen=True, slots=True)
class StylePicture:
    """One row of styles.csv. ``slug`` is the file's stem, e.g. ``starry_night``."""

    slug: str
    artist: str
    title: str
    path: Path


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def paintings(data: Path) -> list[Painting]:
    """Every painting of ``paintings.csv``. Raises FileNotFoundError."""
    found = []
    for row in _rows(data / "paintings.csv"):
        title = "" if row["title"].startswith("not detected") else row["title"]
        found.append(Painting(row["file"], row["shard"], row["artist"], row["style"], row["genre"], title))
    return found


def styles(data: Path) -> list[StylePicture]:
    """The famous paintings of ``styles.csv``."""
    return [
        StylePicture(Path(row["file"]).stem, row["artist"], row["title"], data / row["file"])
        for row in _rows(data / "styles.csv")
    ]


def square(image: Image.Image, size: int) -> Image.Image:
    """Centre square of ``image``, resized to ``size`` px with Lanczos."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    cropped = image.convert("RGB").crop((left, top, left + side, top + side))
    return cropped.resize((size, size), Image.Resampling.LANCZOS)


def load_squares(data: Path, entries: Sequence[tuple[str, str]], size: int) -> npt.NDArray[np.uint8]:
    """Centre squares of ``(shard, file)`` entries: uint8 (N, size, size, 3), in order.

    One size for everything: resolution gives away the source, and so some of the labels.
    """
    out = np.zeros((len(entries), size, size, 3), np.uint8)
    by_shard: dict[str, list[int]] = {}
    for number, (shard, _) in enumerate(entries):
        by_shard.setdefault(shard, []).append(number)
    for shard, numbers in by_shard.items():
        with zipfile.ZipFile(data / shard) as archive, ThreadPoolExecutor(2) as pool:
            raw = {n: archive.read(entries[n][1]) for n in numbers}

            def decode(n: int, raw: dict[int, bytes] = raw) -> None:
                with Image.open(io.BytesIO(raw[n])) as image:
                    out[n] = np.asarray(square(image, size))

            list(pool.map(decode, numbers))
    return out


def photos(data: Path) -> list[tuple[str, str]]:
    """``(shard, file)`` of every photograph."""
    return [("photos.zip", row["file"]) for row in _rows(data / "photos.csv")]


def sample_pictures(longest: int) -> list[Image.Image]:
    """The photographs of SAMPLES, their long sides at most ``longest`` px."""
    import skimage.data

    found = [Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in SAMPLES]
    return [images.shrink(picture, longest) for picture in found]
