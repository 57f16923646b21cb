"""What excites the classifier: chosen layers and channels, their drive, and gradients that make pictures.

DeepDream (Mordvintsev et al. 2015) and activation maximisation (Olah et al. 2017) climb the gradient of a
channel's drive: what it hears before its last ReLU, so that a silent channel can be woken as well.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F

from workers.nets.classifier import STRIDE, Classifier, Residual

STAGES = ("s0", "s1", "s2", "s3")
"""Depths of :meth:`Classifier.features`, in order."""
MARGIN = 16  # px of mirrored picture around it: the zeros beyond the edge must not excite anything
OCTAVE_STRENGTHS = (0.15, 0.8, 1.0, 0.7, 0.2)
"""Strength of each octave of a gradient, the finest first: the finest is where networks see what nobody else
does, the coarsest only tints."""
EVEN = 0.7  # share by which each neighbourhood, and not only the picture, decides how strong a gradient is
NEIGHBOURHOOD = 8  # neighbourhoods along the short side of a picture
SCALES = (0.87, 0.93, 1.0, 1.08, 1.16)
"""Scales at which a picture is seen, at random from step to step: else the strides leave a mesh. Few of them,
for each size that is new to it costs the CPU's convolution library a preparation."""
BARRIER = 0.9  # share by which a step into pure white or black is shortened
CHROMA = 0.45  # strongest colour that a step makes: the network takes fright at those that nobody painted
COLOUR = 0.2  # share of the gradient's colour: unchecked, dreams are rainbows

_ITEM = re.compile(r"\s*(s[0-9])\s*(?::\s*([0-9]{1,5}))?\s*(?:\*\s*([0-9]*\.?[0-9]+))?\s*")


@dataclass(frozen=True, slots=True)
class Feature:
    """A channel of a stage, or the whole stage (``channel`` None), and how much it counts."""

    stage: str
    channel: int | None = None
    weight: float = 1.0


def channels_of(net: Classifier) -> dict[str, int]:
    """Stage -> how many channels it has."""
    return dict(zip(STAGES, (net.config.stem, *net.config.widths), strict=True))


