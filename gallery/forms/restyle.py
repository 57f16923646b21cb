"""The form of restyle: places for up to four styles, the region, and what goes together."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _

from gallery import kinds
from gallery.forms.input_places import InputPlace, PlacesForm
from gallery.forms.studio import Control, StudioForm
from gallery.kinds.restyle import STYLES, style_name, unused

STROKES = ("strength", "style_scale", "brush", "size", "keep_colours")


@dataclass(frozen=True, slots=True)
class StylePlace(InputPlace):
    """One place for a style: a ready one or a picture, and its share of the mix."""

    style: Control

    @property
    def controls(self) -> tuple[Control, ...]:
        """The parameters that move with the picture."""
        return self.style, self.weight

    @property
    def filled(self) -> bool:
        """Whether a style is there."""
        return bool(self.style.value) or self.picture.picture is not None

    @property
    def ready(self) -> kinds.Style | None:
        """The ready style that is there, unless a picture was brought."""
        if self.picture.picture is not None:
            return None
        return next((one for one in kinds.styles() if one.slug == self.style.value), None)

    @property
    def errors(self) -> list[str]:
        """What is wrong with the style, its picture or its share; the first style's is told above."""
        own = [] if self.number == 1 else self.style.errors
        return own + self.picture.errors + self.weight.errors

    def clear(self) -> None:
        """Take away the style and its picture."""
        self.picture.picture, self.style.value = None, ""


class RestyleForm(PlacesForm[StylePlace]):
    """The controls of ``restyle`` by the part that they play on the page."""

    no_room = _("Four styles are the most: take one away first.")

    def __init__(self, form: StudioForm) -> None:
        controls = {control.name: control for control in form.controls}
        pictures = {picture.spec.role: picture for picture in form.pictures}
        super().__init__(
            form,
            [
                StylePlace(
                    number,
                    pictures[style_name(number)],
                    controls[f"weight_{number}"],
                    controls[style_name(number)],
                )
                for number in range(1, STYLES + 1)
            ],
        )
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

    def _drop_unused(self) -> None:
        for place in self.places:
            if place.picture.picture is not None:
                place.style.value = ""

    def _unused(self) -> frozenset[str]:
        return unused(self.form.parameters, self.form.inputs)
