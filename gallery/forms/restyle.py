"""The form of restyle: places for up to four styles, the region, and what goes together.

A view on a :class:`gallery.forms.studio.StudioForm` of the kind ``restyle``, as :mod:`gallery.forms.blend` is
on that of ``blend``: a recipe numbers its styles without gaps and holds only what it uses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from gallery import catalogue
from gallery.catalogue.cnn import STYLES, style_name
from gallery.forms.studio import Control, PictureControl, StudioForm
from gallery.models import Artwork, Upload

KIND = "restyle"
_Taken = tuple[Any, Upload | Artwork | None, list[str], Any]
"""What a place holds: its ready style, its picture with what is wrong with it, and its share."""
STROKES = ("strength", "style_scale", "brush", "size", "keep_colours")


def unused(parameters: Mapping[str, Any], roles: Collection[str]) -> frozenset[str]:
    """The parameters that say nothing about a picture repainted with these ``roles``, by their names."""
    chosen = [
        number
        for number in range(1, STYLES + 1)
        if parameters.get(style_name(number)) or style_name(number) in roles
    ]
    heard = chosen if len(chosen) > 1 else []
    names = {f"weight_{number}" for number in range(1, STYLES + 1) if number not in heard}
    if not parameters.get("slow"):
        names |= {"slow", "steps"}
    if "mask" not in roles:
        names.add("invert")
    return frozenset(names)


@dataclass(frozen=True, slots=True)
class Place:
    """One place for a style: a ready one or a picture, and its share of the mix."""

    number: int
    style: Control
    picture: PictureControl
    weight: Control

    @property
    def filled(self) -> bool:
        """Whether a style is there."""
        return bool(self.style.value) or self.picture.picture is not None

    @property
    def ready(self) -> catalogue.Style | None:
        """The ready style that is there, unless a picture was brought."""
        if self.picture.picture is not None:
            return None
        return next((one for one in catalogue.styles() if one.slug == self.style.value), None)

    @property
    def errors(self) -> list[str]:
        """What is wrong with the style, its picture or its share; the first style's is told above."""
        own = [] if self.number == 1 else self.style.errors
        return own + self.picture.errors + self.weight.errors


class StyleMix:
    """The controls of ``restyle`` by the part that they play on the page."""

    def __init__(self, form: StudioForm) -> None:
        controls = {control.name: control for control in form.controls}
        pictures = {picture.spec.role: picture for picture in form.pictures}
        self.form = form
        self.places = [
            Place(
                number,
                controls[style_name(number)],
                pictures[style_name(number)],
                controls[f"weight_{number}"],
            )
            for number in range(1, STYLES + 1)
        ]
        self.mask = pictures["mask"]
        self.invert = controls["invert"]
        self.strokes = [controls[name] for name in STROKES]
        self.slow = controls["slow"]
        self.steps = controls["steps"]

    @property
    def mixed(self) -> bool:
        """Whether there is more than one style."""
        return sum(place.filled for place in self.places) > 1

    @property
    def more_open(self) -> bool:
        """Whether the fold of further styles, which pages without scripts have, hides something."""
        return any(place.filled or place.errors for place in self.places[1:])

    def put(self, work: Artwork) -> None:
        """Give ``work`` the first free place, or say that there is none."""
        place = next((place for place in self.places if not place.filled), None)
        if place is None:
            self.form.errors.append(_("Four styles are the most: take one away first."))
        else:
            place.picture.picture = work

    def remove(self, number: str) -> None:
        """Take the style in place ``number`` away; the others move up."""
        for place in self.places:
            if str(place.number) == number:
                place.picture.picture, place.style.value = None, ""
        self._close_gaps()

    def tidy(self) -> None:
        """Number the styles without gaps, and put what the recipe does not use back to its default."""
        for place in self.places:
            if place.picture.picture is not None:
                place.style.value = ""
        self._close_gaps()
        forgotten = unused(self.form.parameters, self.form.inputs)
        for control in self.form.controls:
            if control.name in forgotten:
                control.value = control.spec.default

    def _close_gaps(self) -> None:
        """Move styles with their shares to the front."""
        kept = [
            (place.style.value, place.picture.picture, place.picture.errors, place.weight.value)
            for place in self.places
            if place.filled or place.picture.errors
        ]
        for index, place in enumerate(self.places):
            nothing: _Taken = ("", None, [], place.weight.spec.default)
            style, picture, errors, weight = kept[index] if index < len(kept) else nothing
            place.style.value, place.weight.value = style, weight
            place.picture.picture, place.picture.errors = picture, errors
