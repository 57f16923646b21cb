"""A training data folder at toy size: small paintings of two subjects, and a teacher that knows nothing."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from workers.training.common.data import is_validation

TRAINING, VALIDATION = 60, 12
_FIRE = {  # squeeze, expand, input channels of SqueezeNet 1.0
    "fire2": (16, 64, 96),
    "fire3": (16, 64, 128),
    "fire4": (32, 128, 128),
    "fire5": (32, 128, 256),
    "fire6": (48, 192, 256),
    "fire7": (48, 192, 384),
    "fire8": (64, 256, 384),
    "fire9": (64, 256, 512),
}


def _names() -> list[str]:
    """File names, so many of each split."""
    found: dict[bool, list[str]] = {False: [], True: []}
    number = 0
    while len(found[False]) < TRAINING or len(found[True]) < VALIDATION:
        name = f"small/{number:05d}.webp"
        found[is_validation(name)].append(name)
        number += 1
    return found[False][:TRAINING] + found[True][:VALIDATION]


def _picture(number: int) -> bytes:
    draw = np.random.default_rng(number)
    colour = ((40, 80, 190), (50, 140, 50))[number % 2]
    pixels = np.clip(np.array(colour) + draw.normal(0, 25, (20, 20, 3)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).resize((160, 150)).save(out, "WEBP")
    return out.getvalue()


def _teacher(path: Path) -> None:
    draw = np.random.default_rng(3)
    tensors = {}

    def add(name: str, outputs: int, inputs: int, side: int) -> None:
        scale = (2 / (inputs * side * side)) ** 0.5
        tensors[f"{name}.w"] = draw.normal(0, scale, (outputs, inputs, side, side)).astype(np.float32)
        tensors[f"{name}.b"] = np.zeros(outputs, np.float32)

    add("conv1", 96, 3, 7)
    for name, (squeeze, expand, inputs) in _FIRE.items():
        add(f"{name}/conv1x1_1", squeeze, inputs, 1)
        add(f"{name}/conv1x1_2", expand, squeeze, 1)
        add(f"{name}/conv3x3_2", expand, squeeze, 3)
    path.parent.mkdir(parents=True)
    np.savez(path, allow_pickle=False, **tensors)


def write_training_data(folder: Path) -> Path:
    """Write and return ``folder``: paintings.csv, one archive of WebP pictures, teacher/."""
    folder.mkdir(parents=True)
    _teacher(folder / "teacher" / "squeezenet_v1_0.npz")
    columns = ["file", "shard", "artist", "style", "genre", "title", "year", "width", "height"]
    with (
        (folder / "paintings.csv").open("w", newline="", encoding="utf-8") as table,
        zipfile.ZipFile(folder / "p.zip", "w") as archive,
    ):
        rows = csv.DictWriter(table, columns)
        rows.writeheader()
        for number, name in enumerate(_names()):
            title = ("Waves of the Sea", "Green Forest")[number % 2]
            row = {"file": name, "shard": "p.zip", "artist": "Claude Monet", "style": "Impressionism"}
            rows.writerow(row | {"genre": "landscape", "title": title})
            archive.writestr(name, _picture(number))
    return folder


def write_photographs(folder: Path, count: int, validation: bool) -> None:
    """Add photos.csv and photos.zip with ``count`` pictures of one split to a training data folder."""
    names = [name for name in (f"photos/{n}.png" for n in range(200)) if is_validation(name) is validation]
    with (folder / "photos.csv").open("w", newline="", encoding="utf-8") as table:
        rows = csv.DictWriter(table, ["file"])
        rows.writeheader()
        rows.writerows({"file": name} for name in names[:count])
    with zipfile.ZipFile(folder / "photos.zip", "w") as archive:
        for number, name in enumerate(names[:count]):
            with archive.open(name, "w") as file:
                coloured(number).save(file, "PNG")


def coloured(seed: int, side: int = 64) -> Image.Image:
    """A square of soft random colours, ``side`` px."""
    noise = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC)
