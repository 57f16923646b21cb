"""Measure the style transfer engine beside a pixel optimisation, time it, draw its sheet and thumbnails.

Everything goes through the engine as it ships, so sizing, margins and colours are measured too. A hundred
optimisations of 300 steps take an hour on two cores: with ``--cache`` they are made once, and a measurement
that was stopped goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workers import device as devices
from workers import images, weights
from workers.engines.paint import PaintEngine
from workers.engines.restyle import MODEL, RestyleEngine
from workers.training.common import data
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.setup import data_argument
from workers.training.generator.evaluation.sampling import ask
from workers.training.style_transfer.optimisation_baseline import (
    PROTOCOL,
    NamedPicture,
    OptimisationBaseline,
    compare,
    peak_megabytes,
    seams,
    seconds,
)

SHEET_STYLES = (
    "starry_night",
    "great_wave",
    "scream",
    "composition_vii",
    "klimt_kiss",
    "grande_jatte",
    "udnie",
    "red_balloon",
    "wheatstacks",
    "irises",
)
PROMPTS = (
    "mountain lake at sunset",
    "snowy village street in winter",
    "stormy sea with a boat",
    "forest path in autumn",
    "river with a bridge in summer",
    "garden with flowers, Monet",
)
THUMBNAIL = 160
TILE = 132
"""Side of a picture on the sheet, px."""
SPEEDS = (512, 1024, 2048)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``evaluate restyle``."""
    parser.epilog = __doc__
    data_argument(parser)
    parser.add_argument("--side", type=int, default=256, help="px of the measured squares")
    parser.add_argument("--steps", type=int, default=300, help="steps of the pixel optimisation")
    parser.add_argument("--photos", type=int, default=10)
    parser.add_argument("--styles", type=int, default=10, help="validation paintings as styles")
    parser.add_argument("--each", type=int, help="photographs for each style, in turn (default: all of them)")
    parser.add_argument("--ready", type=int, default=0, help="ready styles to measure as well")
    parser.add_argument("--cache", type=Path, help="folder of optimisations that were made before")
    parser.add_argument("--largest", type=int, default=2048, help="side at which memory is measured, px")
    parser.add_argument("--thumbnails", type=Path, help="paint a thumbnail of each style into this folder")
    parser.add_argument("--sheet-only", action="store_true", help="draw, do not measure")
    parser.add_argument("--no-sheet", action="store_true", help="measure, do not draw")


def photographs(folder: Path, count: int, side: int) -> list[NamedPicture]:
    """Validation photographs, spread over the collection."""
    entries = [entry for entry in data.photos(folder) if data.is_validation(entry[1])]
    return _squares(folder, entries, count, side)


def unseen_styles(folder: Path, count: int, side: int) -> list[NamedPicture]:
    """Validation paintings, spread over the collection."""
    rows = [p for p in data.paintings(folder) if data.is_validation(p.file)]
    large = [p for p in rows if "large" in p.shard]
    return _squares(folder, [(p.shard, p.file) for p in large or rows], count, side)


def _squares(folder: Path, entries: list[tuple[str, str]], count: int, side: int) -> list[NamedPicture]:
    chosen = [entries[n] for n in np.linspace(0, len(entries) - 1, min(count, len(entries))).astype(int)]
    squares = data.load_squares(folder, chosen, side)
    return [
        NamedPicture(name, Image.fromarray(square)) for (_, name), square in zip(chosen, squares, strict=True)
    ]


def ready_styles(folder: Path, engine: RestyleEngine, count: int, side: int) -> list[NamedPicture]:
    """Pictures of ready styles, whole, their long side at ``side`` px."""
    pictures = {entry.slug: entry.path for entry in data.styles(folder)}
    known = [slug for slug in engine.styles if slug in pictures]
    chosen = [known[n] for n in np.linspace(0, len(known) - 1, min(count, len(known))).astype(int)]
    found = []
    for slug in chosen:
        with Image.open(pictures[slug]) as picture:
            found.append(NamedPicture(slug, images.shrink(picture.convert("RGB"), side)))
    return found


