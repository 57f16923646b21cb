"""Engines for tests of the machinery around them: tiny, and they do what the prompt tells them to.

``ARTSITE_ENGINES="paint=tests.toy_engines:ToyPaint"`` puts one into a real worker process. The prompt is a
list of words: ``steps=20`` (default 3), ``pause=0.1`` (seconds per step, default 0), and at the step given by
``at=N`` (default 1) one of ``fail`` (a bug), ``invalid`` (a request that the engine refuses), ``kill``
(SIGKILL to the worker), ``hang`` (for ever, without a step), ``oom`` (out of memory, however small the
batch), ``broken`` (the device is lost). ``crowd=K``: out of memory when more than K run at once.
``poison``: the whole batch fails whenever this task is in it.

The painter knows few words (``ToyPaint.WORDS``); of ``xyzzy`` it says that it does not know it. ``ToyBlend``
lays its parents over each other, ``ToyUpscale`` repeats pixels. ``ToyAnalyse`` sees the same in every
picture, and ``ToyEmbedder`` places pictures by their colours.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from tests import toy_english
from workers.engines.base import (
    Animation,
    EngineError,
    InvalidRequest,
    Output,
    Picture,
    Poem,
    Result,
    Task,
    step_all,
)


class OutOfMemoryError(RuntimeError):
    """Named like torch's."""


class Orders:
    """What a prompt tells the engine to do."""

    def __init__(self, prompt: str) -> None:
        pairs = [word.partition("=") for word in prompt.split()]
        self.words = {name for name, _, _ in pairs}
        self.values = {name: value for name, equals, value in pairs if equals}

    def number(self, name: str, default: float) -> float:
        return float(self.values.get(name, default))


class Toy:
    """One step after the other for the whole batch, as the real engines do."""

    kind: ClassVar[str]
    batch_size: ClassVar[int] = 8
    stall_seconds: ClassVar[float] = 4.0
    model_name = "toy"
    model_digest = "70" * 32

    batches: ClassVar[list[int]] = []
    """Sizes of the batches that this process has run."""

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        return "toy"

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        self.batches.append(len(tasks))
        orders = [Orders(str(task.parameters.get("prompt", ""))) for task in tasks]
        if any("poison" in one.words for one in orders):
            raise RuntimeError("poisoned")
        if any(len(tasks) > one.number("crowd", len(tasks)) for one in orders):
            raise OutOfMemoryError("no room")
        for task in tasks:
            task.report.phase("painting")
        stopped: dict[int, Exception] = {}
        steps = int(max(one.number("steps", 3) for one in orders))
        for step in range(1, steps + 1):
            time.sleep(max(one.number("pause", 0) for one in orders))
            going = step_all(tasks, stopped, step, steps)
            if not going:
                break
            for number in going:
                try:
                    self.at_step(tasks[number], orders[number], step, steps)
                except EngineError as problem:
                    stopped[number] = problem
        return [
            Result(error=stopped[number]) if number in stopped else Result(outputs=self.outputs(task))
            for number, task in enumerate(tasks)
        ]

    def at_step(self, task: Task, orders: Orders, step: int, steps: int) -> None:
        if step != orders.number("at", 1):
            return
        if "kill" in orders.words:
            os.kill(os.getpid(), signal.SIGKILL)
        if "hang" in orders.words:
            time.sleep(3600)
        if "invalid" in orders.words:
            raise InvalidRequest("told to", visitor="This cannot be made.")
        if "fail" in orders.words:
            raise RuntimeError("told to fail")
        if "oom" in orders.words:
            raise OutOfMemoryError("told to")
        if "broken" in orders.words:
            raise RuntimeError("CUDA error: told to")

    def outputs(self, task: Task) -> tuple[Output, ...]:
        raise NotImplementedError


def colour(seed: int, index: int) -> tuple[int, int, int]:
    """The colour of a toy picture: its recipe decides it."""
    mixed = (seed * 2654435761 + index * 40503) % 2**24
    return mixed >> 16, (mixed >> 8) & 255, mixed & 255


class ToyPaint(Toy):
    """Plain pictures, with a preview at each step."""

    kind = "paint"
    WORDS: ClassVar[dict[str, str]] = {"sunset": "sunset", "dusk": "sunset", "sea": "sea", "黄昏": "sunset"}

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        for task in tasks:
            if segments := self.segments(str(task.parameters.get("prompt", ""))):
                task.report.note("understood", segments=segments)
        return super().run(tasks)

    def segments(self, prompt: str) -> list[dict[str, Any]]:
        """The prompt piece by piece as a painter with a vocabulary tells it; nothing to tell: empty."""
        pieces: list[dict[str, Any]] = []
        for word in re.split(r"(\s+)", prompt):
            piece: dict[str, Any] = {"text": word}
            if word in self.WORDS:
                piece["words"] = [self.WORDS[word]]
            elif word == "xyzzy":
                piece["nearest"] = "sunset"
            pieces.append(piece)
        return pieces if any(len(piece) > 1 for piece in pieces) else []

    def at_step(self, task: Task, orders: Orders, step: int, steps: int) -> None:
        super().at_step(task, orders, step, steps)
        for index in range(int(task.parameters.get("count", 1))):
            task.report.preview(Image.new("RGB", (16, 16), colour(task.seed, index)), index)

    def outputs(self, task: Task) -> tuple[Output, ...]:
        count = int(task.parameters.get("count", 1))
        return tuple(
            Picture(
                Image.new("RGB", (32, 24), colour(task.seed, index)),
                {"toy": True, "understood": self.segments(str(task.parameters.get("prompt", "")))},
            )
            for index in range(count)
        )


