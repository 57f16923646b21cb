"""Kind ``paint``: a prompt, a seed, and up to sixteen paintings.

A painter composes the pictures from words and chance, an upscaler doubles them and gives them
brushwork. All pictures of all tasks of a batch go through both in chunks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch

from workers import device as devices
from workers import images, weights
from workers.engines.base import InvalidRequest, JobCanceled, JobReleased, Picture, Result, Task, TooLarge
from workers.engines.vocabulary import Understood, Vocabulary
from workers.nets.painter import Latents, Painter, PainterConfig, draw, without_frame
from workers.nets.upscaler import FACTOR, Upscaler, UpscalerConfig, draw_noise, enlarge

MODEL = "paint"
MOST = 16
CHUNK_CPU = 4  # pictures at once: progress and cancel stay lively, and larger chunks are no faster on a CPU
CHUNK_GPU = 32


@dataclass(slots=True)
class _Order:
    """One task, understood, and how far it is. ``error`` ends it."""

    task: Task
    understood: Understood
    condition: torch.Tensor  # (1, K)
    truncation: float
    count: int
    done: int = 0
    finished: list[Picture] = field(default_factory=list)
    error: Exception | None = None

    def advance(self) -> None:
        """One of the ``2 * count`` steps is done. Puts a cancel or a release into ``error``."""
        self.done += 1
        try:
            self.task.report.step(self.done, 2 * self.count)
        except (JobCanceled, JobReleased) as reason:
            self.error = reason


@dataclass(slots=True)
class _Canvas:
    """One picture on its way: number ``index`` of ``order``, with its own stream of random numbers."""

    order: _Order
    index: int
    generator: torch.Generator
    composed: torch.Tensor | None = None  # (3, S, S) on the CPU


class PaintEngine:
    """Paintings of landscapes, seascapes and cities from English or Chinese words."""

    kind: ClassVar[str] = "paint"
    batch_size: ClassVar[int] = 8
    stall_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Load the painter and the upscaler that its card names (``upscaler``, may be empty).

        Raises :class:`workers.weights.WeightsError`.
        """
        loaded = weights.load(MODEL)
        self.device = devices.pick()
        self.model_name = str(loaded.card["name"])
        self.model_digest = loaded.digest
        try:
            painter = Painter(PainterConfig.from_card(loaded.card["config"]))
            painter.load_state_dict(loaded.tensors)
            self.vocabulary = Vocabulary(painter.config.words)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: not a painter: {error}") from error
        self._painter = painter.eval().requires_grad_(False).to(self.device)
        self._upscaler: Upscaler | None = None
        if loaded.card.get("upscaler"):
            self._load_upscaler(str(loaded.card["upscaler"]))
        self._chunk = CHUNK_CPU if self.device.type == "cpu" else CHUNK_GPU

    def _load_upscaler(self, name: str) -> None:
        loaded = weights.load(name)
        try:
            upscaler = Upscaler(UpscalerConfig.from_card(loaded.card["config"]))
            upscaler.load_state_dict(loaded.tensors)
        except (TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: not an upscaler: {error}") from error
        channels_last = upscaler.eval().requires_grad_(False).to(memory_format=torch.channels_last)
        self._upscaler = channels_last.to(self.device)
        # Two files decide the picture, so the recipe names both in one digest.
        self.model_digest = hashlib.sha256((self.model_digest + loaded.digest).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Side of the finished pictures, px."""
        return self._painter.config.size * (FACTOR if self._upscaler else 1)

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Every prompt can share a pass with every other."""
        return "paint"

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        results: list[Result | None] = [None] * len(tasks)
        orders: dict[int, _Order] = {}
        for number, task in enumerate(tasks):
            try:
                orders[number] = self._understand(task)
            except (InvalidRequest, JobCanceled, JobReleased) as reason:
                results[number] = Result(error=reason)
        canvases = [
            _Canvas(order, index, devices.generator(order.task.seed, index))
            for order in orders.values()
            for index in range(order.count)
        ]
        try:
            self._compose_all(canvases)
            self._paint_all(canvases)
        except torch.OutOfMemoryError as error:
            if len(tasks) > 1:
                raise
            return [Result(error=TooLarge(str(error)))]
        for number, order in orders.items():
            results[number] = Result(error=order.error) if order.error else Result(tuple(order.finished))
        return [result for result in results if result is not None]

    def _understand(self, task: Task) -> _Order:
        count, truncation = (
            int(task.parameters.get("count", 1)),
            float(task.parameters.get("truncation", 0.8)),
        )
        if not 1 <= count <= MOST:
            raise InvalidRequest(f"count {count}", visitor=f"Ask for 1 to {MOST} paintings.")
        if not 0 < truncation <= 1:
            raise InvalidRequest(f"truncation {truncation}", visitor="Boldness must be between 0 and 1.")
        task.report.phase("composing")
        understood = self.vocabulary.read(str(task.parameters.get("prompt") or ""))
        if understood.unknown:
            task.report.note("unknown_words", words=list(understood.unknown))
        condition = torch.tensor([self.vocabulary.vector(understood.words)])
        return _Order(task, understood, condition, truncation, count)

    def _chunks(self, canvases: Sequence[_Canvas]) -> list[list[_Canvas]]:
        return [list(canvases[k : k + self._chunk]) for k in range(0, len(canvases), self._chunk)]

    @torch.inference_mode()
    def _compose_all(self, canvases: Sequence[_Canvas]) -> None:
        for chunk in self._chunks(canvases):
            wanted = [canvas for canvas in chunk if canvas.order.error is None]
            if not wanted:
                continue
            composed = self._compose(wanted)
            for canvas, picture in zip(wanted, composed, strict=True):
                if canvas.order.error is None:
                    canvas.composed = picture
                    canvas.order.task.report.preview(images.to_image(picture), canvas.index)
                    canvas.order.advance()

    def _compose(self, canvases: Sequence[_Canvas]) -> torch.Tensor:
        config = self._painter.config
        drawn = draw(config, [canvas.generator for canvas in canvases])
        bold = torch.tensor([canvas.order.truncation for canvas in canvases])
        latents: Latents = drawn.truncated(bold).to(self.device)
        condition = torch.cat([canvas.order.condition for canvas in canvases]).to(self.device)
        return without_frame(self._painter(condition, latents).float()).cpu()

    @torch.inference_mode()
    def _paint_all(self, canvases: Sequence[_Canvas]) -> None:
        told: set[int] = set()
        for chunk in self._chunks(canvases):
            wanted = [canvas for canvas in chunk if canvas.order.error is None]
            if not wanted:
                continue
            for canvas in wanted:
                if id(canvas.order) not in told:
                    told.add(id(canvas.order))
                    canvas.order.task.report.phase("painting")
            for canvas, picture in zip(wanted, self._enlarge(wanted), strict=True):
                order = canvas.order
                if order.error is None:
                    image = images.to_image(picture)
                    order.task.report.preview(image, canvas.index)
                    order.finished.append(Picture(image, self._details(canvas)))
                    order.advance()

    def _enlarge(self, canvases: Sequence[_Canvas]) -> torch.Tensor:
        composed = torch.stack([canvas.composed for canvas in canvases if canvas.composed is not None])
        if self._upscaler is None:
            return composed
        noise = draw_noise(composed.shape[-1], [canvas.generator for canvas in canvases])
        enlarged = enlarge(self._upscaler, composed.to(self.device), noise.to(self.device))
        return enlarged.float().cpu()

    @staticmethod
    def _details(canvas: _Canvas) -> dict[str, Any]:
        order = canvas.order
        return {
            "words": list(order.understood.words),
            "unknown_words": list(order.understood.unknown),
            "seed": order.task.seed,
            "index": canvas.index,
            "truncation": order.truncation,
        }
