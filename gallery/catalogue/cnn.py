"""What the convolutional networks are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from gallery.catalogue.specs import Errors, InputSpec, KindSpec, ParamSpec


def _check_restyle(parameters: Mapping[str, Any], roles: frozenset[str]) -> Errors:
    if parameters["style"] or "style" in roles:
        return {}
    return {"style": [str(_("Choose a style, or bring a picture of one."))]}


RESTYLE = KindSpec(
    slug="restyle",
    queue="cnn",
    label=_("Restyle"),
    verb=_("Repaint it"),
    summary=_("Bring a picture; a convolutional network repaints it in any style."),
    makes="picture",
    params=(
        ParamSpec("style", "style", _("Style"), "", help=_("A ready style, or bring a picture of your own.")),
        ParamSpec(
            "strength", "number", _("Strength"), 0.75, minimum=0.0, maximum=1.0, step=0.05, percent=True
        ),
        ParamSpec("keep_colours", "boolean", _("Keep the picture's own colours"), False),
        ParamSpec(
            "size",
            "integer",
            _("Size (long side, px)"),
            512,
            minimum=256,
            maximum=1024,
            step=64,
            advanced=True,
        ),
    ),
    inputs=(
        InputSpec("image", _("Picture"), required=True, help=_("JPEG, PNG or WebP.")),
        InputSpec("style", _("Style picture"), required=False, help=_("Instead of a ready style.")),
    ),
    batch_by=("size",),
    batch_limit=1,
    check=_check_restyle,
)
