"""The form of a blend: places for parents, what each gives, and what shall come of them."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gallery.forms.input_places import InputPlace, PlacesForm
from gallery.forms.studio import StudioForm
from gallery.kinds.blend import DEPTHS, PARENTS, unused


class BlendForm(PlacesForm[InputPlace]):
    """The controls of a blend by the part that they play on the page."""

    searches = True
    no_room = gettext_lazy("All places are taken: remove a parent first.")

    def __init__(self, form: StudioForm) -> None:
        controls = {control.name: control for control in form.controls}
        pictures = {picture.spec.role: picture for picture in form.pictures}
        super().__init__(
            form,
            [
                InputPlace(number, pictures[f"parent_{number}"], controls[f"weight_{number}"])
                for number in range(1, PARENTS + 1)
            ],
        )
        self.mode = controls["mode"]
        self.depths = [controls[name] for name in DEPTHS]
        self.mutation = controls["mutation"]
        self.count = controls["count"]
        self.frames = controls["frames"]
        placed = {place.weight.name for place in self.places} | {
            "mode", "mutation", "count", "frames", *DEPTHS
        }  # fmt: skip
        self.rest = [control for control in form.controls if control.name not in placed]

    def _drop_unused(self) -> None:
        if self.mode.value == "mutate":
            for place in [place for place in self.places if place.filled][1:]:
                place.clear()
        if self.mode.value != "mix":
            for depth in self.depths:
                depth.value = depth.spec.default

    def _unused(self) -> frozenset[str]:
        return unused(self.form.parameters, self.form.inputs)

    def _close_gaps(self) -> dict[str, str]:
        """Depths that came from a parent follow it to its new number."""
        moved = super()._close_gaps()
        for depth in self.depths:
            if depth.value in moved:
                depth.value = moved[depth.value]
            elif depth.value in {str(place.number) for place in self.places}:
                depth.value = depth.spec.default
                depth.errors.append(_("The parent that this was to come from is not there. Choose again."))
        return moved
