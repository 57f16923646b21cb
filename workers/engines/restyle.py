"""Kind ``restyle``: repaint any picture in the manner of a shipped style or of any style picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from PIL import Image

from workers import device as devices
from workers import images, weights
from workers.engines.base import InvalidRequest, JobCanceled, JobReleased, Picture, Result, Task, TooLarge
from workers.nets.restyler import Restyler, RestylerConfig

MODEL = "restyle"
SKETCH_SIDE = 192  # long side of the first preview
LEAST_CANVAS = 256  # long side below which a picture is painted at its own size
DETAIL = 0.7  # how much of the content's fine light returns to a picture that was painted smaller
STYLE_SIDES = (192, 768)  # short and longest side at which a style picture is looked at, as in training
MARGIN = 32  # px painted beyond each edge and cut off again: the zeros outside must not show as a frame
LEAST_SIDE = 48  # px painted each way at least: the network's deepest layers need some pixels


@dataclass(frozen=True, slots=True)
class _Wish:
    """One task's request, understood."""

    content: Image.Image
    code: torch.Tensor  # (1, code_size)
    strength: float
    keep_colours: bool
    size: int  # long side of the result in px
    style: str


class RestyleEngine:
    """Feed-forward style transfer. One picture at a time: sizes differ, and one fills two cores."""

    kind: ClassVar[str] = "restyle"
    batch_size: ClassVar[int] = 1
    stall_seconds: ClassVar[float] = 60.0

    def __init__(self) -> None:
        """Load the weights. Raises :class:`workers.weights.WeightsError`."""
        loaded = weights.load(MODEL)
        self.device = devices.pick()
        config = dict(loaded.card["config"])
        self.model_name = str(loaded.card["name"])
        self.model_digest = loaded.digest
        try:
            slugs = list(config.pop("styles"))
            tensors = dict(loaded.tensors)
            codes = tensors.pop("style_codes")
            net = Restyler(RestylerConfig.from_dict(config))
            net.load_state_dict(tensors)
            if codes.shape != (len(slugs), net.code_size):
                raise ValueError(f"{len(slugs)} styles, codes {tuple(codes.shape)}")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: not a style transfer model: {error}") from error
        self._codes = {slug: codes[n : n + 1].to(self.device) for n, slug in enumerate(slugs)}
        self._net = net.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)

    @property
    def styles(self) -> tuple[str, ...]:
        """Slugs of the shipped styles."""
        return tuple(self._codes)

    def code(self, slug: str) -> torch.Tensor:
        """The code of a shipped style: (1, code_size). Raises KeyError."""
        return self._codes[slug]

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Every picture has its own size, so all that is shared is the model."""
        return "restyle"

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order."""
        results = []
        for task in tasks:
            try:
                results.append(Result(outputs=(self._restyle(task),)))
            except (JobCanceled, JobReleased, InvalidRequest) as reason:
                results.append(Result(error=reason))
            except torch.OutOfMemoryError as error:
                results.append(Result(error=TooLarge(str(error))))
        return results

    @torch.inference_mode()
    def _restyle(self, task: Task) -> Picture:
        task.report.phase("loading")
        wish = self._understand(task)
        task.report.phase("painting")
        content = _sized(wish.content, wish.size)
        steps = 2 * self._net.painter.stages
        done = 0

        def stage(_: int, of: int) -> None:
            nonlocal done
            done += 1
            task.report.step(done, steps)

        sketch = _sized(content, SKETCH_SIDE)
        task.report.preview(self.paint(sketch, wish.code, wish.strength, wish.keep_colours, stage))
        painted = self.paint(content, wish.code, wish.strength, wish.keep_colours, stage, task.report.preview)
        task.report.phase("finishing")
        return Picture(
            painted, details={"style": wish.style, "width": painted.width, "height": painted.height}
        )

    def _understand(self, task: Task) -> _Wish:
        parameters = task.parameters
        if "image" not in task.inputs:
            raise InvalidRequest("no input 'image'", visitor="Bring a picture to repaint.")
        slug = str(parameters.get("style") or "")
        brought = task.inputs.get("style")
        if brought is None and not slug:
            raise InvalidRequest(
                "neither a style nor a style picture", visitor="Choose a style or bring a style picture."
            )
        if brought is None and slug not in self._codes:
            raise InvalidRequest(
                f"unknown style {slug!r}", visitor="There is no such style. Choose another one."
            )
        content = images.open_rgb(task.inputs["image"])
        # A style picture that somebody brought comes before the list: they did more to choose it.
        code = self._codes[slug] if brought is None else self.encode(images.open_rgb(brought, 1024))
        return _Wish(
            content=content,
            code=code,
            strength=min(1.0, max(0.0, float(parameters.get("strength", 1.0)))),
            keep_colours=bool(parameters.get("keep_colours", False)),
            size=int(parameters.get("size", 768)),
            style=slug if brought is None else "",
        )

    @torch.inference_mode()
    def encode(self, style: Image.Image) -> torch.Tensor:
        """The code of any style picture: (1, code_size)."""
        short, longest = STYLE_SIDES
        side = min(longest, round(short * max(style.size) / min(style.size)))
        picture = images.to_tensor(_sized(style, side)).to(self.device)
        return self._net.encode(_padded(picture, 0, 32)[0])

    @torch.inference_mode()
    def paint(
        self,
        content: Image.Image,
        code: torch.Tensor,
        strength: float = 1.0,
        keep_colours: bool = False,
        stage: Callable[[int, int], None] | None = None,
        preview: Callable[[Image.Image], None] | None = None,
    ) -> Image.Image:
        """Paint at the content's own size with a code (1, code_size); ``stage`` may raise to stop.

        A large picture is painted on a smaller canvas and enlarged, or its strokes would be too fine to
        see; the content's own fine light then makes it sharp. Time and memory hardly grow with the size.
        """
        small = _sized(content, canvas_side(max(content.size)))
        source = images.to_tensor(small).to(self.device)
        framed, (top, left) = _padded(source, MARGIN, LEAST_SIDE)
        painted = self._net(framed.to(memory_format=torch.channels_last), code, stage)
        painted = painted[:, :, top : top + source.shape[2], left : left + source.shape[3]].clamp(-1, 1)
        if small.size != content.size:
            if preview is not None:
                preview(images.to_image(torch.lerp(source, painted, strength)))
            full = images.to_tensor(content).to(self.device)
            detail = full - _enlarged(source, full)
            painted = _enlarged(painted, full).add_(detail.mean(1, keepdim=True), alpha=DETAIL).clamp_(-1, 1)
            source = full
        if keep_colours:
            painted = with_luminance(source, painted)
        return images.to_image(torch.lerp(source, painted, strength))


