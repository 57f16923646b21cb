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
from workers.engines.painting.cropping import best_place, window
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import Atelier, open_atelier
from workers.engines.painting.refinement import refine
from workers.engines.painting.rendering import Canvas, Order, chunks, compose_all, finish_all
from workers.engines.request import Request

CANDIDATE_STREAM = (
    16  # added to a picture's index for each further candidate: more than pictures of a request
)
REFINE_WORK = 6  # a step of refining takes about as long as composing six pictures
REFINE_STREAM = 4096  # added to a picture's index: the looks of refining have random numbers of their own
PREVIEW_EVERY = 3  # steps of refining


@dataclass(frozen=True, slots=True)
class PaintRequest(Request):
    """The parameters of ``paint``; ``size`` is the side in px, ``aspect`` a key of ``cropping.ASPECTS``."""

    prompt: str
    count: int
    truncation: float
    size: str
    aspect: str
    candidates: int
    refine: int


@dataclass(slots=True, eq=False, kw_only=True)
class _Wish(Order):
    """One task with its prompt as words and tensors."""

    request: PaintRequest
    understood: Understood
    text: torch.Tensor  # (1, E)
    condition: torch.Tensor  # (1, K)
    palette: torch.Tensor | None  # (M, 3)


class PaintEngine:
    """Paintings of landscapes, seascapes and cities from English or Chinese words."""

    kind: ClassVar[str] = "paint"
    request: ClassVar[type[PaintRequest]] = PaintRequest
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
        request = PaintRequest.from_parameters(task.parameters)
        palette = _palette(task)
        task.report.phase("composing")
        matching = self.atelier.matching
        understood = matching.read(request.prompt)
        task.report.note("understood", segments=_segments(understood))
        wish = _Wish(
            task,
            request=request,
            understood=understood,
            text=matching.texts([understood.words]),
            condition=matching.conditions([understood.words]),
            palette=palette,
        )
        each = request.candidates + request.refine * REFINE_WORK + self.atelier.cost(int(request.size))
        wish.steps = request.count * (each + (palette is not None))
        return wish

    def _compose(self, wishes: Sequence[_Wish]) -> list[Canvas]:
        """The best of each picture's candidates."""
        drafts = [
            Canvas(
                wish, index, self._latent(wish, index + CANDIDATE_STREAM * candidate), int(wish.request.size)
            )
            for wish in wishes
            for index in range(wish.request.count)
            for candidate in range(wish.request.candidates)
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
        z = self.atelier.draw(wish.task.seed, index)[None] * wish.request.truncation
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
        if not (wish.request.refine and wish.open):
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
                wish.request.refine,
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
        aspect = wish.request.aspect
        place = best_place(canvas.composed, aspect, self._score(wish))
        image = image.crop(window(image.width, aspect, place))
        canvas.details |= {
            "words": list(wish.understood.words),
            "understood": _segments(wish.understood),
            "seed": wish.task.seed,
            "index": canvas.index,
            "truncation": wish.request.truncation,
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


def _palette(task: Task) -> torch.Tensor | None:
    if "palette" not in task.inputs:
        return None
    try:
        return palette_of(images.to_tensor(images.open_rgb(task.inputs["palette"], 512)))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise InvalidRequest(
            f"palette: {error}", visitor="The picture of the palette cannot be read."
        ) from error