def parse_features(text: str, channels: dict[str, int]) -> tuple[Feature, ...]:
    """``"s3:17*1.0, s2:5*0.5, s1"`` as features. Raises ValueError saying what is wrong with it."""
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
    """What the ``stages`` hear before their last ReLU, for pictures (N, 3, H, W) in [-1, 1].

    Nothing deeper than the deepest of them is computed. ReLU of it is ``net.features``.
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
    """How much one feature is excited, from the drive (N, C, H, W) of its stage: a number to climb.

    A whole stage wants more of what it sees already, as in the first dreams; but each place counts by the
    length of what it hears and not by its square, or the loudest would take over the picture.
    """
    if channel is None:
        return (F.relu(preactivation).square().sum(1) + 1e-6).sqrt().mean()
    return preactivation[:, channel].mean()


def mirror_indices(length: int, before: int, total: int) -> torch.Tensor:
    """Indices (total,) that mirror ``length`` pixels as often as needed, ``before`` of them in front."""
    period = max(1, 2 * length - 2)
    position = (torch.arange(total) - before) % period
    return torch.where(position < length, position, period - position)


def _blurred(x: torch.Tensor) -> torch.Tensor:
    """Half the size with a small binomial filter: (N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2))."""
    kernel = x.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    channels = x.shape[1]
    rows, columns = kernel.view(1, 1, 5, 1), kernel.view(1, 1, 1, 5)
    x = F.pad(x, (2, 2, 2, 2), mode="replicate")
    x = F.conv2d(x, rows.expand(channels, 1, 5, 1), stride=(2, 1), groups=channels)
    return F.conv2d(x, columns.expand(channels, 1, 1, 5), stride=(1, 2), groups=channels)


def _strength(detail: torch.Tensor) -> torch.Tensor:
    """Root mean square of (N, C, H, W): of the picture and, by EVEN, of the neighbourhood of each place."""
    energy = detail.square().mean(1, keepdim=True)
    whole = energy.mean((2, 3), keepdim=True)
    cell = max(1, min(detail.shape[2:]) // NEIGHBOURHOOD)
    height, width = (max(1, round(side / cell)) for side in detail.shape[2:])
    near = F.adaptive_avg_pool2d(energy, (height, width))
    if min(height, width) > 1:
        near = F.avg_pool2d(near, 3, 1, 1, count_include_pad=False)
    near = F.interpolate(near, detail.shape[2:], mode="bilinear", align_corners=False)
    return torch.lerp(whole, near, EVEN).sqrt().clamp_min(1e-20)


def random_scale(size: tuple[int, int], generator: torch.Generator) -> tuple[int, int]:
    """Height and width of a picture at one of the scales of TREMBLE."""
    scale = SCALES[int(torch.randint(len(SCALES), (1,), generator=generator))]
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def normalise_gradient_pyramid(gradient: torch.Tensor, colour: float = COLOUR) -> torch.Tensor:
    """A gradient (N, 3, H, W) as one that paints: its octaves as strong as LEVELS says; less colour.

    Laplacian pyramid normalisation of the gradient, as in the first DeepDream notebook; the result has a
    root mean square of 1 per picture. ``colour`` 0 leaves light alone.
    """
    grey = gradient.mean(1, keepdim=True)
    rest = torch.lerp(grey, gradient, colour) if colour else grey.expand_as(gradient)
    whole = torch.zeros_like(gradient)
    for level, share in enumerate(OCTAVE_STRENGTHS):
        smaller = min(rest.shape[2:]) >= 4 and level < len(OCTAVE_STRENGTHS) - 1
        if smaller:
            below = _blurred(rest)
            detail = rest - F.interpolate(below, rest.shape[2:], mode="bilinear", align_corners=False)
        else:
            below = detail = rest
        detail = detail / _strength(detail) * share
        whole += (
            F.interpolate(detail, whole.shape[2:], mode="bilinear", align_corners=False) if level else detail
        )
        if not smaller:
            break
        rest = below
    return whole / whole.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-20)


def bounded_step(picture: torch.Tensor, move: torch.Tensor) -> torch.Tensor:
    """``picture + move``, both (N, 3, H, W), in [-1, 1] and no more colourful than CHROMA or than it was."""
    # The nearer to white or black, the shorter the way there: glaring flats would be all that is left.
    light, lighter = picture.mean(1, keepdim=True), move.mean(1, keepdim=True)
    move = move * (1 - BARRIER * F.relu(lighter.sign() * light))
    after = (picture + move).clamp(-1, 1)
    grey = after.mean(1, keepdim=True)
    colour = after - grey
    before = (picture - light).norm(dim=1, keepdim=True)
    most = before.clamp_min(CHROMA)
    share = (most / colour.norm(dim=1, keepdim=True).clamp_min(1e-6)).clamp(max=1)
    return torch.addcmul(grey, colour, share)


def _resized(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(x, size, mode="bilinear", align_corners=False)


class GradientAscent:
    """Climbs towards pictures that excite ``features``, one step at a time.

    ``jitter``: px by which the network's grid moves at random between steps, or its cells would show; with
    any jitter the scale trembles, too.
    Everything random comes from ``generator``.
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
        """Make the features equally loud on a picture of this size: weights then mean what they say."""
        framed = self._framed(picture, 0, 0)[0].requires_grad_()
        with torch.enable_grad():
            heard = preactivations(self.net, framed, self._stages)
            scales = []
            for feature in self.features:
                value = activation_objective(heard[feature.stage], feature.channel)
                (gradient,) = torch.autograd.grad(value, framed, retain_graph=True)
                loudness = float(gradient.square().mean().sqrt())
                scales.append(feature.weight / loudness if loudness > 1e-12 else 0.0)
        self._scales = tuple(scales)

    def step(self, picture: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """One step from a picture (1, 3, H, W) in [-1, 1]; where ``mask`` (1, 1, H, W) is 0 nothing moves."""
        down, right = (int(torch.randint(self.jitter + 1, (1,), generator=self.generator)) for _ in range(2))
        framed, (top, left) = self._framed(picture, down, right)
        size = (framed.shape[2], framed.shape[3])
        if self.jitter:
            framed = _resized(framed, random_scale(size, self.generator))
        framed.requires_grad_()
        with torch.enable_grad():
            heard = preactivations(self.net, framed, self._stages)
            parts = [
                scale * activation_objective(heard[feature.stage], feature.channel)
                for feature, scale in zip(self.features, self._scales, strict=True)
            ]
            (gradient,) = torch.autograd.grad(torch.stack(parts).sum(), framed)
        gradient = _resized(gradient, size)
        height, width = picture.shape[2:]
        gradient = gradient[:, :, top : top + height, left : left + width]
        move = normalise_gradient_pyramid(gradient, self.colour) * self.step_size
        return bounded_step(picture, move if mask is None else move * mask)

    def _framed(self, picture: torch.Tensor, down: int, right: int) -> tuple[torch.Tensor, tuple[int, int]]:
        """The picture with a mirrored frame, in whole cells; and where it begins there (top, left)."""
        sides = (picture.shape[2], picture.shape[3])
        before = (MARGIN + down, MARGIN + right)
        cells = (-(-(side + 2 * MARGIN + self.jitter) // STRIDE) * STRIDE for side in sides)
        rows, columns = (
            mirror_indices(side, start, max(4 * STRIDE, total)).to(picture.device)
            for side, start, total in zip(sides, before, cells, strict=True)
        )
        return picture.detach()[:, :, rows][:, :, :, columns], before