def canvas_side(size: int) -> int:
    """Long side on which a picture of long side ``size`` is painted: it grows with the root of the size."""
    return min(size, max(LEAST_CANVAS, round(14 * math.sqrt(size))))


def _enlarged(image: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return F.interpolate(image, like.shape[2:], mode="bicubic", align_corners=False)


def with_luminance(colours: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """The colours of one picture with the light of another, both (N, 3, H, W) in [-1, 1]."""
    weight = torch.tensor([0.299, 0.587, 0.114], device=colours.device).view(1, 3, 1, 1)

    def luminance(x: torch.Tensor) -> torch.Tensor:
        return (x * weight).sum(1, keepdim=True)

    own, other = luminance(colours), luminance(light)
    # The light's spread follows the content's, or a pale style would bleach colours that it does not have.
    gain = (own.std() / other.std().clamp_min(0.02)).clamp(0.5, 2.0) if own.numel() > 1 else 1.0
    moved = (other - other.mean()) * gain + 0.5 * (own.mean() + other.mean())
    return (colours - own + moved).clamp(-1, 1)


def _sized(image: Image.Image, longest: int) -> Image.Image:
    """``image`` with its long side exactly ``longest`` px; small pictures grow."""
    scale = longest / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _padded(image: torch.Tensor, margin: int, least: int) -> tuple[torch.Tensor, tuple[int, int]]:
    """Mirror ``image`` outwards by ``margin``, to ``least`` px each way and to multiples of 8.

    Returns the picture and where the original begins in it (top, left).
    """
    height, width = image.shape[2:]
    tall, wide = (-(-max(side + 2 * margin, least) // 8) * 8 for side in (height, width))
    top, left = (tall - height) // 2, (wide - width) // 2
    rows = _mirror(height, top, tall).to(image.device)
    columns = _mirror(width, left, wide).to(image.device)
    return image[:, :, rows][:, :, :, columns], (top, left)


def _mirror(length: int, before: int, total: int) -> torch.Tensor:
    """Indices that mirror ``length`` pixels as often as needed: F.pad reflects once, never one pixel."""
    period = max(1, 2 * length - 2)
    position = (torch.arange(total) - before) % period
    return torch.where(position < length, position, period - position)
