"""Measure the upscale engine beside nearest neighbour and bicubic, time it, draw its sheet.

Everything goes through the engine as it ships, so tiles, margins and rounding are measured too.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from workers import device as devices
from workers import images, weights
from workers.engines.upscale import MODEL, TILE_GPU, UpscaleEngine
from workers.nets.upscaler import TEXTURE
from workers.training.common import data
from workers.training.common.perceptual_distance import LAYERS, perceptual_distance, psnr
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.setup import data_argument, set_threads, threads_argument
from workers.training.upscaler.degradation import compressed

LARGE = 256
QUALITY = 60
"""Of the JPEG pictures that are measured."""
SHOWN = 10
PROTOCOL = (
    "{pictures} validation paintings of 256 px, made small by averaging and enlarged again by the engine at "
    "texture 0.5. distance: teacher features at {layers}, mean absolute difference over the true picture's "
    "mean, averaged (workers/training/common/perceptual_distance.py); of_bicubic: its ratio to bicubic's. "
    "PSNR in dB. jpeg: the small picture went through JPEG at quality {quality}. "
    "seams: gradient across the borders of tiles of 64 px over the gradient elsewhere, "
    "as a share of the same ratio without tiles (1: no seams)."
)
Enlarge = Callable[[Image.Image, int], Image.Image]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``evaluate upscale``."""
    parser.epilog = __doc__
    data_argument(parser)
    parser.add_argument("--pictures", type=int, default=100, help="validation paintings to measure")
    parser.add_argument("--largest", type=int, default=2048, help="side at which memory is measured, px")
    threads_argument(parser)
    parser.add_argument(
        "--own", type=Path, help="folder of small pictures that our models made, for the sheet"
    )
    parser.add_argument("--sheet-only", action="store_true", help="draw, do not measure")


def filtered(resample: Image.Resampling, image: Image.Image, factor: int) -> Image.Image:
    """Enlarged by one of Pillow's filters."""
    return image.resize((image.width * factor, image.height * factor), resample)


nearest = partial(filtered, Image.Resampling.NEAREST)
bicubic = partial(filtered, Image.Resampling.BICUBIC)