class ToyBlend(Toy):
    """Parents laid over each other by their weights; a bridge fades from each to the next."""

    kind = "blend"
    SIDE = 96

    def outputs(self, task: Task) -> tuple[Output, ...]:
        parents = {
            role: self.opened(path)
            for role, path in sorted(task.inputs.items())
            if role.startswith("parent_")
        }
        if task.parameters["mode"] == "bridge":
            return (self.bridge(list(parents.values()), int(task.parameters["frames"])),)
        weights = {role: float(task.parameters[role.replace("parent", "weight")]) for role in parents}
        if task.parameters["mode"] == "mutate":
            weights = dict.fromkeys(parents, 1.0)
        total = sum(weights.values())
        shares = {role: weight / total for role, weight in weights.items()}
        mixed, so_far = Image.new("RGB", (self.SIDE, self.SIDE)), 0.0
        for role, picture in parents.items():
            so_far += shares[role]
            if so_far:
                mixed = Image.blend(mixed, picture, shares[role] / so_far)
        children = []
        for index in range(int(task.parameters["count"])):
            tint = Image.new("RGB", mixed.size, colour(task.seed, index))
            child = Image.blend(mixed, tint, 0.1 + 0.4 * float(task.parameters["mutation"]))
            task.report.preview(child.reduce(4), index)
            # What it heard of its parents, as an engine that takes their latents does.
            heard = {
                role: [work["kind"], work["model"], work["details"]] for role, work in task.works.items()
            }
            children.append(Picture(child, {"weights": shares, "heard": heard, "latent": {"toy": index}}))
        return tuple(children)

    def opened(self, path: Path) -> Image.Image:
        with Image.open(path) as image:
            return image.convert("RGB").resize((self.SIDE, self.SIDE))

    def bridge(self, pictures: list[Image.Image], frames: int) -> Animation:
        steps = frames // len(pictures)
        faded = [
            Image.blend(picture, pictures[(number + 1) % len(pictures)], step / steps)
            for number, picture in enumerate(pictures)
            for step in range(steps)
        ]
        return Animation(tuple(faded), seconds=2.0)


class ToyUpscale(Toy):
    """The picture that was brought, every pixel ``factor`` times."""

    kind = "upscale"
    batch_size = 1

    def outputs(self, task: Task) -> tuple[Output, ...]:
        factor = int(task.parameters["factor"])
        with Image.open(task.inputs["image"]) as image:
            large = (image.width * factor, image.height * factor)
            return (Picture(image.convert("RGB").resize(large, Image.Resampling.NEAREST)),)


class ToyRestyle(Toy):
    """The picture that was brought, in half its size; slowly, it goes on until somebody has enough."""

    kind = "restyle"
    batch_size = 1

    def at_step(self, task: Task, orders: Orders, step: int, steps: int) -> None:
        super().at_step(task, orders, step, steps)
        if not task.parameters.get("slow") or step < steps:
            return
        for more in range(1, int(task.parameters["steps"]) + 1):
            time.sleep(0.2)
            task.report.step(more, int(task.parameters["steps"]))
            task.report.preview(Image.new("RGB", (16, 16), colour(task.seed, more)))
            if task.report.enough():
                break

    def outputs(self, task: Task) -> tuple[Output, ...]:
        with Image.open(task.inputs["image"]) as image:
            return (Picture(image.convert("RGB").reduce(2)),)


class ToyDream(Toy):
    """The picture that was brought, or a grey one, upside down; a zoom turns it round and round."""

    kind = "dream"
    batch_size = 1

    def at_step(self, task: Task, orders: Orders, step: int, steps: int) -> None:
        super().at_step(task, orders, step, steps)
        task.report.preview(Image.new("RGB", (16, 16), colour(task.seed, step)))

    def outputs(self, task: Task) -> tuple[Output, ...]:
        image = Image.new("RGB", (64, 64), "#808080")
        if "image" in task.inputs:
            with Image.open(task.inputs["image"]) as source:
                image = source.convert("RGB").resize((64, 64))
        if task.parameters["zoom"]:
            return (Animation(tuple(image.rotate(90 * turn) for turn in range(4)), seconds=2.0),)
        return (Picture(image.rotate(180)),)


