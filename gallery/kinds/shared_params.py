"""Parameters that several kinds have."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from gallery.kinds.specs import Choice, ParamSpec, Text

LONGEST_LOOP_SIDE = 512
"""A loop has dozens of frames: this is the side, in px, up to which a browser plays them well."""

SIZE = ParamSpec(
    "size",
    "choice",
    _("Size"),
    "512",
    choices=(
        Choice("512", _("512 px")),
        Choice("1024", _("1024 px")),
        Choice("256", _("256 px, a sketch")),
    ),
)


def weight_params(labels: Iterable[Text]) -> tuple[ParamSpec, ...]:
    """``weight_1``, ``weight_2`` ... with these labels: 0..1, shown in percent, all equal by default."""
    return tuple(
        ParamSpec(
            f"weight_{number}",
            "number",
            label,
            0.5,
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            percent=True,
        )
        for number, label in enumerate(labels, 1)
    )
