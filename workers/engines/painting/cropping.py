"""Shapes other than the square: the window of the finished square that suits best."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

ASPECTS = {"1:1": 1.0, "3:2": 3 / 2, "2:3": 2 / 3}
"""Name -> width by height."""
POSITIONS = 5
"""Windows that are looked at, from one edge to the other; the middle one wins a tie."""

Box = tuple[int, int, int, int]


def crop_box(side: int, aspect: str, place: float) -> Box:
    """(left, top, right, bottom) of the largest window of ``aspect`` in a square; ``place`` in [0, 1]."""
    ratio = ASPECTS[aspect]
    width, height = (side, round(side / ratio)) if ratio >= 1 else (round(side * ratio), side)
    left, top = round((side - width) * place), round((side - height) * place)
    return left, top, left + width, top + height


def best_position(
    picture: torch.Tensor, aspect: str, score: Callable[[torch.Tensor], torch.Tensor] | None
) -> float:
    """Where in [0, 1] the window of a square picture (3, S, S) shall be.

    ``score`` judges pictures (N, 3, S, S), larger is better; without it the window with most detail is taken.
    """
    if ASPECTS[aspect] == 1:
        return 0.5
    places = sorted(
        (number / (POSITIONS - 1) for number in range(POSITIONS)), key=lambda place: abs(place - 0.5)
    )
    side = picture.shape[-1]
    boxes = [crop_box(side, aspect, place) for place in places]
    views = torch.stack([picture[:, top:bottom, left:right] for left, top, right, bottom in boxes])
    if score is None:
        values = sum((views.diff(dim=dim).abs().mean((1, 2, 3)) for dim in (2, 3)), torch.zeros(len(views)))
    else:
        values = score(F.interpolate(views, (side, side), mode="bilinear", antialias=True))
    return places[int(values.argmax())]
