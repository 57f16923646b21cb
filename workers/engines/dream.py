"""Kind ``dream``: a picture, or noise, changed by gradient ascent on chosen features (DeepDream)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from workers import device as devices
from workers import images
from workers.engines.base import Animation, InvalidRequest, Picture, Task
from workers.engines.batching import SequentialEngine
from workers.engines.request import Request
from workers.engines.vision.activation_maximisation import (
    COLOUR,
    Feature,
    GradientAscent,
    channels_of,
    octave_noise,
    parse_features,
)
from workers.engines.vision.classifier import ClassifierModel
from workers.engines.vision.geometry import resize
from workers.engines.vision.zoom_loop import ZoomLoop, magnified_centre, next_layer_opacity

LEAST_OCTAVE = 32  # long side of the smallest octave, px
LEAST_SIDE = 2  # short side of a picture, px
LAYER_OCTAVES = 2  # octaves of each further layer of a zoom: its large shapes come from the layer before it
CLOSING_SHARE = 0.5  # of the steps, to blend the first layer into the last
FRAMES_PER_LAYER = 16
FRAMES_PER_SECOND = 12.0
PREVIEW_EVERY = 5  # steps
PREVIEW_LONGEST = 512  # long side of the previews, px


@dataclass(frozen=True, slots=True)
class DreamRequest(Request):
    """The parameters of ``dream``; ``size`` is the long side in px, ``jitter`` in px."""

    features: str
    zoom: bool
    keep_colours: bool
    steps: int
    size: int
    octaves: int
    octave_scale: float
    step_size: float
    jitter: int
    frames: int

    @property
    def layers(self) -> int:
        """Layers of a zoom; 0 for a still picture."""
        return max(1, round(self.frames / FRAMES_PER_LAYER)) if self.zoom else 0


class DreamEngine(SequentialEngine):
    """Pictures, and endless zooms, of what features of the classifier respond to."""

    kind: ClassVar[str] = "dream"
    request: ClassVar[type[DreamRequest]] = DreamRequest

    def __init__(self) -> None:
        """Load the classifier. Raises :class:`workers.weights.WeightsError`."""
        self.device = devices.choose()
        classifier = ClassifierModel.load(self.device)
        self.model_name, self.model_digest = classifier.name, classifier.digest
        self._net = classifier.net.to(memory_format=torch.channels_last)
        self.channels = channels_of(self._net)
        """Stage -> number of channels that can be asked for."""

    @torch.no_grad()
    def make(self, task: Task) -> Picture | Animation:
        """A still picture, or the loop of a zoom."""
        task.report.phase("loading")
        generator = torch.Generator().manual_seed(task.seed)
        request = DreamRequest.from_parameters(task.parameters)
        features = self._features(request)
        source = self._source(task, request.size, generator)
        task.report.phase("dreaming")
        ascent = GradientAscent(
            self._net,
            features,
            generator,
            step_size=request.step_size,
            jitter=request.jitter,
            colour=0.0 if request.keep_colours else COLOUR,
        )
        run = _DreamRun(task, request, ascent)
        details: dict[str, Any] = {
            "features": [[one.stage, one.channel, one.weight] for one in features],
            "width": source.shape[3],
            "height": source.shape[2],
        }
        if not request.zoom:
            made = run.dream(source, request.octaves)
            task.report.phase("finishing")
            return Picture(images.to_image(made), details)
        zoom = run.zoom(source)
        frames = []
        for number in range(request.frames):
            frames.append(images.to_image(zoom.at(len(zoom) * number / request.frames)))
            run.advance()
        task.report.phase("finishing")
        return Animation(tuple(frames), request.frames / FRAMES_PER_SECOND, details)

    def _features(self, request: DreamRequest) -> tuple[Feature, ...]:
        try:
            return parse_features(request.features, self.channels)
        except ValueError as error:
            raise InvalidRequest(
                f"features: {error}", visitor="The network has no such feature. Choose others."
            ) from error

    def _source(self, task: Task, size: int, generator: torch.Generator) -> torch.Tensor:
        """The picture to start from, as large as the result: (1, 3, H, W) in [-1, 1]."""
        if "image" in task.inputs:
            image = images.open_rgb(task.inputs["image"])
            source = images.to_tensor(images.resize_longest(image, size, least=LEAST_SIDE))
        else:
            source = octave_noise(size, generator)
        return source.to(self.device)


class _DreamRun:
    """The gradient ascent of one request: counts its steps and shows previews."""

    def __init__(self, task: Task, request: DreamRequest, ascent: GradientAscent) -> None:
        self.task, self.request, self.ascent = task, request, ascent
        self.closing = max(1, round(CLOSING_SHARE * request.steps))
        further = max(0, request.layers - 1) * min(LAYER_OCTAVES, request.octaves) * request.steps
        self.total = request.octaves * request.steps
        self.total += further + self.closing + request.frames if request.zoom else 0
        self.done = 0

    def advance(self) -> None:
        """Report one step more; raises what ends the task."""
        self.done += 1
        self.task.report.step(self.done, self.total)

    def dream(self, source: torch.Tensor, octaves: int) -> torch.Tensor:
        """``source`` (1, 3, H, W) after ascent at ``octaves`` sizes, from the smallest to its own."""
        height, width = source.shape[2:]
        detail = source.new_zeros(1, 3, 1, 1)
        for shape in self._sizes(height, width, octaves):
            base = _bicubic(source, shape)
            picture = (base + _bicubic(detail, shape)).clamp(-1, 1)
            picture = self._ascend(picture, self.request.steps)
            self._show(picture)
            detail = picture - base
        return picture

    def zoom(self, source: torch.Tensor) -> ZoomLoop:
        """Layers, each made from the centre of the one before; the first is blended into the last."""
        layers = [self.dream(source, self.request.octaves)]
        for _ in range(self.request.layers - 1):
            layers.append(self.dream(magnified_centre(layers[-1]), min(LAYER_OCTAVES, self.request.octaves)))
        last = ZoomLoop(layers).at(len(layers) - 1)
        layers[-1] = self._ascend(last, self.closing, 1 - next_layer_opacity(last))
        return ZoomLoop(layers)

    def _ascend(self, picture: torch.Tensor, steps: int, mask: torch.Tensor | None = None) -> torch.Tensor:
        self.ascent.prepare(picture)
        for number in range(steps):
            picture = self.ascent.step(picture, mask)
            self.advance()
            if number % PREVIEW_EVERY == PREVIEW_EVERY - 1:
                self._show(picture)
        return picture

    def _show(self, picture: torch.Tensor) -> None:
        scale = min(1.0, PREVIEW_LONGEST / max(picture.shape[2:]))
        shape = tuple(max(1, round(side * scale)) for side in picture.shape[2:])
        self.task.report.preview(images.to_image(_bicubic(picture, shape)))

    def _sizes(self, height: int, width: int, octaves: int) -> Iterator[tuple[int, int]]:
        """Heights and widths from the smallest octave to the whole, LEAST_OCTAVE px long at least."""
        for number in reversed(range(octaves)):
            scale = max(self.request.octave_scale**-number, min(1.0, LEAST_OCTAVE / max(height, width)))
            yield max(1, round(height * scale)), max(1, round(width * scale))


def _bicubic(picture: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    return resize(picture, shape, mode="bicubic", antialias=True)
