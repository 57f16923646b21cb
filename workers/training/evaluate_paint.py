"""Measures of the painter with its upscaler, as the engine runs them.

Pictures are made for captions of random training paintings at truncation 1, doubled by the
upscaler, and compared with real paintings at 128 px in teacher features.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw

from workers import images, weights
from workers.engines.base import Picture, SilentReport, Task
from workers.engines.paint import MODEL, PaintEngine
from workers.training.captions import COLOUR_LIMITS, Captioned, load_views, measured_words
from workers.training.metrics import Array, Moments, frechet, kernel_distance, pooled
from workers.training.teacher import Teacher

PROMPTS = (
    "red sunset over the sea",
    "blue sea with boats",
    "stormy sea, dark",
    "green forest",
    "autumn forest, orange",
    "winter, snow, white",
    "mountains in the style of Roerich, purple",
    "green mountain valley",
    "river in spring, by Monet",
    "water lilies, pond, by Monet",
    "yellow wheat field by Van Gogh",
    "night, moon, blue",
    "Venice, canal",
    "city street in Paris, grey",
    "church in a village",
    "bridge over a river in the fog",
    "beach, bright",
    "cliffs on the coast",
    "garden with flowers, pink",
    "Chinese ink landscape",
    "月光下的大海",
    "秋天的山水",
    "金色的麦田",
    "雪山，蓝色",
)
SEEDS = 4
SCENES = ("sea", "mountain", "forest", "city", "river", "snow", "boat", "street", "waterlily", "night", "ink")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``evaluate paint``."""
    parser.add_argument("--data", type=Path, required=True, help="training data folder")
    parser.add_argument("--cache", type=Path, default=Path("runs/paint"), help="folder of decoded pictures")
    parser.add_argument("--count", type=int, default=2000, help="pictures for the distances")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")


def ask(
    engine: PaintEngine, prompt: str, count: int, seed: int, truncation: float = 1.0
) -> list[Image.Image]:
    """``count`` pictures for ``prompt``."""
    parameters = {"prompt": prompt, "count": count, "truncation": truncation}
    (result,) = engine.run([Task(parameters, seed, SilentReport())])
    if result.error is not None:
        raise result.error
    return [output.image for output in result.outputs if isinstance(output, Picture)]


def from_captions(engine: PaintEngine, captions: npt.NDArray[np.float32], seed: int) -> torch.Tensor:
    """A picture for each caption (N, K), as uint8 (N, 3, 128, 128) so that thousands fit into memory."""
    # A rose alone is a flower.
    spoken = ["guy rose" if word == "rose" else word for word in engine.vocabulary.words]
    found = []
    for start in range(0, len(captions), 8):
        tasks = [
            Task(
                {"prompt": " , ".join(w for w, on in zip(spoken, row, strict=True) if on), "truncation": 1.0},
                seed + start + k,
                SilentReport(),
            )
            for k, row in enumerate(captions[start : start + 8])
        ]
        for result in engine.run(tasks):
            (picture,) = result.outputs
            assert isinstance(picture, Picture)
            found.append(images.to_tensor(picture.image.resize((128, 128), Image.Resampling.BOX)))
    return torch.cat(found).add(1).mul(127.5).round().to(torch.uint8)


def as_batches(pictures: torch.Tensor) -> list[torch.Tensor]:
    """uint8 (N, 3, S, S) -> float batches in [-1, 1]."""
    return [part.float().div(127.5).sub(1) for part in pictures.split(32)]  # type: ignore[no-untyped-call]


def colour_obedience(engine: PaintEngine, each: int = 8) -> dict[str, Any]:
    """For every colour word: how often the colour is measured when it is asked for, and when another is."""
    measured: dict[str, list[set[str]]] = {}
    for number, colour in enumerate(COLOUR_LIMITS):
        if colour in engine.vocabulary.index:
            pictures = ask(engine, f"{colour} landscape", each, 1000 + number)
            measured[colour] = measured_words(np.stack([np.asarray(picture) for picture in pictures]))
    table = {}
    for colour, sets in measured.items():
        others = [one for other, more in measured.items() if other != colour for one in more]
        table[colour] = {
            "asked": round(float(np.mean([colour in one for one in sets])), 2),
            "not_asked": round(float(np.mean([colour in one for one in others])), 2),
        }
    return table


