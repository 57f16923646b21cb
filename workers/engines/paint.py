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
from workers.engines.painting.colour_transfer import oklab_samples, transfer_colours
from workers.engines.painting.cropping import best_position, crop_box
from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import PaintingPipeline, open_pipeline
from workers.engines.painting.refinement import refine
from workers.engines.painting.rendering import RenderItem, RenderTask, chunks, compose_all, finish_all
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
class _Wish(RenderTask):
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
        self.pipeline: PaintingPipeline = open_pipeline()
        self.device = self.pipeline.device
        self.model_name = self.pipeline.name
        self.model_digest = self.pipeline.digest

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
            items = self._compose(asked)
            for wish in asked:
                self._refine(wish, [item for item in items if item.render_task is wish])
            self._colour(items)
            finish_all(self.pipeline, items, self._finished)
        except torch.OutOfMemoryError as error:
            if len(tasks) > 1:
                raise
            return [Result(error=TooLarge(str(error)))]
        return [wish if isinstance(wish, Result) else wish.result() for wish in wishes]

    def _understand(self, task: Task) -> _Wish:
        request = PaintRequest.from_parameters(task.parameters)
        palette = _palette(task)
        task.report.phase("composing")
        matcher = self.pipeline.matcher
        understood = matcher.read(request.prompt)
        task.report.note("understood", segments=_segments(understood))
        wish = _Wish(
            task,
            request=request,
            understood=understood,
            text=matcher.texts([understood.words]),
            condition=matcher.conditions([understood.words]),
            palette=palette,
        )
        each = request.candidates + request.refine * REFINE_WORK + self.pipeline.cost(int(request.size))
        wish.steps = request.count * (each + (palette is not None))
        return wish

    def _compose(self, wishes: Sequence[_Wish]) -> list[RenderItem]:
        """The best of each picture's candidates."""
        drafts = [
            RenderItem(
                wish, index, self._latent(wish, index + CANDIDATE_STREAM * candidate), int(wish.request.size)
            )
            for wish in wishes
            for index in range(wish.request.count)
            for candidate in range(wish.request.candidates)
        ]
        best: dict[tuple[int, int], RenderItem] = {}

        def composed(item: RenderItem, picture: torch.Tensor) -> None:
            wish = item.render_task
            assert isinstance(wish, _Wish)
            item.composed = picture
            self._judge(wish, item)
            place = (id(wish), item.index)
            # The first of equals stays: without words to fit, that is the first.
            if place in best and item.details.get("fit", 0.0) <= best[place].details.get("fit", 0.0):
                item.composed = None
                return
            best[place] = item
            wish.task.report.preview(images.to_image(picture), item.index)

        compose_all(self.pipeline, drafts, composed)
        return list(best.values())

    def _latent(self, wish: _Wish, index: int) -> Latent:
        z = self.pipeline.draw(wish.task.seed, index)[None] * wish.request.truncation
        styles = self.pipeline.styles(z, self.pipeline.subjects(wish.condition))
        return Latent.of(styles[0], wish.task.seed, index)

    def _score(self, wish: _Wish) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """How well pictures (N, 3, S, S) fit the prompt; None when no word was understood."""
        words = wish.understood.words
        if not words:
            return None
        return lambda pictures: self.pipeline.matcher.fit(pictures.to(self.device), [words]).cpu()

    def _judge(self, wish: _Wish, item: RenderItem) -> None:
        score = self._score(wish)
        if score is not None and item.composed is not None:
            item.details["fit"] = round(float(score(item.composed[None])), 4)

    def _refine(self, wish: _Wish, items: Sequence[RenderItem]) -> None:
        if not (wish.request.refine and wish.open):
            return
        wish.task.report.phase("refining")
        for chunk in chunks(items, self.pipeline.chunk):

            def step(number: int, pictures: torch.Tensor, chunk: list[RenderItem] = chunk) -> bool:
                if number % PREVIEW_EVERY == 1:
                    for item, picture in zip(chunk, pictures, strict=True):
                        wish.task.report.preview(images.to_image(picture), item.index)
                return wish.advance(REFINE_WORK * len(chunk))

            found = refine(
                self.pipeline,
                [item.latent for item in chunk],
                wish.text.expand(len(chunk), -1),
                wish.request.refine,
                [devices.generator(wish.task.seed, REFINE_STREAM + item.index) for item in chunk],
                step,
            )
            if wish.error is not None:
                return
            pictures = self.pipeline.compose_latents(found).cpu()
            for item, latent, picture in zip(chunk, found, pictures, strict=True):
                item.latent, item.composed = latent, picture
                self._judge(wish, item)
                wish.task.report.preview(images.to_image(picture), item.index)

    def _colour(self, items: Sequence[RenderItem]) -> None:
        for item in items:
            wish = item.render_task
            assert isinstance(wish, _Wish)
            if wish.open and wish.palette is not None and item.composed is not None:
                item.composed = transfer_colours(item.composed, wish.palette)
                wish.task.report.preview(images.to_image(item.composed), item.index)
                wish.advance()

    def _finished(self, item: RenderItem, image: Image.Image) -> None:
        wish = item.render_task
        assert isinstance(wish, _Wish)
        assert item.composed is not None
        aspect = wish.request.aspect
        place = best_position(item.composed, aspect, self._score(wish))
        image = image.crop(crop_box(image.width, aspect, place))
        item.details |= {
            "words": list(wish.understood.words),
            "understood": _segments(wish.understood),
            "seed": wish.task.seed,
            "index": item.index,
            "truncation": wish.request.truncation,
            "width": image.width,
            "height": image.height,
            "latent": item.latent.to_details(self.pipeline.generator_digest),
        }
        wish.outputs.append(Picture(image, item.details))


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
        return oklab_samples(images.to_tensor(images.open_rgb(task.inputs["palette"], 512)))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise InvalidRequest(
            f"palette: {error}", visitor="The picture of the palette cannot be read."
        ) from error