class ToyAnalyse(Toy):
    """The picture that was brought; of what it shows, always the same. Each class has its own warm place."""

    kind = "analyse"
    batch_size = 1
    HEADS = {
        "style": {"Impressionism": 0.63, "Post-Impressionism": 0.21, "Realism": 0.07},
        "painter": {"Claude Monet": 0.48, "Alfred Sisley": 0.2, "Camille Pissarro": 0.11},
        "genre": {"landscape": 0.82, "cityscape": 0.12},
    }
    PALETTE = (("#7a8c99", "slate blue", 0.41), ("#d9c9a3", "sand", 0.33), ("#2f3b2f", "dark green", 0.26))

    def outputs(self, task: Task) -> tuple[Output, ...]:
        with Image.open(task.inputs["image"]) as source:
            image = source.convert("RGB")
        image.thumbnail((1024, 1024))
        return (Picture(image, {"analysis": self.analysis()}, generated=False),)

    def analysis(self) -> dict[str, Any]:
        """What the engine of this kind tells (format 1)."""
        return {
            "format": 1,
            "heads": {
                head: [{"label": label, "share": share} for label, share in shares.items()]
                for head, shares in self.HEADS.items()
            },
            "known": 0.93,
            "unlike": False,
            "maps": {
                head: [self.map_of(row, column) for column in range(len(shares))]
                for row, (head, shares) in enumerate(self.HEADS.items())
            },
            "near": [
                {"title": "Sunrise by the Sea", "artist": "Claude Monet", "likeness": 0.81},
                {"title": "The Flood", "artist": "Alfred Sisley", "likeness": 0.7},
                {"title": "", "artist": "", "likeness": 0.6},
            ],
            "palette": [
                {"colour": colour, "name": name, "share": share} for colour, name, share in self.PALETTE
            ],
            "composition": {
                "brightness": 0.55,
                "contrast": 0.31,
                "saturation": 0.2,
                "symmetry": 0.7,
                "horizon": 0.4,
            },
            "reading": {"genre": "landscape", "light": "bright", "season": None, "objects": ["sea"]},
        }

    def map_of(self, row: int, column: int) -> dict[str, Any]:
        """A warm place that moves with the head and the class."""
        width, height = 12, 9
        across, down = 2.0 + 3.5 * column, 1.5 + 2.5 * row
        cells = bytes(
            round(255 * 2 ** -(((x - across) ** 2 + (y - down) ** 2) / 4))
            for y in range(height)
            for x in range(width)
        )
        return {"width": width, "height": height, "cells": base64.b64encode(cells).decode()}


class ToyEmbedder:
    """Places pictures by the colours and greys of 64 fields: copies lie together. ``ARTSITE_SEEING``."""

    digest = "5e" * 32

    def embed(self, pictures: Sequence[Image.Image]) -> list[list[float]]:
        return [self.place(picture) for picture in pictures]

    def place(self, picture: Image.Image) -> list[float]:
        small = picture.convert("RGB").resize((8, 8), Image.Resampling.BOX)
        return [value - 127.5 for value in small.tobytes() + small.convert("L").tobytes()]


class ToyVerse(Toy):
    """A quatrain that appears character by character, or an English poem of any form line by line."""

    kind = "verse"
    LINES = ("春眠不觉晓", "处处闻啼鸟", "夜来风雨声", "花落知多少")

    def at_step(self, task: Task, orders: Orders, step: int, steps: int) -> None:
        super().at_step(task, orders, step, steps)
        text = "\n".join(self.lines(task))
        shown = step * len(text) // steps
        if toy_english.is_english(task.parameters) and step < steps:
            shown = max(text.rfind("\n", 0, shown), 0)
        task.report.text(text[:shown])

    def lines(self, task: Task) -> tuple[str, ...]:
        return toy_english.lines_of(task.parameters) or self.LINES

    def outputs(self, task: Task) -> tuple[Output, ...]:
        if toy_english.is_english(task.parameters):
            lines = self.lines(task)
            title = str(task.parameters.get("prompt", "")).partition("steps=")[0].strip() or lines[0]
            return (Poem(lines, title=title, details=toy_english.details_of(task.parameters, lines)),)
        return (Poem(self.LINES, title="春晓", details=self.details()),)

    def details(self) -> dict[str, Any]:
        """As the verse engine tells how a poem was made."""
        return {
            "form": "5jueju",
            "pattern": "平起首句不入韵",
            "rhyme": "十七筱",
            "craft": {
                "format": 1,
                "tones": ["平平仄仄仄", "仄仄平平仄", "仄平平仄平", "平仄平平仄"],
                "marks": ["中平平仄仄", "中仄仄平韵", "中仄平平仄", "平平中仄韵"],
                "given": [0],
                "breaches": {"tone": [2, 19], "rhyme": [], "repeat": []},
                "options": [[["山", 0.41], ["风", 0.2], ["雨", 0.004]] for _ in "".join(self.LINES)],
                "pinyin": [["chūn", "mián", "bù", "jué", "xiǎo"], *[["yī"] * 5] * 3],
                "relaxed": [{"code": "given_tones", "characters": "春"}],
                "first_written": 0,
            },
        }


class BrokenToy(Toy):
    """Cannot be loaded: its driver is missing."""

    kind = "paint"

    def __init__(self) -> None:
        raise OSError("libcuda.so.1: cannot open shared object file")


ALL = ",".join(
    f"{kind}=tests.toy_engines:Toy{kind.capitalize()}"
    for kind in ("paint", "blend", "upscale", "restyle", "dream", "analyse", "verse")
)
