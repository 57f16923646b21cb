"""What a task of ``restyle`` asks for, understood: its picture, styles with weights, controls, region."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from PIL import Image

from workers import images
from workers.engines.base import InvalidRequest, Task
from workers.engines.stylisation.region_mask import region_of
from workers.engines.stylisation.style_mixing import MOST, shares_of

STYLE_LONGEST = 1024


def place_name(number: int) -> str:
    """Role of a style picture and parameter of a ready style in place 1 to 4: ``style``, ``style_2`` ..."""
    return "style" if number == 1 else f"style_{number}"


@dataclass(frozen=True, slots=True)
class Manner:
    """One style of a mix: a picture of it, or the slug of a ready one; ``weight`` is its share."""

    role: str
    slug: str
    picture: Image.Image | None
    weight: float


@dataclass(frozen=True, slots=True)
class Wish:
    """One request, understood."""

    content: Image.Image
    styles: tuple[Manner, ...]
    strength: float
    keep_colours: bool
    size: int  # long side of the result in px
    brush: float
    style_scale: float
    mask: Image.Image | None
    invert: bool
    slow: bool
    steps: int

    def region(self, size: tuple[int, int]) -> Image.Image | None:
        """Where something may change in a picture of ``size``; None: everywhere. Raises InvalidRequest."""
        return None if self.mask is None else region_of(self.mask, size, self.invert)

    def details(self) -> dict[str, Any]:
        """JSON-safe facts: the first ready style, and of a mix what each style gave."""
        found: dict[str, Any] = {"style": next((one.slug for one in self.styles if one.slug), "")}
        if len(self.styles) > 1:
            found["mix"] = [{"style": one.slug, "share": round(one.weight, 4)} for one in self.styles]
            found["weights"] = {
                one.role: round(one.weight, 4) for one in self.styles if one.picture is not None
            }
        return found


def understand(task: Task, known: Collection[str]) -> Wish:
    """The wish of ``task``; ``known``: slugs of ready styles. Raises InvalidRequest with a sentence."""
    parameters = task.parameters
    if "image" not in task.inputs:
        raise InvalidRequest("no input 'image'", visitor="Bring a picture to repaint.")
    styles = _styles(task, known)
    mask = task.inputs.get("mask")
    return Wish(
        content=images.open_rgb(task.inputs["image"]),
        styles=styles,
        strength=_between(parameters.get("strength", 1.0), 0, 1),
        keep_colours=bool(parameters.get("keep_colours", False)),
        size=int(parameters.get("size", 768)),
        brush=_between(parameters.get("brush", 0.5), 0, 1),
        style_scale=_between(parameters.get("style_scale", 1.0), 0.5, 2),
        mask=None if mask is None else images.open_rgb(mask),
        invert=bool(parameters.get("invert", False)),
        slow=bool(parameters.get("slow", False)),
        steps=max(1, int(parameters.get("steps", 120))),
    )


def _styles(task: Task, known: Collection[str]) -> tuple[Manner, ...]:
    found: list[Manner] = []
    for number in range(1, MOST + 1):
        name = place_name(number)
        slug = str(task.parameters.get(name) or "")
        brought = task.inputs.get(name)
        if brought is None and not slug:
            continue
        if brought is None and slug not in known:
            raise InvalidRequest(
                f"unknown style {slug!r}", visitor="There is no such style. Choose another one."
            )
        weight = float(task.parameters.get(f"weight_{number}", 0.5))
        # A style picture that somebody brought comes before the list: they did more to choose it.
        picture = None if brought is None else images.open_rgb(brought, STYLE_LONGEST)
        found.append(Manner(name, slug if brought is None else "", picture, weight))
    if not found:
        raise InvalidRequest(
            "neither a style nor a style picture", visitor="Choose a style or bring a style picture."
        )
    if len(found) == 1:
        return (Manner(found[0].role, found[0].slug, found[0].picture, 1.0),)
    try:
        shares = shares_of([one.weight for one in found])
    except ValueError as error:
        raise InvalidRequest(str(error), visitor="At least one style needs a weight above 0 %.") from error
    return tuple(
        Manner(one.role, one.slug, one.picture, share)
        for one, share in zip(found, shares, strict=True)
        if share > 0
    )


def _between(value: Any, low: float, high: float) -> float:
    return min(high, max(low, float(value)))
