"""Measure the style transfer engine beside a pixel optimisation, time it, draw its sheet and thumbnails.

Everything goes through the engine as it ships, so sizing, margins and colours are measured too.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workers import images, weights
from workers.engines.base import Picture, SilentReport, Task
from workers.engines.restyle import MODEL, RestyleEngine
from workers.training import data
from workers.training.restyle import CONTENT_LAYER, SAMPLES, STYLE_LAYERS, sample_pictures, variation
from workers.training.teacher import Teacher, gram

SHEET_STYLES = (
    "starry_night",
    "great_wave",
    "scream",
    "composition_vii",
    "klimt_kiss",
    "grande_jatte",
    "udnie",
    "red_balloon",
)
FAMOUS = ("starry_night", "great_wave", "composition_vii", "wheatstacks")
PROTOCOL = (
    "Validation photographs ({pictures}), each in two of the shipped styles and two validation paintings "
    "that the network never saw, painted and compared at {side} px. Style: sum over conv1, fire2, fire4, "
    "fire5, fire6 and fire7 of the teacher of the Gram matrix's squared difference over the style's "
    "squared norm; content: fire5, squared difference over mean square. Each ratio is the mean of the "
    "engine's results over the mean of a pixel optimisation that starts from the photograph ({steps} steps "
    "of Adam at 0.02; content 0.25, variation 0.3)."
)
THUMBNAIL = 160


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``evaluate restyle``."""
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--side", type=int, default=256, help="long side of the measured pictures in px")
    parser.add_argument("--steps", type=int, default=150, help="steps of the pixel optimisation")
    parser.add_argument("--pictures", type=int, default=4, help="photographs, and styles for each of them")
    parser.add_argument("--thumbnails", type=Path, help="paint a thumbnail of each style into this folder")
    parser.add_argument("--sheet-only", action="store_true", help="draw, do not measure")


