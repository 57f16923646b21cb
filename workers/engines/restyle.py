"""Kind ``restyle``: repaint any picture in the manner of ready styles, of style pictures, or of a mix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar

import torch
from PIL import Image

from workers import device as devices
from workers import images, weights
from workers.engines.base import EngineError, InvalidRequest, Picture, Task
from workers.engines.batching import SequentialEngine
from workers.engines.stylisation.optimisation import optimise
from workers.engines.stylisation.region_mask import composite, feathered_region
from workers.engines.stylisation.request import RestyleRequest, WeightedStyle, chosen_styles, style_details
from workers.engines.stylisation.resizing import (
    canvas_side,
    detail_share,
    mirror_pad,
    restore_detail,
    transfer_luminance,
)
from workers.engines.stylisation.style_mixing import mix_codes
from workers.engines.stylisation.style_statistics import (
    SIDES,
    ReadyStyleStatistics,
    StyleStatistics,
    mix_statistics,
    style_statistics,
)
from workers.engines.vision.classifier import ClassifierModel
from workers.nets.style_transfer import StyleTransferConfig, StyleTransferNet
from workers.nets.tiled_style_transfer import paint_in_strips, stages_of

MODEL = "restyle"
SKETCHES = (192, 448)
"""Long sides of the first previews, px."""
STYLE_SIDES = (256, 1024)  # short and longest side at which a style picture is encoded, as in training
MARGIN = 32  # px painted beyond each edge and cut off again: edges would show as a frame
LEAST_SIDE = 48  # px painted each way at least: the network's deepest layers need some pixels
STRIPS_FROM = 640 * 640
"""Pixels above which a canvas is painted in strips: below, one pass is quicker and small enough."""
PREVIEW_STEPS = 4
"""Steps of the slow mode from one preview to the next."""

Stage = Callable[[int, int], None]
Show = Callable[[Image.Image], None]
Styles = Sequence[WeightedStyle]


class RestyleEngine(SequentialEngine):
    """Style transfer: by one pass of a network, or by optimisation."""

    kind: ClassVar[str] = "restyle"
    request: ClassVar[type[RestyleRequest]] = RestyleRequest

    def __init__(self) -> None:
        """Load the weights. Raises :class:`workers.weights.WeightsError`."""
        loaded = weights.load(MODEL)
        self.device = devices.choose()
        config = dict(loaded.card["config"])
        self.model_name = str(loaded.card["name"])
        self.model_digest = loaded.digest
        try:
            slugs = list(config.pop("styles"))
            tensors = dict(loaded.tensors)
            codes = tensors.pop("style_codes")
            net = StyleTransferNet(StyleTransferConfig.from_dict(config))
            net.load_state_dict(tensors)
            if codes.shape != (len(slugs), net.code_size):
                raise ValueError(f"{len(slugs)} styles, codes {tuple(codes.shape)}")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: not a style transfer model: {error}") from error
        self._codes = {slug: codes[n : n + 1].to(self.device) for n, slug in enumerate(slugs)}
        self._net = net.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        self._classifier: ClassifierModel | None = None

    @property
    def styles(self) -> tuple[str, ...]:
        """Slugs of the ready styles."""
        return tuple(self._codes)

    @property
    def net(self) -> StyleTransferNet:
        """The network itself, for measures."""
        return self._net

    def code(self, slug: str) -> torch.Tensor:
        """The code of a ready style: (1, code_size). Raises KeyError."""
        return self._codes[slug]

    def make(self, task: Task) -> Picture:
        """The stylised picture. Raises InvalidRequest for a region or style that cannot be used."""
        task.report.phase("loading")
        request = RestyleRequest.from_parameters(task.parameters)
        path = task.input("image")
        styles = chosen_styles(request, task, self.styles)
        content = images.resize_longest(images.open_rgb(path), request.size)
        region = None
        if "mask" in task.inputs:
            region = feathered_region(images.open_rgb(task.inputs["mask"]), content.size, request.invert)
        # Loaded before anything is painted, so that missing weights are reported at once.
        target = self._target(request, styles) if request.slow else None
        task.report.phase("painting")

        def show(painted: Image.Image) -> None:
            if region is None:
                task.report.preview(painted)
                return
            size = painted.size
            task.report.preview(composite(region.resize(size), painted, content.resize(size)))

        details: dict[str, Any] = style_details(styles)
        if target is None:
            painted = self._feed_forward(task, request, styles, content, show)
        else:
            painted, done = self._optimised(task, request, styles, content, target, show)
            details |= {"steps": done, "seeing": self._loaded_classifier().digest}
        task.report.phase("finishing")
        if region is not None:
            painted = composite(region, painted, content)
        return Picture(painted, details={**details, "width": painted.width, "height": painted.height})

    def _mixed_code(self, styles: Styles, style_scale: float) -> torch.Tensor:
        codes = [
            self._codes[one.slug] if one.picture is None else self.encode(one.picture, style_scale)
            for one in styles
        ]
        return mix_codes(codes, [one.weight for one in styles])

    # --- Feed-forward ----------------------------------------------------------------------------------

    def _feed_forward(
        self, task: Task, request: RestyleRequest, styles: Styles, content: Image.Image, show: Show
    ) -> Image.Image:
        """Sketches first, each larger than the one before, then the picture."""
        paint = partial(
            self.paint,
            code=self._mixed_code(styles, request.style_scale),
            strength=request.strength,
            keep_colours=request.keep_colours,
            brush=request.brush,
            style_scale=request.style_scale,
        )
        canvas = _canvas_size(content.size, request)
        sides = [side for side in SKETCHES if 2 * side <= max(canvas) or side == SKETCHES[0]]
        sketches = [images.resize_longest(content, side) for side in sides]
        steps = sum(self._stages(_canvas_size(one.size, request)) for one in (*sketches, content))
        done = 0

        def stage(_: int, of: int) -> None:
            nonlocal done
            done += 1
            task.report.step(done, steps)

        for sketch in sketches:
            show(paint(sketch, stage=stage))
        return paint(content, stage=stage, preview=show)

    def _stages(self, canvas: tuple[int, int]) -> int:
        """How many steps the painting of a canvas of this size (width, height) reports."""
        wide, tall = (-(-max(side + 2 * MARGIN, LEAST_SIDE) // 8) * 8 for side in canvas)
        return stages_of(self._net, tall) if wide * tall > STRIPS_FROM else self._net.painter.stages

    @torch.inference_mode()
    def encode(self, style: Image.Image, style_scale: float = 1.0) -> torch.Tensor:
        """The code of any style picture: (1, code_size); ``style_scale`` enlarges it, and so its strokes."""
        short, longest = STYLE_SIDES
        side = min(longest, round(short * max(style.size) / min(style.size)))
        side = min(longest, max(LEAST_SIDE, round(side * style_scale)))
        picture = images.to_tensor(images.resize_longest(style, side)).to(self.device)
        return self._net.encode(mirror_pad(picture, 0, 32)[0])

    @torch.inference_mode()
    def paint(
        self,
        content: Image.Image,
        code: torch.Tensor,
        strength: float = 1.0,
        keep_colours: bool = False,
        stage: Stage | None = None,
        preview: Show | None = None,
        *,
        brush: float = 0.5,
        style_scale: float = 1.0,
    ) -> Image.Image:
        """Paint at the content's own size with a code (1, code_size); ``stage`` may raise to stop.

        Unless the brush is the finest, a large picture is painted on a smaller canvas and enlarged, or its
        strokes would be too fine to see; the content's own fine detail is then added.
        """
        small = images.resize_longest(content, canvas_side(max(content.size), brush, style_scale))
        source = images.to_tensor(small).to(self.device)
        painted = self._painted(source, code, stage)
        if small.size != content.size:
            if preview is not None:
                preview(images.to_image(torch.lerp(source, painted, strength)))
            full = images.to_tensor(content).to(self.device)
            painted = restore_detail(painted, source, full, detail_share(brush))
            source = full
        if keep_colours:
            painted = transfer_luminance(source, painted)
        return images.to_image(torch.lerp(source, painted, strength))

    def _painted(self, source: torch.Tensor, code: torch.Tensor, stage: Stage | None) -> torch.Tensor:
        """(1, 3, H, W) in [-1, 1] painted at this size."""
        framed, (top, left) = mirror_pad(source, MARGIN, LEAST_SIDE)
        if framed.shape[2] * framed.shape[3] > STRIPS_FROM:
            painted = paint_in_strips(self._net, framed, code, stage)
        else:
            painted = self._net(framed.to(memory_format=torch.channels_last), code, stage)
        return painted[:, :, top : top + source.shape[2], left : left + source.shape[3]].clamp(-1, 1)

    # --- Optimisation (slow and best) --------------------------------------------------------------------

    def _loaded_classifier(self) -> ClassifierModel:
        if self._classifier is None:
            try:
                self._classifier = ClassifierModel.load(self.device)
            except weights.WeightsError as error:
                raise _unavailable(error) from error
        return self._classifier

    def _target(self, request: RestyleRequest, styles: Styles) -> Callable[[int], StyleStatistics]:
        """The statistics that the slow mode approaches, by the long side of the picture that is optimised."""
        classifier = self._loaded_classifier()
        ready: ReadyStyleStatistics | None = None
        if any(one.picture is None for one in styles):
            try:
                ready = ReadyStyleStatistics.load(classifier)
                ready.statistics(next(one.slug for one in styles if one.picture is None), SIDES[0])
            except (weights.WeightsError, KeyError) as error:
                raise _unknown_style(error) from error

        def statistics(one: WeightedStyle, side: int) -> StyleStatistics:
            scaled = round(side * request.style_scale)
            if one.picture is not None:
                return style_statistics(classifier.net, one.picture, scaled, self.device)
            assert ready is not None
            try:
                return ready.statistics(one.slug, scaled)
            except KeyError as error:
                raise _unknown_style(error) from error

        return lambda side: mix_statistics(
            [statistics(one, side) for one in styles], [one.weight for one in styles]
        )

    def _optimised(
        self,
        task: Task,
        request: RestyleRequest,
        styles: Styles,
        content: Image.Image,
        target: Callable[[int], StyleStatistics],
        show: Show,
    ) -> tuple[Image.Image, int]:
        """The picture, and the number of steps that were taken; the person may have ended it."""
        small = images.resize_longest(content, min(SIDES[-1], max(content.size)))
        task.report.step(0, request.steps)
        code = self._mixed_code(styles, request.style_scale)
        start = self.paint(small, code, brush=request.brush, style_scale=request.style_scale)
        source, begun = (images.to_tensor(one).to(self.device) for one in (small, start))
        show(start)
        taken = 0

        def finished(painted: torch.Tensor, source: torch.Tensor) -> Image.Image:
            if request.keep_colours:
                painted = transfer_luminance(source, painted)
            return images.to_image(torch.lerp(source, painted, request.strength))

        def on_step(painted: torch.Tensor, step: int) -> bool:
            nonlocal taken
            taken = step
            task.report.step(step, request.steps)
            if step % PREVIEW_STEPS == 0:
                there = images.to_tensor(small.resize((painted.shape[3], painted.shape[2]))).to(self.device)
                show(finished(painted, there))
            return task.report.enough()

        task.report.phase("refining")
        painted = optimise(self._loaded_classifier().net, source, begun, target, request.steps, on_step)
        if small.size != content.size:
            full = images.to_tensor(content).to(self.device)
            painted, source = restore_detail(painted, source, full, detail_share(request.brush)), full
        return finished(painted, source), taken


def _canvas_size(size: tuple[int, int], request: RestyleRequest) -> tuple[int, int]:
    """Width and height of the canvas on which a picture of ``size`` is painted."""
    side = canvas_side(max(size), request.brush, request.style_scale)
    return max(1, round(size[0] * side / max(size))), max(1, round(size[1] * side / max(size)))


def _unavailable(error: Exception) -> EngineError:
    return EngineError(
        str(error),
        code="engine_unavailable",
        visitor="The worker cannot load the network of the slow mode. Its operators can see why.",
    )


def _unknown_style(error: Exception) -> InvalidRequest:
    return InvalidRequest(
        str(error),
        visitor="The slow mode does not know this ready style here. Bring a picture of a style instead.",
    )
