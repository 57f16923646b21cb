"""Activation maximisation: pictures changed by gradient ascent until they activate chosen features.

DeepDream (Mordvintsev et al. 2015) and activation maximisation (Olah et al. 2017) ascend the gradient of a
channel's preactivation: its value before the last ReLU, so that an inactive channel has a gradient, too.
Constants without a source are set by hand.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F

from workers.engines.vision.geometry import mirror_indices, resize
from workers.nets.classifier import STRIDE, Classifier, Residual

STAGES = ("s0", "s1", "s2", "s3")
"""Depths of :meth:`Classifier.features`, in order."""
MARGIN = 16  # px mirrored around the picture: the network's zero padding must not activate anything in it
OCTAVE_STRENGTHS = (0.15, 0.8, 1.0, 0.7, 0.2)
"""Root mean square of each octave of a gradient, the finest first: the finest holds patterns that only the
network sees, the coarsest only tints."""
LOCAL_SHARE = 0.7  # share of the neighbourhood, beside the whole picture, in how a gradient is normalised
NEIGHBOURHOODS = 8  # along the short side of a picture
SCALES = (0.87, 0.93, 1.0, 1.08, 1.16)
"""Random scales of the steps: at one scale the strides leave a lattice. Few, for the convolution library of
the CPU prepares itself for every new size."""
BARRIER = 0.9  # share by which a step into pure white or black is shortened
CHROMA = 0.45  # largest distance from grey that a step makes: beyond it colours are unlike any painting
COLOUR = 0.2  # share of the gradient's colour: all of it gives rainbows

_ITEM = re.compile(r"\s*(s[0-9])\s*(?::\s*([0-9]{1,5}))?\s*(?:\*\s*([0-9]*\.?[0-9]+))?\s*")


@dataclass(frozen=True, slots=True)
class Feature:
    """A channel of a stage, or the whole stage (``channel`` None), and its weight in the objective."""

    stage: str
    channel: int | None = None
    weight: float = 1.0


def channels_of(net: Classifier) -> dict[str, int]:
    """Stage -> its number of channels."""
    return dict(zip(STAGES, (net.config.stem, *net.config.widths), strict=True))


def parse_features(text: str, channels: dict[str, int]) -> tuple[Feature, ...]:
    """``"s3:17*1.0, s2:5*0.5, s1"`` as features. Raises ValueError for another syntax or feature.

    How many there may be, and how heavy, is a rule of the kind.
    """
    found = []
    for item in text.split(","):
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{item.strip()!r} is not stage:channel*weight")
        stage, channel, weight = match[1], match[2], float(match[3] or 1)
        if stage not in channels:
            raise ValueError(f"there is no stage {stage}, only {', '.join(channels)}")
        if channel is not None and int(channel) >= channels[stage]:
            raise ValueError(f"{stage} has channels 0 to {channels[stage] - 1}, not {channel}")
        found.append(Feature(stage, None if channel is None else int(channel), weight))
    return tuple(found)


def preactivations(net: Classifier, images: torch.Tensor, stages: Collection[str]) -> dict[str, torch.Tensor]:
    """The ``stages`` before their last ReLU, for pictures (N, 3, H, W) in [-1, 1]: (N, C, h, w) each.

    Nothing deeper than the deepest of them is computed. ReLU of them is ``net.features``.
    """
    found: dict[str, torch.Tensor] = {}
    deepest = max(STAGES.index(stage) for stage in stages)
    found["s0"] = net.stem(images)
    x = F.relu(found["s0"])
    for number, (down, stage) in enumerate(zip(net.downs, net.stages, strict=True), 1):
        if number > deepest:
            break
        x = F.relu(down(x))
        *first, last = cast(Sequence[Residual], stage)
        for block in first:
            x = block(x)
        found[STAGES[number]] = last.preactivation(x)
        x = F.relu(found[STAGES[number]])
    return {stage: found[stage] for stage in stages}


def activation_objective(preactivation: torch.Tensor, channel: int | None) -> torch.Tensor:
    """The number to maximise for one feature, from the preactivations (N, C, H, W) of its stage.

    A channel's mean; of a whole stage the mean length of its activations, so that what the network sees
    already grows. Not their mean square, as in the first DeepDream: the largest would take over the picture.
    """
    if channel is None:
        return (F.relu(preactivation).square().sum(1) + 1e-6).sqrt().mean()
    return preactivation[:, channel].mean()


def _blur_and_halve(x: torch.Tensor) -> torch.Tensor:
    """Half the size with a binomial filter: (N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2))."""
    kernel = x.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = x.shape[1]
    rows, columns = kernel.view(1, 1, 5, 1), kernel.view(1, 1, 1, 5)
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")
    x = F.conv2d(x, rows.expand(channels, 1, 5, 1), stride=(2, 1), groups=channels)
    return F.conv2d(x, columns.expand(channels, 1, 1, 5), stride=(1, 2), groups=channels)


def _root_mean_square(detail: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, 1, H, W): of the whole picture and, by LOCAL_SHARE, of each neighbourhood."""
    energy = detail.square().mean(1, keepdim=True)
    whole = energy.mean((2, 3), keepdim=True)
    cell = max(1, min(detail.shape[2:]) // NEIGHBOURHOODS)
    height, width = (max(1, round(side / cell)) for side in detail.shape[2:])
    near = F.adaptive_avg_pool2d(energy, (height, width))
    if min(height, width) > 1:
        near = F.avg_pool2d(near, 3, 1, 1, count_include_pad=False)
    near = resize(near, detail.shape[2:])
    return torch.lerp(whole, near, LOCAL_SHARE).sqrt().clamp_min(1e-20)


def random_scale(size: tuple[int, int], generator: torch.Generator) -> tuple[int, int]:
    """Height and width of a picture of ``size`` at one of SCALES."""
    scale = SCALES[int(torch.randint(len(SCALES), (1,), generator=generator))]
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def normalise_gradient_pyramid(gradient: torch.Tensor, colour: float = COLOUR) -> torch.Tensor:
    """A gradient (N, 3, H, W) with octaves of OCTAVE_STRENGTHS and ``colour`` of its colour (0: light alone).

    Laplacian pyramid normalisation, as in the first DeepDream notebook; the result has a root mean square of
    1 per picture.
    """
    grey = gradient.mean(1, keepdim=True)
    rest = torch.lerp(grey, gradient, colour) if colour else grey.expand_as(gradient)
    whole = torch.zeros_like(gradient)
    for level, strength in enumerate(OCTAVE_STRENGTHS):
        smaller = min(rest.shape[2:]) >= 4 and level < len(OCTAVE_STRENGTHS) - 1
        if smaller:
            below = _blur_and_halve(rest)
            detail = rest - resize(below, rest.shape[2:])
        else:
            below = detail = rest
        detail = detail / _root_mean_square(detail) * strength
        whole += resize(detail, whole.shape[2:])
        if not smaller:
            break
        rest = below
    return whole / whole.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-20)


