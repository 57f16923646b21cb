"""Measures of the generator with its matcher and upscaler, as the engines run them.

Each part is a module of ``workers.training.generator.evaluation`` and says its protocol in words. The
figures go into the generator's card, the sheet of prompts and the plots beside it; what shows training data
stays in ``--cache``.
Train the ``scene-classifier`` first. About 15 minutes on two CPU cores at 2,000 pictures.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np

from workers import weights
from workers.engines.blend import BlendEngine
from workers.engines.paint import PaintEngine
from workers.engines.painting.pipeline import MODEL
from workers.training.classifier.scene_classifier import SceneClassifier
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.setup import cache_argument, data_argument, set_threads, threads_argument
from workers.training.generator.evaluation import (
    distribution,
    loop_evenness,
    plots,
    prompt_fidelity,
    reproducibility,
    sheets,
    speed,
)
from workers.training.generator.evaluation.prompts import SHEET
from workers.training.generator.evaluation.sampling import Pictures, ask, for_captions, shuffled_words
from workers.training.matcher.captions import load_views

PARTS = ("likeness", "fidelity", "variety", "bridges", "replay", "speed", "sheet", "plots")
SEEDS = 4
"""Pictures for each prompt of the sheet."""
PLOT_LIMIT = 300_000
"""Bytes that a plot may have in the repository."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of ``evaluate paint``."""
    parser.epilog = __doc__
    data_argument(parser)
    cache_argument(parser)
    parser.add_argument(
        "--scene-classifier",
        type=Path,
        default=Path("runs/scene-classifier"),
        help="run folder of the scene classifier",
    )
    parser.add_argument("--log", type=Path, nargs="*", default=[], help="log.jsonl of each training stage")
    parser.add_argument("--count", type=int, default=2000, help="pictures for the distances")
    parser.add_argument("--each", type=int, default=4, help="pictures for each prompt")
    parser.add_argument(
        "--before", type=Path, help="an earlier version's pictures (uint8 .npy) to measure beside"
    )
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="parts to measure")
    threads_argument(parser)


class Evaluation:
    """Everything that the parts share; each part returns figures for the card."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.folder = weights.find(MODEL)
        self.engine = PaintEngine()
        self.teacher = Teacher(arguments.data).to(self.engine.device)
        try:
            self.scenes = SceneClassifier.load(arguments.scene_classifier, self.engine.device)
        except FileNotFoundError as error:
            raise SystemExit(
                f"no checkpoint in {arguments.scene_classifier}: train a `scene-classifier` first"
            ) from error
        arguments.cache.mkdir(parents=True, exist_ok=True)
        self.views = load_views(arguments.data, 140, self.teacher, arguments.cache)
        self.of_prompts: dict[Any, Pictures] | None = None

    def read(self, prompt: str) -> tuple[str, ...]:
        return tuple(self.engine.pipeline.matcher.read(prompt).words)

    def likeness(self) -> dict[str, Any]:
        reference = distribution.Reference.split(self.views, self.arguments.count)
        known = [
            k
            for k, word in enumerate(self.views.words)
            if word in self.engine.pipeline.matcher.vocabulary.words
        ]
        captions = self.views.captions[reference.asked][:, known]
        texts = shuffled_words(captions, [self.views.words[k] for k in known], 9)
        made = for_captions(self.engine.pipeline, texts, 9_000_000)
        figures, features = distribution.likeness(made, reference, self.teacher, self.scenes)
        sheet = self.arguments.cache / "closest-pairs.jpg"
        memorised = distribution.memorisation_figures(made, features, reference, self.teacher, sheet)
        found = {"likeness": figures, "memorisation": memorised}
        if self.arguments.before:
            before, _ = distribution.likeness(
                np.load(self.arguments.before), reference, self.teacher, self.scenes
            )
            found["before"] = {
                name: before[name]
                for name in before
                if name == "made" or name.startswith(("frechet_to", "scene_classifier"))
            }
        return found

    def fidelity(self) -> dict[str, Any]:
        figures, self.of_prompts = prompt_fidelity.measure(
            self.engine, self.engine.pipeline.matcher, self.scenes, self.views, self.arguments.each
        )
        return {"fidelity": figures}

    def variety(self) -> dict[str, Any]:
        if self.of_prompts is None:
            self.of_prompts = prompt_fidelity.pictures_of(self.engine, "english", self.arguments.each)
        pictures = [
            picture.image
            for number, prompt in enumerate(SHEET)
            for picture in ask(self.engine, prompt, SEEDS, 5)
        ]
        reference = distribution.Reference.split(self.views, self.arguments.count)
        shown = sheets.as_pictures(pictures)
        return {
            "variety": distribution.variety(self.of_prompts, shown, reference, self.teacher, self.read),
        }

    def bridges(self) -> dict[str, Any]:
        return {"bridges": loop_evenness.measure(self.engine, BlendEngine(), self.teacher)}

    def replay(self) -> dict[str, Any]:
        return {"replay": reproducibility.measure(self.engine)}

    def speed(self) -> dict[str, Any]:
        return {"speed": speed.measure(self.engine)}

    def sheet(self) -> dict[str, Any]:
        rows = [
            (prompt, [picture.image for picture in ask(self.engine, prompt, SEEDS, 5, size=512)])
            for prompt in SHEET
        ]
        page = sheets.draw_sheet(rows, self.read)
        page.save(self.folder / "sheet.jpg", quality=82, optimize=True)
        return {}

    def plots(self) -> dict[str, Any]:
        quality = weights.load_card(self.folder)["quality"]
        drawn = []
        if self.arguments.log and plots.curves(self.arguments.log, self.folder / "training.png"):
            drawn.append("training.png")
        for name, draw in (("fidelity", plots.fidelity), ("speed", plots.speed)):
            if name in quality:
                draw(quality[name], self.folder / f"{name}.png")
                drawn.append(f"{name}.png")
        for name in drawn:
            if (self.folder / name).stat().st_size > PLOT_LIMIT:
                raise SystemExit(f"{self.folder / name} is too large for the repository")
        return {}


def main(arguments: argparse.Namespace) -> None:
    """Measure the generator that would be loaded and write each part into its card once it is known."""
    set_threads(arguments)
    evaluation = Evaluation(arguments)
    for part in PARTS:
        if part not in arguments.only:
            continue
        began = time.perf_counter()
        found: dict[str, Any] = getattr(evaluation, part)()
        card = weights.load_card(evaluation.folder)
        # Figures of earlier protocols do not stay beside new ones.
        kept = {name: value for name, value in card["quality"].items() if isinstance(value, dict)}
        weights.write_card(evaluation.folder, {**card, "quality": {**kept, **found}})
        print(f"{part}: {time.perf_counter() - began:.0f} s", flush=True)
        for name, value in found.items():
            print(name, value, flush=True)
