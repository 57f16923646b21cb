"""The form of a blend: places for parents, what each gives, and what shall come of them.

A view on a :class:`gallery.forms.studio.StudioForm` of the kind ``blend``. Pages show four places side by
side; a recipe numbers its parents without gaps and holds only what its mode uses. :meth:`Mixer.tidy` leads
from one to the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from gallery.catalogue.gan import PARENTS
from gallery.forms.studio import Control, PictureControl, StudioForm
from gallery.models import Artwork

KIND = "blend"
DEPTHS = ("layout_from", "shapes_from", "colour_from")


def unused(parameters: Mapping[str, Any], roles: Collection[str]) -> frozenset[str]:
    """The parameters that say nothing about a blend of pictures in these ``roles``, by their names."""
    mode = parameters.get("mode")
    weights = {f"weight_{number}" for number in range(1, PARENTS + 1)}
    if mode != "mix":
        names = weights | set(DEPTHS)
    else:
        names = {name for name in weights if name.replace("weight", "parent") not in roles}
        names |= {name for name in DEPTHS if parameters.get(name) == "mix"}
    return frozenset(names | ({"mutation", "count"} if mode == "bridge" else {"frames"}))


@dataclass(frozen=True, slots=True)
class Place:
    """One place for a parent: its picture, and how much of it goes into the mix."""

    number: int
    picture: PictureControl
    weight: Control

    @property
    def filled(self) -> bool:
        """Whether a parent is there."""
        return self.picture.picture is not None

    @property
    def errors(self) -> list[str]:
        """What is wrong with the parent or its weight."""
        return self.picture.errors + self.weight.errors


class Mixer:
    """The controls of a blend by the part that they play on the page."""

    def __init__(self, form: StudioForm) -> None:
        controls = {control.name: control for control in form.controls}
        pictures = {picture.spec.role: picture for picture in form.pictures}
        self.form = form
        self.places = [
            Place(number, pictures[f"parent_{number}"], controls[f"weight_{number}"])
            for number in range(1, PARENTS + 1)
        ]
        self.mode = controls["mode"]
        self.depths = [controls[name] for name in DEPTHS]
        self.mutation = controls["mutation"]
        self.count = controls["count"]
        self.frames = controls["frames"]
        placed = {place.weight.name for place in self.places} | {
            "mode", "mutation", "count", "frames", *DEPTHS
        }  # fmt: skip
        self.rest = [control for control in form.controls if control.name not in placed]

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return all(place.filled for place in self.places)

    def put(self, work: Artwork) -> None:
        """Give ``work`` the first free place, or say that there is none."""
        place = next((place for place in self.places if not place.filled), None)
        if place is None:
            self.form.errors.append(_("All places are taken: remove a parent first."))
        else:
            place.picture.picture = work

    def remove(self, number: str) -> None:
        """Take the parent in place ``number`` away; the others move up."""
        for place in self.places:
            if str(place.number) == number:
                place.picture.picture = None
        self._close_gaps()

    def tidy(self) -> None:
        """Number the parents without gaps, and put what the mode does not use back to its default.

        What a page hides in one mode keeps what was set in another; none of that is part of the recipe.
        """
        if self.mode.value == "mutate":
            for place in [place for place in self.places if place.filled][1:]:
                place.picture.picture = None
        if self.mode.value != "mix":
            for depth in self.depths:
                depth.value = depth.spec.default
        self._close_gaps()
        forgotten = unused(self.form.parameters, self.form.inputs)
        for control in self.form.controls:
            if control.name in forgotten:
                control.value = control.spec.default

    def _close_gaps(self) -> None:
        """Move parents with their weights to the front; depths that were theirs follow them."""
        parents = [
            (str(place.number), place.picture.picture, place.picture.errors, place.weight.value)
            for place in self.places
            if place.filled or place.picture.errors
        ]
        moved = {old: str(new) for new, (old, *_rest) in enumerate(parents, 1)}
        for index, place in enumerate(self.places):
            if index < len(parents):
                _old, place.picture.picture, place.picture.errors, place.weight.value = parents[index]
            else:
                place.picture.picture, place.picture.errors = None, []
                place.weight.value = place.weight.spec.default
        for depth in self.depths:
            if depth.value in moved:
                depth.value = moved[depth.value]
            elif depth.value in {str(place.number) for place in self.places}:
                depth.value = depth.spec.default
                depth.errors.append(_("The parent that this was to come from is not there. Choose again."))