def scene_obedience(
    engine: PaintEngine, teacher: Teacher, views: Captioned, each: int = 8
) -> dict[str, float]:
    """Area under the curve, per scene word: does a classifier of real paintings find the asked scene?

    The classifier (ridge regression on teacher features) was fitted to real paintings and their
    captions. 0.5 is chance: pictures that were asked for the word look no more like it than others.
    """
    names = [name for name in SCENES if name in views.words]
    mean, deviation = views.features.mean(0), views.features.std(0) + 1e-6
    x = (views.features - mean) / deviation
    y = views.captions[:, [views.words.index(name) for name in names]]
    solution = np.linalg.solve(x.T @ x + 300 * np.eye(x.shape[1]), x.T @ (y - y.mean(0)))
    scores = []
    for number, name in enumerate(names):
        batch = torch.cat([images.to_tensor(p) for p in ask(engine, name, each, 2000 + number)])
        scores.append(((pooled(teacher, [batch]) - mean) / deviation) @ solution)
    found = {}
    for k, name in enumerate(names):
        asked = scores[k][:, k]
        others = np.concatenate([score[:, k] for n, score in enumerate(scores) if n != k])
        found[name] = round(float((asked[:, None] > others[None]).mean()), 2)
    return found


def pairwise(features: Array) -> float:
    """Mean distance between different rows."""
    distances = np.sqrt(np.square(features[:, None] - features[None]).sum(-1))
    return float(distances.sum() / (len(features) * (len(features) - 1)))


def diversity(engine: PaintEngine, teacher: Teacher, real: Array) -> float:
    """Mean distance of pictures of one prompt, over that of random real paintings (of any subject)."""
    within = []
    for prompt in PROMPTS[::3]:
        batch = torch.cat([images.to_tensor(picture) for picture in ask(engine, prompt, 8, 77)])
        within.append(pairwise(pooled(teacher, [batch])))
    return float(np.mean(within)) / pairwise(real)


def sheet(engine: PaintEngine, truncation: float = 0.8, side: int = 104) -> Image.Image:
    """The prompts, three to a row, each with its pictures from left to right and its words below."""
    per_row, label, gap = 3, 14, 3
    block = SEEDS * (side + gap) + 8
    rows = -(-len(PROMPTS) // per_row)
    page = Image.new("RGB", (per_row * block, rows * (side + label + gap)), "white")
    pen = ImageDraw.Draw(page)
    for number, prompt in enumerate(PROMPTS):
        left, top = (number % per_row) * block, (number // per_row) * (side + label + gap)
        for k, picture in enumerate(ask(engine, prompt, SEEDS, 5, truncation)):
            page.paste(picture.resize((side, side), Image.Resampling.LANCZOS), (left + k * (side + gap), top))
        # The bundled font has no Chinese: such prompts are shown by the words that were understood.
        words = prompt if prompt.isascii() else "zh: " + ", ".join(engine.vocabulary.read(prompt).words)
        pen.text((left + 2, top + side + 1), words, fill="black")
    return page


def main(arguments: argparse.Namespace) -> None:
    """Measure the shipped painter, write the figures into its card and draw ``sheet.jpg`` beside it."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    engine = PaintEngine()
    teacher = Teacher(arguments.data)
    views = load_views(arguments.data, 140, teacher, arguments.cache)
    picks = np.random.default_rng(5)
    train = np.flatnonzero(~views.validation)
    order = picks.permutation(len(views.features))
    real = views.features
    chosen = picks.choice(train, arguments.count, replace=arguments.count > len(train))
    made = pooled(teacher, as_batches(from_captions(engine, views.captions[chosen], 9_000_000)))
    quality: dict[str, Any] = {
        "protocol": f"{arguments.count} pictures for captions of random training paintings, truncation 1, "
        f"doubled by the upscaler, reduced to 128 px; against all {len(real)} paintings at 128 px; "
        "mean-pooled fire9 features of SqueezeNet 1.0; Frechet distance in thousands, kernel distance on "
        "features / 1000**0.5.",
        "frechet": round(frechet(Moments.of(made), Moments.of(real)), 2),
        "kernel": round(kernel_distance(made, real[order[: arguments.count]]), 4),
        "frechet_to_held_out": round(frechet(Moments.of(made), Moments.of(real[views.validation])), 2),
        "frechet_real_to_real": round(
            frechet(Moments.of(real[order[: arguments.count]]), Moments.of(real[order[arguments.count :]])), 2
        ),
        "frechet_held_out_to_train": round(
            frechet(Moments.of(real[views.validation]), Moments.of(real[train])), 2
        ),
        "diversity_within_prompt": round(diversity(engine, teacher, real[order[:400]]), 3),
        "colour_words_found": colour_obedience(engine),
        "scene_words_auc": scene_obedience(engine, teacher, views),
    }
    ask(engine, "warm", 4, 1)
    started = time.perf_counter()
    ask(engine, "sea at night", 4, 1)
    quality["seconds_for_four"] = round(time.perf_counter() - started, 2)
    quality["seconds_for_four_on"] = (
        f"{engine.device.type}, {torch.get_num_threads()} threads, machine shared"
    )
    folder = weights.find(MODEL)
    weights.write_card(folder, {**weights.load_card(folder), "quality": quality})
    sheet(engine).save(folder / "sheet.jpg", quality=82, optimize=True)
    for name, value in quality.items():
        print(name, value)