def losses(
    found: dict[str, torch.Tensor], styles: dict[str, torch.Tensor], content: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Style and content loss of PROTOCOL; ``styles`` are Gram matrices by layer."""
    style = torch.zeros(())
    for name in STYLE_LAYERS:
        style = style + (gram(found[name]) - styles[name]).pow(2).sum() / styles[name].pow(2).sum()
    return style, (found[CONTENT_LAYER] - content).pow(2).mean() / content.pow(2).mean()


def compare(
    teacher: Teacher, content: torch.Tensor, style: torch.Tensor, result: torch.Tensor, steps: int
) -> list[float]:
    """Style and content loss of ``result`` and of a pixel optimisation, and the content's own style loss."""
    with torch.no_grad():
        kept = teacher(content, STYLE_LAYERS)
        wanted = {name: gram(found) for name, found in teacher(style, STYLE_LAYERS).items()}
        got = losses(teacher(result, STYLE_LAYERS), wanted, kept[CONTENT_LAYER])
        untouched = losses(kept, wanted, kept[CONTENT_LAYER])[0]
    pixels = content.clone().requires_grad_(True)
    # 0.02 of [0, 1] is 0.04 of [-1, 1]; the variation weight halves for the same reason.
    optimiser = torch.optim.Adam([pixels], 0.04)
    for _ in range(steps):
        style_error, content_error = losses(teacher(pixels, STYLE_LAYERS), wanted, kept[CONTENT_LAYER])
        optimiser.zero_grad()
        (style_error + 0.25 * content_error + 0.15 * variation(pixels)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        pixels.data.clamp_(-1, 1)
    with torch.no_grad():
        best = losses(teacher(pixels, STYLE_LAYERS), wanted, kept[CONTENT_LAYER])
    return [float(value) for value in (*got, *best, untouched)]


def measure(engine: RestyleEngine, arguments: argparse.Namespace) -> dict[str, object]:
    """The figures of the card's ``quality``."""
    folder = arguments.data
    teacher = Teacher(folder)
    count = arguments.pictures
    photos = [entry for entry in data.photos(folder) if data.is_validation(entry[1])][:count]
    unseen = [
        p for p in data.paintings(folder) if data.is_validation(p.file) and p.shard.endswith("large-0.zip")
    ]
    famous = {entry.slug: entry.path for entry in data.styles(folder)}
    rows: dict[str, list[list[float]]] = {"shipped": [], "unseen": []}
    spread = np.linspace(0, len(unseen) - 1, 2 * count).astype(int)
    for number, square in enumerate(data.load_squares(folder, photos, arguments.side)):
        content = Image.fromarray(square)
        for turn in range(2):
            slug = FAMOUS[(2 * number + turn) % len(FAMOUS)]
            with Image.open(famous[slug]) as picture:
                style = images.shrink(picture.convert("RGB"), arguments.side)
            result = engine.paint(content, engine.code(slug))
            rows["shipped"].append(_compare(teacher, content, style, result, arguments.steps))
            painting = unseen[spread[2 * number + turn]]
            style = Image.fromarray(
                data.load_squares(folder, [(painting.shard, painting.file)], arguments.side)[0]
            )
            result = engine.paint(content, engine.encode(style))
            rows["unseen"].append(_compare(teacher, content, style, result, arguments.steps))
            print(number, turn, rows["shipped"][-1], rows["unseen"][-1], flush=True)
    quality: dict[str, object] = {
        "protocol": PROTOCOL.format(side=arguments.side, steps=arguments.steps, pictures=count)
    }
    for name, values in rows.items():
        mean = np.array(values).mean(0)
        quality[f"{name}_style_ratio"] = round(float(mean[0] / mean[2]), 2)
        quality[f"{name}_content_ratio"] = round(float(mean[1] / mean[3]), 2)
        quality[f"{name}_style_ratio_of_the_untouched_photograph"] = round(float(mean[4] / mean[2]), 2)
    return quality


def _compare(
    teacher: Teacher, content: Image.Image, style: Image.Image, result: Image.Image, steps: int
) -> list[float]:
    a, b, c = (images.to_tensor(picture) for picture in (content, style, result))
    return compare(teacher, a, b, c, steps)


def speed(engine: RestyleEngine, side: int = 512, times: int = 5) -> float:
    """Median seconds of one square picture of ``side`` px, all threads, no previews."""
    content = sample_pictures(side)[0].resize((side, side))
    found = []
    for _ in range(times):
        start = time.perf_counter()
        engine.paint(content, engine.code(engine.styles[0]))
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def contents(size: int = 192) -> list[Image.Image]:
    """Six squares: public-domain samples of scikit-image, and two paintings of our own generator."""
    return [data.square(picture, size) for picture in (*sample_pictures(512), *own_paintings())]


def own_paintings() -> list[Image.Image]:
    """Two pictures of the shipped painting generator."""
    from workers.engines.paint import PaintEngine

    prompts = ("mountain lake at sunset", "snowy village street in winter")
    engine = PaintEngine()
    found = []
    for prompt in prompts:
        parameters = {"prompt": prompt, "count": 1, "truncation": 0.6}
        (result,) = engine.run([Task(parameters=parameters, seed=11, report=SilentReport())])
        if result.error is not None:
            raise result.error
        output = result.outputs[0]
        assert isinstance(output, Picture)
        found.append(output.image)
    return found


def sheet(engine: RestyleEngine) -> Image.Image:
    """Six pictures (rows, the content first) in eight styles, painted at 384 px and shown small."""
    tiles = []
    for content in contents(384):
        row = [content, *(engine.paint(content, engine.code(slug)) for slug in SHEET_STYLES)]
        tiles += [picture.resize((144, 144), Image.Resampling.LANCZOS) for picture in row]
    return images.contact_sheet(tiles, len(SHEET_STYLES) + 1)


def thumbnails(engine: RestyleEngine, folder: Path) -> None:
    """One small WebP for each shipped style, of a public-domain photograph."""
    folder.mkdir(parents=True, exist_ok=True)
    content = data.square(sample_pictures(512)[SAMPLES.index("chelsea")], 200)
    for slug in engine.styles:
        painted = engine.paint(content, engine.code(slug))
        painted.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS).save(
            folder / f"{slug}.webp", quality=78, method=6
        )


def main(arguments: argparse.Namespace) -> None:
    """Measure, draw, and write the figures into the card."""
    engine = RestyleEngine()
    folder = weights.find(MODEL)
    sheet(engine).save(folder / "sheet.jpg", quality=76, optimize=True)
    if arguments.thumbnails:
        thumbnails(engine, arguments.thumbnails)
    if arguments.sheet_only:
        return
    quality = {"seconds_512px": round(speed(engine), 2), "threads": torch.get_num_threads()}
    card = weights.load_card(folder)
    weights.write_card(folder, {**card, "quality": {**measure(engine, arguments), **quality}})
