"""What ``restyle`` is asked for: its parameters, and the styles that they and the pictures choose."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from workers import images
from workers.engines.base import InvalidRequest, Task
from workers.engines.request import Request
from workers.engines.stylisation.style_mixing import normalise_weights

STYLE_LONGEST = 1024  # long side up to which a style picture is opened, px
ROLES = ("style", "style_2", "style_3", "style_4")
"""Parameters that name ready styles, and roles of the pictures that replace them."""


@dataclass(frozen=True, slots=True)
class RestyleRequest(Request):
    """The parameters of ``restyle``; ``size`` is the long side of the result in px.

    ``style`` and its like are slugs of ready styles, or empty.
    """

    style: str
    style_2: str
    style_3: str
    style_4: str
    weight_1: float
    weight_2: float
    weight_3: float
    weight_4: float
    strength: float
    style_scale: float
    brush: float
    keep_colours: bool
    size: int
    invert: bool
    slow: bool
    steps: int


@dataclass(frozen=True, slots=True)
class WeightedStyle:
    """One style of a mix: a picture of it, or the slug of a ready one; ``weight`` is its share of one."""

    role: str
    slug: str
    picture: Image.Image | None
    weight: float


def chosen_styles(request: RestyleRequest, task: Task, known: Collection[str]) -> tuple[WeightedStyle, ...]:
    """The styles of a request with shares above 0; a picture in ``task`` comes before the ready style.

    ``known``: slugs of the ready styles of the model. Raises InvalidRequest for another one.
    """
    found: list[WeightedStyle] = []
    for number, role in enumerate(ROLES, 1):
        slug, brought = str(getattr(request, role)), task.inputs.get(role)
        if brought is not None:
            slug, picture = "", images.open_rgb(brought, STYLE_LONGEST)
        elif slug in known:
            picture = None
        elif slug:
            raise InvalidRequest(
                f"unknown style {slug!r}", visitor="There is no such style. Choose another one."
            )
        else:
            continue
        found.append(WeightedStyle(role, slug, picture, float(getattr(request, f"weight_{number}"))))
    # One style alone is all of the mix, whatever its weight.
    shares = normalise_weights([one.weight for one in found]) if len(found) > 1 else [1.0] * len(found)
    return tuple(replace(one, weight=share) for one, share in zip(found, shares, strict=True) if share > 0)


def style_details(styles: Sequence[WeightedStyle]) -> dict[str, Any]:
    """JSON-safe facts: the first ready style, and of a mix what each style gave."""
    found: dict[str, Any] = {"style": next((one.slug for one in styles if one.slug), "")}
    if len(styles) > 1:
        found["mix"] = [{"style": one.slug, "share": round(one.weight, 4)} for one in styles]
        found["weights"] = {one.role: round(one.weight, 4) for one in styles if one.picture is not None}
    return found
