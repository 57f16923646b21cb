"""What the forms of kinds share that take several pictures of one sort: parents of a blend, styles of a mix.

A page shows a fixed number of places side by side; a recipe numbers what is in them without gaps and holds
only what it uses. :meth:`PlacesForm.tidy` leads from one to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.utils.functional import Promise

from gallery.forms.studio import Control, PictureControl, StudioForm
from gallery.models import Artwork, Upload


@dataclass(frozen=True, slots=True)
class Content:
    """What a place holds: a picture, what is wrong with it, and the values of its controls."""

    picture: Upload | Artwork | None
    errors: list[str]
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class InputPlace:
    """One place: a picture, and its share of the result."""

    number: int
    picture: PictureControl
    weight: Control

    @property
    def controls(self) -> tuple[Control, ...]:
        """The parameters that move with the picture."""
        return (self.weight,)

    @property
    def filled(self) -> bool:
        """Whether anything is there."""
        return self.picture.picture is not None

    @property
    def errors(self) -> list[str]:
        """What is wrong with the picture or its share."""
        return self.picture.errors + self.weight.errors

    @property
    def content(self) -> Content:
        """What it holds now."""
        values = tuple(control.value for control in self.controls)
        return Content(self.picture.picture, self.picture.errors, values)

    @property
    def nothing(self) -> Content:
        """What it holds when it is empty."""
        return Content(None, [], tuple(control.spec.default for control in self.controls))

    def hold(self, content: Content) -> None:
        """Hold ``content`` from now on."""
        self.picture.picture, self.picture.errors = content.picture, content.errors
        for control, value in zip(self.controls, content.values, strict=True):
            control.value = value

    def clear(self) -> None:
        """Take away what is there; errors and the share stay until the gaps are closed."""
        self.picture.picture = None


P = TypeVar("P", bound=InputPlace)


class PlacesForm(Generic[P]):
    """A view on a :class:`StudioForm`: its controls by the part that they play on the page."""

    searches = False
    """Whether the page offers works to search and choose from, instead of a strip below each place."""
    no_room: str | Promise
    """What a person reads who adds a picture when every place is taken."""

    def __init__(self, form: StudioForm, places: Sequence[P]) -> None:
        self.form = form
        self.places = list(places)

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return all(place.filled for place in self.places)

    def put(self, work: Artwork) -> None:
        """Give ``work`` the first free place, or say that there is none."""
        place = next((place for place in self.places if not place.filled), None)
        if place is None:
            self.form.errors.append(str(self.no_room))
        else:
            place.picture.picture = work

    def remove(self, number: str) -> None:
        """Take away what is in place ``number``; the others move up."""
        for place in self.places:
            if str(place.number) == number:
                place.clear()
        self._close_gaps()

    def tidy(self) -> None:
        """Number the places without gaps, and put what the recipe does not use back to its default.

        What a page hides in one mode keeps what was set in another; none of that is part of the recipe.
        """
        self._drop_unused()
        self._close_gaps()
        forgotten = self._unused()
        for control in self.form.controls:
            if control.name in forgotten:
                control.value = control.spec.default

    def _drop_unused(self) -> None:
        """Take away pictures and values that the recipe has no use for, before places are numbered."""

    def _unused(self) -> frozenset[str]:
        """Names of the parameters that say nothing about this recipe."""
        raise NotImplementedError

    def _close_gaps(self) -> dict[str, str]:
        """Move what is there to the front; old number -> new number."""
        kept = [place for place in self.places if place.filled or place.picture.errors]
        moved = {str(place.number): str(number) for number, place in enumerate(kept, 1)}
        contents = [place.content for place in kept]
        for index, place in enumerate(self.places):
            place.hold(contents[index] if index < len(contents) else place.nothing)
        return moved