def bounded_step(picture: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """``picture + step``, both (N, 3, H, W), in [-1, 1] and no more colourful than CHROMA or than it was."""
    # The nearer to white or black, the shorter the step there: else glaring flats are all that is left.
    light, lighter = picture.mean(1, keepdim=True), step.mean(1, keepdim=True)
    step = step * (1 - BARRIER * F.relu(lighter.sign() * light))
    after = (picture + step).clamp(-1, 1)
    grey = after.mean(1, keepdim=True)
    colour = after - grey
    before = (picture - light).norm(dim=1, keepdim=True)
    most = before.clamp_min(CHROMA)
    share = (most / colour.norm(dim=1, keepdim=True).clamp_min(1e-6)).clamp(max=1)
    return torch.addcmul(grey, colour, share)


def octave_noise(side: int, generator: torch.Generator) -> torch.Tensor:
    """Soft coloured noise (1, 3, side, side) around a middle grey, to start from without a picture.

    Octaves of noise, each twice as fine as the one before and weaker: about the spectrum of natural pictures.
    """
    whole = torch.zeros(1, 3, side, side)
    cells = 2
    while cells <= side:
        noise = torch.randn(1, 3, cells, cells, generator=generator)
        whole += (
            F.interpolate(noise, (side, side), mode="bicubic", align_corners=False) * (2.0 / cells) ** 0.7
        )
        cells *= 2
    return (whole / whole.std() * 0.18).clamp(-1, 1)


class GradientAscent:
    """Changes pictures, one step at a time, until they activate ``features``.

    ``step_size``: root mean square of a step, on values in [-1, 1]. ``jitter``: px by which the picture is
    shifted at random between steps, as the network's strides would leave a grid; with any jitter the scale
    varies, too. Everything random comes from ``generator``.
    """

    def __init__(
        self,
        net: Classifier,
        features: Sequence[Feature],
        generator: torch.Generator,
        *,
        step_size: float,
        jitter: int = STRIDE,
        colour: float = COLOUR,
    ) -> None:
        self.net, self.features, self.generator = net, tuple(features), generator
        self.step_size, self.jitter, self.colour = step_size, jitter, colour
        self._stages = sorted({feature.stage for feature in features})
        self._scales: tuple[float, ...] = ()

    def prepare(self, picture: torch.Tensor) -> None:
        """Scale the features to gradients of equal size on ``picture``, so that weights compare."""
        framed = self._framed(picture, 0, 0)[0].requires_grad_()
        with torch.enable_grad():
            found = preactivations(self.net, framed, self._stages)
            scales = []
            for feature in self.features:
                value = activation_objective(found[feature.stage], feature.channel)
                (gradient,) = torch.autograd.grad(value, framed, retain_graph=True)
                size = float(gradient.square().mean().sqrt())
                scales.append(feature.weight / size if size > 1e-12 else 0.0)
        self._scales = tuple(scales)

    def step(self, picture: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """One step from a picture (1, 3, H, W) in [-1, 1]; ``mask`` (1, 1, H, W) scales it."""
        down, right = (int(torch.randint(self.jitter + 1, (1,), generator=self.generator)) for _ in range(2))
        framed, (top, left) = self._framed(picture, down, right)
        size = (framed.shape[2], framed.shape[3])
        if self.jitter:
            framed = resize(framed, random_scale(size, self.generator))
        framed.requires_grad_()
        with torch.enable_grad():
            found = preactivations(self.net, framed, self._stages)
            parts = [
                scale * activation_objective(found[feature.stage], feature.channel)
                for feature, scale in zip(self.features, self._scales, strict=True)
            ]
            (gradient,) = torch.autograd.grad(torch.stack(parts).sum(), framed)
        gradient = resize(gradient, size)
        height, width = picture.shape[2:]
        gradient = gradient[:, :, top : top + height, left : left + width]
        step = normalise_gradient_pyramid(gradient, self.colour) * self.step_size
        return bounded_step(picture, step if mask is None else step * mask)

    def _framed(self, picture: torch.Tensor, down: int, right: int) -> tuple[torch.Tensor, tuple[int, int]]:
        """The picture with a mirrored margin to multiples of STRIDE; and where it begins (top, left)."""
        sides = (picture.shape[2], picture.shape[3])
        before = (MARGIN + down, MARGIN + right)
        totals = (-(-(side + 2 * MARGIN + self.jitter) // STRIDE) * STRIDE for side in sides)
        rows, columns = (
            mirror_indices(side, start, max(4 * STRIDE, total)).to(picture.device)
            for side, start, total in zip(sides, before, totals, strict=True)
        )
        return picture.detach()[:, :, rows][:, :, :, columns], before
