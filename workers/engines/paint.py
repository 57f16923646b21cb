"""Kind ``paint``: a prompt, a seed, and up to sixteen paintings.

The prompt becomes words and the words a condition; the painter composes small pictures from it and from
chance, of which the best are kept, refined, given a palette, and finished large. All pictures of all tasks of
a batch go through the networks in chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from PIL import Image, UnidentifiedImageError

from workers import device as devices
from workers import images
from workers.engines.base import InvalidRequest, JobCanceled, JobReleased, Picture, Result, Task, TooLarge
from workers.engines.language.prompt_lexicon import Understood
from workers.engines.painting.colour_transfer import palette_of, with_palette
from workers.engines.painting.cropping import ASPECTS, best_place, window
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import Atelier, open_atelier
from workers.engines.painting.refinement import refine
from workers.engines.painting.rendering import Canvas, Order, chunks, compose_all, finish_all, size_of

MOST = 16
MOST_CANDIDATES = 8
MOST_REFINE = 60
REFINE_WORK = 6  # a step of refining takes about as long as composing six pictures
REFINE_STREAM = 4096  # added to a picture's index: the looks of refining have random numbers of their own
PREVIEW_EVERY = 3  # steps of refining


@dataclass(slots=True, eq=False, kw_only=True)
class _Wish(Order):
    """One task's request, understood."""

    understood: Understood
    text: torch.Tensor  # (1, E)
    condition: torch.Tensor  # (1, K)
    palette: torch.Tensor | None  # (M, 3)
    truncation: float
    count: int
    candidates: int
    refine: int
    size: int
    aspect: str


class PaintEngine:
    """Paintings of landscapes, seascapes and cities from English or Chinese words."""

    kind: ClassVar[str] = "paint"
    batch_size: ClassVar[int] = 8
    stall_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Load the painter and its helpers. Raises :class:`workers.weights.WeightsError`."""
        self.atelier: Atelier = open_atelier()
        self.device = self.atelier.device
        self.model_name = self.atelier.name
        self.model_digest = self.atelier.digest

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Every prompt can share a pass with every other."""
        return "paint"

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        wishes: list[_Wish | Result] = []
        for task in tasks:
            try:
                wishes.append(self._understand(task))
            except (InvalidRequest, JobCanceled, JobReleased) as reason:
                wishes.append(Result(error=reason))
        asked = [wish for wish in wishes if isinstance(wish, _Wish)]
        try:
            canvases = self._compose(asked)
            for wish in asked:
                self._refine(wish, [canvas for canvas in canvases if canvas.order is wish])
            self._colour(canvases)
            finish_all(self.atelier, canvases, self._finished)
        except torch.OutOfMemoryError as error:
            if len(tasks) > 1:
                raise
            return [Result(error=TooLarge(str(error)))]
        return [wish if isinstance(wish, Result) else wish.result() for wish in wishes]

    def _understand(self, task: Task) -> _Wish:
        given = task.parameters
        numbers = _numbers(given)
        size, palette = size_of(task), _palette(task)
        task.report.phase("composing")
        matching = self.atelier.matching
        understood = matching.read(str(given.get("prompt") or ""))
        task.report.note("understood", segments=_segments(understood))
        wish = _Wish(
            task,
            understood=understood,
            text=matching.texts([understood.words]),
            condition=matching.conditions([understood.words]),
            palette=palette,
            size=size,
            **numbers,
        )
        each = wish.candidates + wish.refine * REFINE_WORK + self.atelier.cost(size)
        wish.steps = wish.count * (each + (palette is not None))
        return wish

    def _compose(self, wishes: Sequence[_Wish]) -> list[Canvas]:
        """The best of each picture's candidates."""
        drafts = [
            Canvas(wish, index, self._latent(wish, index + MOST * candidate), wish.size)
            for wish in wishes
            for index in range(wish.count)
            for candidate in range(wish.candidates)
        ]
        best: dict[tuple[int, int], Canvas] = {}

        def composed(canvas: Canvas, picture: torch.Tensor) -> None:
            wish = canvas.order
            assert isinstance(wish, _Wish)
            canvas.composed = picture
            self._judge(wish, canvas)
            place = (id(wish), canvas.index)
            # The first of equals stays: without words to fit, that is the first.
            if place in best and canvas.details.get("fit", 0.0) <= best[place].details.get("fit", 0.0):
                canvas.composed = None
                return
            best[place] = canvas
            wish.task.report.preview(images.to_image(picture), canvas.index)

        compose_all(self.atelier, drafts, composed)
        return list(best.values())

    def _latent(self, wish: _Wish, index: int) -> Latent:
        z = self.atelier.draw(wish.task.seed, index)[None] * wish.truncation
        styles = self.atelier.styles(z, self.atelier.subjects(wish.condition))
        return Latent.of(styles[0], wish.task.seed, index)

    def _score(self, wish: _Wish) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """How well pictures (N, 3, S, S) fit the prompt; None when no word was understood."""
        words = wish.understood.words
        if not words:
            return None
        return lambda pictures: self.atelier.matching.fit(pictures.to(self.device), [words]).cpu()

    def _judge(self, wish: _Wish, canvas: Canvas) -> None:
        score = self._score(wish)
        if score is not None and canvas.composed is not None:
            canvas.details["fit"] = round(float(score(canvas.composed[None])), 4)

    def _refine(self, wish: _Wish, canvases: Sequence[Canvas]) -> None:
        if not (wish.refine and wish.open):
            return
        wish.task.report.phase("refining")
        for chunk in chunks(canvases, self.atelier.chunk):

            def step(number: int, pictures: torch.Tensor, chunk: list[Canvas] = chunk) -> bool:
                if number % PREVIEW_EVERY == 1:
                    for canvas, picture in zip(chunk, pictures, strict=True):
                        wish.task.report.preview(images.to_image(picture), canvas.index)
                return wish.advance(REFINE_WORK * len(chunk))

            found = refine(
                self.atelier,
                [canvas.latent for canvas in chunk],
                wish.text.expand(len(chunk), -1),
                wish.refine,
                [devices.generator(wish.task.seed, REFINE_STREAM + canvas.index) for canvas in chunk],
                step,
            )
            if wish.error is not None:
                return
            pictures = self.atelier.compose_latents(found).cpu()
            for canvas, latent, picture in zip(chunk, found, pictures, strict=True):
                canvas.latent, canvas.composed = latent, picture
                self._judge(wish, canvas)
                wish.task.report.preview(images.to_image(picture), canvas.index)

    def _colour(self, canvases: Sequence[Canvas]) -> None:
        for canvas in canvases:
            wish = canvas.order
            assert isinstance(wish, _Wish)
            if wish.open and wish.palette is not None and canvas.composed is not None:
                canvas.composed = with_palette(canvas.composed, wish.palette)
                wish.task.report.preview(images.to_image(canvas.composed), canvas.index)
                wish.advance()

    def _finished(self, canvas: Canvas, image: Image.Image) -> None:
        wish = canvas.order
        assert isinstance(wish, _Wish)
        assert canvas.composed is not None
        place = best_place(canvas.composed, wish.aspect, self._score(wish))
        image = image.crop(window(image.width, wish.aspect, place))
        canvas.details |= {
            "words": list(wish.understood.words),
            "understood": _segments(wish.understood),
            "seed": wish.task.seed,
            "index": canvas.index,
            "truncation": wish.truncation,
            "width": image.width,
            "height": image.height,
            "latent": canvas.latent.to_details(self.atelier.painter_digest),
        }
        wish.outputs.append(Picture(image, canvas.details))


