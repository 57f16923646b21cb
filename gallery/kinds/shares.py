"""What several inputs of one kind have: a weight each, of which the shares of the mix are made."""

from __future__ import annotations

from collections.abc import Iterable

from gallery.kinds.specs import ParamSpec, Text


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
