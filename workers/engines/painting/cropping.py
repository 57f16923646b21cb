"""Aspect ratios other than the square: the best crop of the finished square."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

ASPECTS = {"1:1": 1.0, "3:2": 3 / 2, "2:3": 2 / 3}
"""Name -> width by height."""
POSITIONS = 5
"""Crops that are compared, from one edge to the other; the middle one wins a tie."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in px."""


def crop_box(side: int, aspect: str, position: float) -> Box:
    """The largest crop of ``aspect`` in a square of ``side`` px; ``position`` in [0, 1] along its slack."""
    ratio = ASPECTS[aspect]
    width, height = (side, round(side / ratio)) if ratio >= 1 else (round(side * ratio), side)
    left, top = round((side - width) * position), round((side - height) * position)
    return left, top, left + width, top + height


def best_position(
    picture: torch.Tensor, aspect: str, score: Callable[[torch.Tensor], torch.Tensor] | None
) -> float:
    """The position in [0, 1] of the best crop of a square picture (3, S, S).

    ``score`` rates pictures (N, 3, S, S), larger is better; without it the crop with most detail is taken.
    """
    if ASPECTS[aspect] == 1:
        return 0.5
    positions = sorted((k / (POSITIONS - 1) for k in range(POSITIONS)), key=lambda one: abs(one - 0.5))
    side = picture.shape[-1]
    boxes = [crop_box(side, aspect, position) for position in positions]
    crops = torch.stack([picture[:, top:bottom, left:right] for left, top, right, bottom in boxes])
    if score is None:
        values = sum((crops.diff(dim=dim).abs().mean((1, 2, 3)) for dim in (2, 3)), torch.zeros(len(crops)))
    else:
        values = score(F.interpolate(crops, (side, side), mode="bilinear", antialias=True))
    return positions[int(values.argmax())]