def true_pictures(folder: Path, count: int) -> Iterator[Image.Image]:
    """Validation paintings of 256 px, spread over the collection."""
    rows = [p for p in data.paintings(folder) if "large" in p.shard and data.is_validation(p.file)]
    chosen = [rows[k] for k in np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    for square in data.load_squares(folder, [(p.shard, p.file) for p in chosen], LARGE):
        yield Image.fromarray(square)


def compare(teacher: Teacher, true: Image.Image, made: Image.Image) -> tuple[float, float]:
    """Perceptual distance and PSNR of ``made`` to ``true``."""
    a, b = images.to_tensor(made), images.to_tensor(true)
    return float(perceptual_distance(teacher, a, b)), float(psnr(a, b))


def measure(engine: UpscaleEngine, teacher: Teacher, pictures: list[Image.Image]) -> dict[str, object]:
    """Distances and PSNR by case and method."""
    ways: dict[str, Enlarge] = {
        "nearest": nearest,
        "bicubic": bicubic,
        "ours": engine.enlarge,
        "ours_texture_0": partial(engine.enlarge, texture=0.0),
        "ours_texture_1": partial(engine.enlarge, texture=1.0),
    }
    cases: dict[str, tuple[int, tuple[str, ...], int | None]] = {
        "2x": (2, ("nearest", "bicubic", "ours"), None),
        "4x": (4, tuple(ways), None),
        "2x_jpeg": (2, ("bicubic", "ours"), QUALITY),
    }
    found: dict[str, object] = {}
    for case, (factor, names, quality) in cases.items():
        values: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
        for true in pictures:
            small = true.resize((true.width // factor, true.height // factor), Image.Resampling.BOX)
            if quality is not None:
                small = compressed(small, quality)
            for name in names:
                values[name].append(compare(teacher, true, ways[name](small, factor)))
        table = {name: np.array(pairs).mean(0) for name, pairs in values.items()}
        found[case] = {
            name: {
                "distance": round(float(apart), 3),
                "of_bicubic": round(float(apart / table["bicubic"][0]), 3),
                "psnr": round(float(decibels), 2),
            }
            for name, (apart, decibels) in table.items()
        }
        print(case, found[case], flush=True)
    return found


def seams(engine: UpscaleEngine, side: int = 64) -> float:
    """How much steeper the picture is across the borders of tiles than without tiles: 1 where no seam is."""
    picture = data.sample_pictures(320)[1]
    ratios, before = [], engine.tile
    for tile in (side, TILE_GPU):
        engine.tile = tile
        light = np.asarray(engine.enlarge(picture, 2).convert("L"), np.float64)
        steps = np.abs(np.diff(light, axis=1)).mean(0)
        ratios.append(steps[2 * side - 1 :: 2 * side].mean() / steps.mean())
    engine.tile = before
    return float(ratios[0] / ratios[1])


def seconds_per_megapixel(engine: UpscaleEngine, side: int = 512, times: int = 3) -> float:
    """Median seconds for each million pixels of the result, 2x."""
    picture = data.sample_pictures(side)[0].resize((side, side))
    found = []
    for _ in range(times):
        start = time.perf_counter()
        engine.enlarge(picture, 2)
        found.append(time.perf_counter() - start)
    return float(np.median(found)) / (4 * side * side / 1e6)


def _enlarge_alone(side: int, answers: multiprocessing.SimpleQueue[float]) -> None:
    UpscaleEngine().enlarge(data.sample_pictures(512)[0].resize((side, side)), 2)
    answers.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def peak_megabytes(side: int) -> float:
    """Peak resident memory of a process that doubles a square of ``side`` px, Python and torch included."""
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.SimpleQueue[float] = context.SimpleQueue()
    process = context.Process(target=_enlarge_alone, args=(side, answers))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the largest picture ended with exit code {process.exitcode}")
    return answers.get()


def shown(folder: Path | None) -> list[Image.Image]:
    """Ten small squares (128 px): pictures of our own from ``folder``, then public-domain samples."""
    own = sorted(folder.glob("*.png")) if folder else []
    found = [data.square(images.open_rgb(path), 128) for path in own[: SHOWN - 2]]
    samples = data.sample_pictures(512)
    found += [data.square(picture, 128) for picture in samples]
    # Pieces of the samples at their own size: what a visitor's photograph has in it.
    found += [picture.crop((x, 120, x + 128, 248)) for picture in samples for x in (150, 20)]
    return found[:SHOWN]


def sheet(engine: UpscaleEngine, pictures: list[Image.Image]) -> Image.Image:
    """Nearest, bicubic and ours at 4x, two pictures a row: the middle of each, at full size."""
    tiles = []
    for picture in pictures:
        middle = picture.crop((24, 24, 104, 104))
        ours = engine.enlarge(picture, 4).crop((96, 96, 416, 416))
        tiles += [nearest(middle, 4), bicubic(picture, 4).crop((96, 96, 416, 416)), ours]
    return ImageOps.expand(images.contact_sheet(tiles, 6), 2, "white")


def main(arguments: argparse.Namespace) -> None:
    """Measure, draw, and write the figures into the card."""
    set_threads(arguments)
    engine = UpscaleEngine()
    folder = weights.find(MODEL)
    sheet(engine, shown(arguments.own)).save(folder / "sheet.jpg", quality=82, optimize=True)
    if arguments.sheet_only:
        return
    pictures = list(true_pictures(arguments.data, arguments.pictures))
    protocol = PROTOCOL.format(pictures=len(pictures), layers=", ".join(LAYERS), quality=QUALITY)
    quality: dict[str, object] = {"protocol": protocol, "texture": TEXTURE}
    quality |= measure(engine, Teacher(arguments.data), pictures)
    quality["seams"] = round(seams(engine), 3)
    quality["seconds_per_megapixel"] = round(seconds_per_megapixel(engine), 2)
    quality["measured_on"] = devices.describe(engine.device)
    quality[f"peak_megabytes_2x_of_{arguments.largest}_px"] = round(peak_megabytes(arguments.largest))
    weights.write_card(folder, {**weights.load_card(folder), "quality": quality})
