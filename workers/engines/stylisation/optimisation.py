"""The slow mode of ``restyle``: the picture itself is optimised (Gatys et al. 2016), from coarse to fine.

Style and content are told by the features of our own classifier. It starts from what the feed-forward network
painted, so that every step makes it better and it may be ended at any of them.
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
from workers.nets.classifier import STRIDE, Classifier

SHARES = (0.4, 0.35, 0.25)
"""Of the steps at each of SIDES: shapes are found where a step is cheap."""
CONTENT_STAGE = 2
CONTENT = 1.0
VARIATION = 4.0
STAY = 0.3
"""Weight of the first picture's light, seen from afar."""
HUES = 0.2
"""How far each step is led back to the first picture's hues, seen from afar: they are the style's already,
and a network that names paintings cares little about them."""
SEEN_FROM = (8, 16)
"""So many pixels are one then."""
STEP = 0.03
MARGIN = 16
SHIFTS = ((0, 0), (3, 5), (6, 2), (1, 7), (5, 4), (2, 1), (7, 6), (4, 3))
"""(down, right) in px, in turn: the network's strides would leave their grid in a picture that stays put."""
WEIGHTS = (1.0, 1.0, 1.0, 0.6)
"""Of the stages in the style loss: the deepest one sees objects more than strokes."""

OnStep = Callable[[torch.Tensor, int], bool]


@dataclass(frozen=True, slots=True)
class Level:
    """One size: long side in px, and how many steps are taken there."""

    side: int
    steps: int


def resolution_levels(longest: int, steps: int) -> list[Level]:
    """The sizes for a picture whose long side is ``longest`` px, at most the last of SIDES."""
    sides = [side for side in SIDES if side < longest] + [min(longest, SIDES[-1])]
    sides = sorted(set(sides))
    shares = SHARES[-len(sides) :]
    counts = [max(1, round(steps * share / sum(shares))) for share in shares]
    counts[0] = max(1, counts[0] + steps - sum(counts))
    return [Level(side, count) for side, count in zip(sides, counts, strict=True)]


def statistics_distance(found: LayerStatistics, wanted: LayerStatistics) -> torch.Tensor:
    """How far one stage's statistics are from the style's, relative to them."""
    scale = wanted.mean.square().mean() + wanted.deviation.square().mean()
    error = (
        (found.mean - wanted.mean).square().mean() + (found.deviation - wanted.deviation).square().mean()
    ) / scale
    if found.gram is not None and wanted.gram is not None:
        error = error + (found.gram - wanted.gram).square().sum() / wanted.gram.square().sum()
    return error


def style_loss(features: Sequence[torch.Tensor], wanted: StyleStatistics) -> torch.Tensor:
    """Style loss of what the network sees, summed over its stages."""
    total = features[0].new_zeros(())
    for found, stage, weight in zip(features, wanted, WEIGHTS, strict=True):
        total = total + weight * statistics_distance(layer_statistics(found, stage.gram is not None), stage)
    return total


def _variation(x: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbours: dots pay, edges hardly do."""
    return (x[:, :, 1:] - x[:, :, :-1]).square().mean() + (x[:, :, :, 1:] - x[:, :, :, :-1]).square().mean()


def _from_afar(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Hues (what is left of the colours without their mean) and light of a picture."""
    light = x.mean(1, keepdim=True)
    return F.avg_pool2d(x - light, SEEN_FROM[0]), F.avg_pool2d(light, SEEN_FROM[1])


def optimise(
    net: Classifier,
    content: torch.Tensor,
    start: torch.Tensor,
    target: Callable[[int], StyleStatistics],
    steps: int,
    on_step: OnStep,
) -> torch.Tensor:
    """Make ``start`` (1, 3, H, W) more like the style and still the content; at most 512 px long.

    ``target(side)`` gives the style for pictures of that long side. ``told(picture, step)`` is called after
    every step with the picture so far; it may raise to stop the work, and True from it ends it here. The
    same call gives the same picture.
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
    framed, (top, left) = mirror_pad(content, MARGIN, 64, STRIDE)
    begun, _ = mirror_pad(start, MARGIN, 64, STRIDE)
    kept: dict[tuple[int, int], torch.Tensor] = {}

    def kept_at(shift: tuple[int, int]) -> torch.Tensor:
        """What the network sees of the content that is shifted like the picture."""
        if shift not in kept:
            with torch.no_grad():
                kept[shift] = net.features(framed.roll(shift, (2, 3)))[CONTENT_STAGE]
        return kept[shift]

    scale = kept_at(SHIFTS[0]).square().mean() + 1e-6
    hues, light = _from_afar(begun)
    pixels = begun.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([pixels], STEP, betas=(0.9, 0.99))
    enough = False

    def visible() -> torch.Tensor:
        return pixels.detach()[:, :, top : top + content.shape[2], left : left + content.shape[3]]

    for step in range(steps):
        # The last steps of a level settle: what they leave is seen.
        optimiser.param_groups[0]["lr"] = STEP * (1 - 0.7 * step / steps)
        shift = SHIFTS[step % len(SHIFTS)]
        with torch.enable_grad():
            features = net.features(pixels.roll(shift, (2, 3)))
            error = style_loss(features, wanted)
            error = error + CONTENT * (features[CONTENT_STAGE] - kept_at(shift)).square().mean() / scale
            error = error + VARIATION * _variation(pixels)
            error = error + STAY * (_from_afar(pixels)[1] - light).square().mean()
            (gradient,) = torch.autograd.grad(error, pixels)
        pixels.grad = gradient
        optimiser.step()
        astray = _from_afar(pixels.detach())[0] - hues
        pixels.data -= HUES * F.interpolate(astray, pixels.shape[2:], mode="bilinear", align_corners=False)
        pixels.data.clamp_(-1, 1)
        done += 1
        if on_step(visible(), done):
            enough = True
            break
    return visible().clone(), done, enough


def _resized(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, tuple(size), mode="bilinear", antialias=True, align_corners=False)