def measure(engine: RestyleEngine, arguments: argparse.Namespace) -> dict[str, object]:
    """The figures of the card's ``quality`` that need training data."""
    folder, side = arguments.data, arguments.side
    baseline = OptimisationBaseline(Teacher(folder).to(engine.device), arguments.steps, arguments.cache)
    contents = photographs(folder, arguments.photos, side)
    quality: dict[str, object] = {}
    sets = {"unseen": unseen_styles(folder, arguments.styles, side)}
    if arguments.ready:
        sets["ready"] = ready_styles(folder, engine, arguments.ready, side)
    for name, styles in sets.items():
        which = "ready styles" if name == "ready" else "validation paintings that the network never saw"
        quality[name] = {
            "protocol": PROTOCOL.format(
                photos=len(contents),
                styles=len(styles),
                which=which,
                pairs=len(styles) * min(len(contents), arguments.each or len(contents)),
                side=side,
                steps=arguments.steps,
            ),
            **compare(engine, baseline, contents, styles, ready=name == "ready", each=arguments.each),
        }
    return quality


def costs(engine: RestyleEngine, largest: int) -> dict[str, object]:
    """Seams, seconds and memory."""
    return {
        "seams": seams(engine),
        **{f"seconds_{side}px": round(seconds(engine, side, 3), 2) for side in SPEEDS if side <= largest},
        f"peak_megabytes_{largest}px_finest_brush": round(peak_megabytes(largest)),
        "threads": torch.get_num_threads(),
        "measured_on": devices.describe(engine.device),
    }


def contents(size: int = 192) -> list[Image.Image]:
    """Ten squares: public-domain samples of scikit-image, and paintings of our own generator."""
    return [data.square(picture, size) for picture in (*data.sample_pictures(512), *own_paintings())]


def own_paintings() -> list[Image.Image]:
    """Six pictures of the shipped painting generator."""
    engine = PaintEngine()
    found = []
    for prompt in PROMPTS:
        (picture,) = ask(engine, prompt, 1, seed=11, truncation=0.6, size=512)
        found.append(picture.image)
    return found


def sheet(engine: RestyleEngine, pictures: list[Image.Image]) -> Image.Image:
    """Pictures (rows, the content first) in ten styles, shown small."""
    slugs = [slug for slug in SHEET_STYLES if slug in engine.styles] or list(engine.styles)
    tiles = []
    for content in pictures:
        row = [content, *(engine.paint(content, engine.code(slug)) for slug in slugs)]
        tiles += [picture.resize((TILE, TILE), Image.Resampling.LANCZOS) for picture in row]
    return images.contact_sheet(tiles, len(slugs) + 1)


def thumbnails(engine: RestyleEngine, folder: Path) -> None:
    """One small WebP for each ready style, of a public-domain photograph."""
    folder.mkdir(parents=True, exist_ok=True)
    content = data.square(data.sample_pictures(512)[data.SAMPLES.index("chelsea")], 200)
    for slug in engine.styles:
        painted = engine.paint(content, engine.code(slug))
        painted.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS).save(
            folder / f"{slug}.webp", quality=78, method=6
        )


def main(arguments: argparse.Namespace) -> None:
    """Measure, draw, and write the figures into the card."""
    engine = RestyleEngine()
    folder = weights.find(MODEL)
    if not arguments.no_sheet:
        sheet(engine, contents(384)).save(folder / "sheet.jpg", quality=76, optimize=True)
    if arguments.thumbnails:
        thumbnails(engine, arguments.thumbnails)
    if arguments.sheet_only:
        return
    quality = {**measure(engine, arguments), **costs(engine, arguments.largest)}
    weights.write_card(folder, {**weights.load_card(folder), "quality": quality})