def _segments(understood: Understood) -> list[dict[str, Any]]:
    """The prompt piece by piece, JSON-safe: with the words of what was understood, or the nearest term."""
    return [
        {"text": segment.text}
        | ({"words": list(segment.words)} if segment.words else {})
        | ({"nearest": segment.nearest} if segment.nearest is not None else {})
        for segment in understood.segments
    ]


def _numbers(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for beside the prompt and the pictures. Raises InvalidRequest."""
    count, candidates = int(given.get("count", 1)), int(given.get("candidates", 1))
    truncation, steps = float(given.get("truncation", 0.8)), int(given.get("refine", 0))
    aspect = str(given.get("aspect") or "1:1")
    if not 1 <= count <= MOST:
        raise InvalidRequest(f"count {count}", visitor=f"Ask for 1 to {MOST} paintings.")
    if not 0 < truncation <= 1:
        raise InvalidRequest(f"truncation {truncation}", visitor="Boldness must be between 0 and 1.")
    if not 1 <= candidates <= MOST_CANDIDATES:
        raise InvalidRequest(
            f"candidates {candidates}", visitor=f"The best of 1 to {MOST_CANDIDATES} can be chosen."
        )
    if not 0 <= steps <= MOST_REFINE:
        raise InvalidRequest(f"refine {steps}", visitor=f"Refining takes 0 to {MOST_REFINE} steps.")
    if aspect not in ASPECTS:
        raise InvalidRequest(f"aspect {aspect!r}", visitor="The shape must be 1:1, 3:2 or 2:3.")
    return {
        "count": count,
        "candidates": candidates,
        "truncation": truncation,
        "refine": steps,
        "aspect": aspect,
    }


def _palette(task: Task) -> torch.Tensor | None:
    if "palette" not in task.inputs:
        return None
    try:
        return palette_of(images.to_tensor(images.open_rgb(task.inputs["palette"], 512)))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise InvalidRequest(
            f"palette: {error}", visitor="The picture of the palette cannot be read."
        ) from error
