"""The slow mode of ``restyle``: the picture itself is optimised (Gatys et al. 2016), from coarse to fine.

Style and content are compared in the features of our own classifier. It starts from the picture of the
feed-forward network, so that it may be ended at any step. Loss weights, rates and shares are set by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from workers.engines.stylisation.resizing import mirror_pad
from workers.engines.stylisation.style_statistics import (
    SIDES,
    LayerStatistics,
    StyleStatistics,
    layer_statistics,
)
from workers.engines.vision.geometry import resize
from workers.nets.classifier import STRIDE, Classifier

SHARES = (0.4, 0.35, 0.25)
"""Of the steps at each of SIDES: large shapes are found where a step is cheap."""
CONTENT_STAGE = 2
CONTENT = 1.0
VARIATION = 4.0
LIGHT = 0.3
"""Weight of the difference from the first picture's light at low resolution."""
HUES = 0.2
"""Share by which each step restores the first picture's hues at low resolution: they are the style's already,
and a network that was trained to name paintings is nearly blind to them."""
CHROMA_POOL, LIGHT_POOL = 8, 16  # px that are averaged to compare hues and light
RATE = 0.03  # of Adam
MARGIN = 16  # px mirrored around the picture
LEAST_SIDE = 64  # px of the network's input each way at least
SHIFTS = ((0, 0), (3, 5), (6, 2), (1, 7), (5, 4), (2, 1), (7, 6), (4, 3))
"""(down, right) in px, in turn: at one place the network's strides would leave a grid in the picture."""
WEIGHTS = (1.0, 1.0, 1.0, 0.6)
"""Of the stages in the style loss: the deepest one responds to objects more than to strokes."""

OnStep = Callable[[torch.Tensor, int], bool]


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution: long side in px, and the number of steps there."""

    side: int
    steps: int


def resolution_levels(longest: int, steps: int) -> list[Level]:
    """The resolutions for a picture whose long side is ``longest`` px, at most the last of SIDES."""
    sides = [side for side in SIDES if side < longest] + [min(longest, SIDES[-1])]
    sides = sorted(set(sides))
    shares = SHARES[-len(sides) :]
    counts = [max(1, round(steps * share / sum(shares))) for share in shares]
    counts[0] = max(1, counts[0] + steps - sum(counts))
    return [Level(side, count) for side, count in zip(sides, counts, strict=True)]


def statistics_distance(found: LayerStatistics, wanted: LayerStatistics) -> torch.Tensor:
    """Squared distance of one stage's statistics from ``wanted``, relative to these."""
    scale = wanted.mean.square().mean() + wanted.deviation.square().mean()
    error = (
        (found.mean - wanted.mean).square().mean() + (found.deviation - wanted.deviation).square().mean()
    ) / scale
    if found.gram is not None and wanted.gram is not None:
        error = error + (found.gram - wanted.gram).square().sum() / wanted.gram.square().sum()
    return error


def style_loss(features: Sequence[torch.Tensor], wanted: StyleStatistics) -> torch.Tensor:
    """Style loss of features (1, C, h, w) per stage, weighted by WEIGHTS and summed."""
    total = features[0].new_zeros(())
    for found, stage, weight in zip(features, wanted, WEIGHTS, strict=True):
        total = total + weight * statistics_distance(layer_statistics(found, stage.gram is not None), stage)
    return total


def _variation(x: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbours: noise costs more than edges do."""
    return (x[:, :, 1:] - x[:, :, :-1]).square().mean() + (x[:, :, :, 1:] - x[:, :, :, :-1]).square().mean()


def _hues_and_light(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Hues (the colours without their mean) and light of a picture, at low resolution."""
    light = x.mean(1, keepdim=True)
    return F.avg_pool2d(x - light, CHROMA_POOL), F.avg_pool2d(light, LIGHT_POOL)


def optimise(
    net: Classifier,
    content: torch.Tensor,
    start: torch.Tensor,
    target: Callable[[int], StyleStatistics],
    steps: int,
    on_step: OnStep,
) -> torch.Tensor:
    """``start`` (1, 3, H, W) after ``steps`` steps towards the style and the content; at most 512 px long.

    ``target(side)`` gives the style for pictures of that long side. ``on_step(picture, step)`` is called
    after every step with the picture so far; it may raise to stop, and True from it ends the work here.
    Deterministic.
    """
    height, width = content.shape[2:]
    picture, done = start, 0
    for level in resolution_levels(max(height, width), steps):
        factor = level.side / max(height, width)
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        there = _resized(content, size)
        # What a coarser level changed is carried over; the fine lines of the start stay.
        before = _resized(start, size) + _resized(picture - _resized(start, picture.shape[2:]), size)
        picture, done, enough = _level(
            net, there, before.clamp(-1, 1), target(level.side), level.steps, done, on_step
        )
        if enough:
            break
    full = _resized(start, (height, width))
    changed = _resized(picture - _resized(start, picture.shape[2:]), (height, width))
    return (full + changed).clamp(-1, 1)


def _level(
    net: Classifier,
    content: torch.Tensor,
    start: torch.Tensor,
    wanted: StyleStatistics,
    steps: int,
    done: int,
    on_step: OnStep,
) -> tuple[torch.Tensor, int, bool]:
    framed, (top, left) = mirror_pad(content, MARGIN, LEAST_SIDE, STRIDE)
    begun, _ = mirror_pad(start, MARGIN, LEAST_SIDE, STRIDE)
    kept: dict[tuple[int, int], torch.Tensor] = {}

    def kept_at(shift: tuple[int, int]) -> torch.Tensor:
        """Features of the content, shifted like the picture."""
        if shift not in kept:
            with torch.no_grad():
                kept[shift] = net.features(framed.roll(shift, (2, 3)))[CONTENT_STAGE]
        return kept[shift]

    scale = kept_at(SHIFTS[0]).square().mean() + 1e-6
    hues, light = _hues_and_light(begun)
    pixels = begun.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([pixels], RATE, betas=(0.9, 0.99))
    enough = False

    def visible() -> torch.Tensor:
        return pixels.detach()[:, :, top : top + content.shape[2], left : left + content.shape[3]]

    for step in range(steps):
        # Smaller steps at the end of a level: less noise in its result.
        optimiser.param_groups[0]["lr"] = RATE * (1 - 0.7 * step / steps)
        shift = SHIFTS[step % len(SHIFTS)]
        with torch.enable_grad():
            features = net.features(pixels.roll(shift, (2, 3)))
            error = style_loss(features, wanted)
            error = error + CONTENT * (features[CONTENT_STAGE] - kept_at(shift)).square().mean() / scale
            error = error + VARIATION * _variation(pixels)
            error = error + LIGHT * (_hues_and_light(pixels)[1] - light).square().mean()
            (gradient,) = torch.autograd.grad(error, pixels)
        pixels.grad = gradient
        optimiser.step()
        drift = _hues_and_light(pixels.detach())[0] - hues
        pixels.data -= HUES * F.interpolate(drift, pixels.shape[2:], mode="bilinear", align_corners=False)
        pixels.data.clamp_(-1, 1)
        done += 1
        if on_step(visible(), done):
            enough = True
            break
    return visible().clone(), done, enough


def _resized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return resize(x, size, antialias=True)
