"""Kind ``paint``: a prompt, a seed, and up to sixteen paintings.

The prompt becomes words of the lexicon and the words the generator's condition. Small pictures are composed
from it and from random latents; the best candidates are kept, refined, given the colours of a palette, and
finished large. All pictures of all tasks of a batch go through the networks in chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from PIL import Image, UnidentifiedImageError

from workers import device as devices
from workers import images
from workers.engines.base import InvalidRequest, Picture, Task
from workers.engines.language.prompt_lexicon import Understood
from workers.engines.painting.colour_transfer import oklab_samples, transfer_colours
from workers.engines.painting.cropping import best_position, crop_box
from workers.engines.painting.engine import PaintingEngine
from workers.engines.painting.latents import Latent
from workers.engines.painting.refinement import refine
from workers.engines.painting.rendering import RenderItem, RenderTask, chunks, compose_all, finish_all
from workers.engines.request import Request

CANDIDATE_STREAM = 16  # added to a picture's index for each further candidate; no request has more pictures
REFINE_WORK = 6  # a step of refining takes about as long as composing six pictures
REFINE_STREAM = 4096  # added to a picture's index: the crops of refining have random numbers of their own
PREVIEW_EVERY = 3  # steps of refining
PALETTE_LONGEST = 512  # long side up to which a palette's picture is opened, px


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
class PaintTask(RenderTask):
    """One task with its prompt as words and as tensors."""

    request: PaintRequest
    understood: Understood
    text: torch.Tensor  # (1, E) unit embedding
    condition: torch.Tensor  # (1, K)
    palette: torch.Tensor | None  # (M, 3) Oklab


class PaintEngine(PaintingEngine[PaintTask]):
    """Paintings of landscapes, seascapes and cities from English or Chinese words."""

    kind: ClassVar[str] = "paint"
    request: ClassVar[type[PaintRequest]] = PaintRequest

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Every prompt can share a pass with every other."""
        return "paint"

    def prepare(self, task: Task) -> PaintTask:
        """The prompt as words and tensors. Raises InvalidRequest for a palette that is no picture."""
        request = PaintRequest.from_parameters(task.parameters)
        palette = _palette(task)
        task.report.phase("composing")
        matcher = self.pipeline.matcher
        understood = matcher.read(request.prompt)
        task.report.note("understood", segments=_segments(understood))
        painting = PaintTask(
            task,
            request=request,
            understood=understood,
            text=matcher.texts([understood.words]),
            condition=matcher.conditions([understood.words]),
            palette=palette,
        )
        each = request.candidates + request.refine * REFINE_WORK + self.pipeline.cost(int(request.size))
        painting.steps = request.count * (each + (palette is not None))
        return painting

    def render(self, render_tasks: Sequence[PaintTask]) -> None:
        """Compose, refine, colour and finish."""
        items = self._compose(render_tasks)
        for painting in render_tasks:
            self._refine(painting, [item for item in items if item.render_task is painting])
        self._colour(items)
        finish_all(self.pipeline, items, self._finished)

    def _compose(self, paintings: Sequence[PaintTask]) -> list[RenderItem[PaintTask]]:
        """The best of each picture's candidates."""
        drafts = [
            RenderItem(
                painting,
                index,
                self._latent(painting, index + CANDIDATE_STREAM * candidate),
                int(painting.request.size),
            )
            for painting in paintings
            for index in range(painting.request.count)
            for candidate in range(painting.request.candidates)
        ]
        best: dict[tuple[int, int], RenderItem[PaintTask]] = {}

        def composed(item: RenderItem[PaintTask], picture: torch.Tensor) -> None:
            item.composed = picture
            self._measure_fit(item)
            key = (id(item.render_task), item.index)
            # The first of equals stays: without words to fit, that is the first.
            if key in best and item.details.get("fit", 0.0) <= best[key].details.get("fit", 0.0):
                item.composed = None
                return
            best[key] = item
            item.render_task.task.report.preview(images.to_image(picture), item.index)

        compose_all(self.pipeline, drafts, composed)
        return list(best.values())

    def _latent(self, painting: PaintTask, index: int) -> Latent:
        z = self.pipeline.draw(painting.task.seed, index)[None] * painting.request.truncation
        styles = self.pipeline.styles(z, self.pipeline.subjects(painting.condition))
        return Latent.of(styles[0], painting.task.seed, index)

    def _score(self, painting: PaintTask) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Cosine of pictures (N, 3, S, S) with the prompt, (N,); None when no word was understood."""
        words = painting.understood.words
        if not words:
            return None
        return lambda pictures: self.pipeline.matcher.fit(pictures.to(self.device), [words]).cpu()

    def _measure_fit(self, item: RenderItem[PaintTask]) -> None:
        score = self._score(item.render_task)
        if score is not None and item.composed is not None:
            item.details["fit"] = round(float(score(item.composed[None])), 4)

    def _refine(self, painting: PaintTask, items: Sequence[RenderItem[PaintTask]]) -> None:
        if not (painting.request.refine and painting.open):
            return
        painting.task.report.phase("refining")
        for chunk in chunks(items, self.pipeline.chunk):

            def step(number: int, pictures: torch.Tensor, chunk: list[RenderItem[PaintTask]] = chunk) -> bool:
                if number % PREVIEW_EVERY == 1:
                    for item, picture in zip(chunk, pictures, strict=True):
                        painting.task.report.preview(images.to_image(picture), item.index)
                return painting.advance(REFINE_WORK * len(chunk))

            found = refine(
                self.pipeline,
                [item.latent for item in chunk],
                painting.text.expand(len(chunk), -1),
                painting.request.refine,
                [devices.generator(painting.task.seed, REFINE_STREAM + item.index) for item in chunk],
                step,
            )
            if painting.error is not None:
                return
            pictures = self.pipeline.compose_latents(found).cpu()
            for item, latent, picture in zip(chunk, found, pictures, strict=True):
                item.latent, item.composed = latent, picture
                self._measure_fit(item)
                painting.task.report.preview(images.to_image(picture), item.index)

    def _colour(self, items: Sequence[RenderItem[PaintTask]]) -> None:
        for item in items:
            painting = item.render_task
            if painting.open and painting.palette is not None and item.composed is not None:
                item.composed = transfer_colours(item.composed, painting.palette)
                painting.task.report.preview(images.to_image(item.composed), item.index)
                painting.advance()

    def _finished(self, item: RenderItem[PaintTask], image: Image.Image) -> None:
        painting, request = item.render_task, item.render_task.request
        assert item.composed is not None
        position = best_position(item.composed, request.aspect, self._score(painting))
        image = image.crop(crop_box(image.width, request.aspect, position))
        item.details |= {
            "words": list(painting.understood.words),
            "understood": _segments(painting.understood),
            "seed": painting.task.seed,
            "index": item.index,
            "truncation": request.truncation,
            "width": image.width,
            "height": image.height,
            "latent": item.latent.to_details(self.pipeline.generator_digest),
        }
        painting.outputs.append(Picture(image, item.details))


def _segments(understood: Understood) -> list[dict[str, Any]]:
    """The prompt piece by piece, JSON-safe: with the words of what was understood, or the nearest term."""
    return [
        {"text": segment.text}
        | ({"words": list(segment.words)} if segment.words else {})
        | ({"nearest": segment.nearest} if segment.nearest is not None else {})
        for segment in understood.segments
    ]


def _palette(task: Task) -> torch.Tensor | None:
    """The colours of the picture in the role ``palette``, (M, 3) Oklab; None without one."""
    if "palette" not in task.inputs:
        return None
    try:
        return oklab_samples(images.to_tensor(images.open_rgb(task.inputs["palette"], PALETTE_LONGEST)))
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise InvalidRequest(
            f"palette: {error}", visitor="The picture of the palette cannot be read."
        ) from error
