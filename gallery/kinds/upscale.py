"""Upscale: the same picture, twice or four times as large."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from gallery.kinds.specs import (
    Choice,
    Errors,
    InputSpec,
    KindSpec,
    PageParts,
    ParamSpec,
    PictureFacts,
    Use,
)

LONGEST_SIDE = 4096
"""Longest side of an enlarged picture, px."""


FACTORS = (Choice("2", _("Twice")), Choice("4", _("Four times")))


def factors_of(picture: PictureFacts) -> list[str]:
    """The factors by which a picture can be enlarged: those that keep its long side within the limit."""
    if picture.is_animation:
        return []
    longest = max(picture.width, picture.height)
    return [choice.value for choice in FACTORS if longest * int(choice.value) <= LONGEST_SIDE]


def _uses(picture: PictureFacts) -> Iterable[Use]:
    if factors_of(picture):
        yield Use(_("Enlarge…"), {"image": picture.id})


def _check_upscale_sizes(parameters: Mapping[str, Any], sizes: Mapping[str, tuple[int, int]]) -> Errors:
    factor = int(parameters["factor"])
    longest = max(sizes.get("image", (0, 0)))
    if longest * factor <= LONGEST_SIDE:
        return {}
    sentence = _("The result may be at most %(most)d px long: %(factor)d times %(side)d px is too large.")
    return {"factor": [str(sentence % {"most": LONGEST_SIDE, "factor": factor, "side": longest})]}


_COMPARED = PageParts(styles=("gallery/css/compare.css",), scripts=("gallery/js/compare.js",))

UPSCALE = KindSpec(
    slug="upscale",
    queue="gan",
    label=_("Enlarge"),
    verb=_("Enlarge it"),
    summary=_("Bring a picture; a network enlarges it and paints the brushwork that was too small to see."),
    makes="picture",
    params=(
        ParamSpec(
            "factor",
            "choice",
            _("How much larger"),
            "2",
            choices=FACTORS,
        ),
        ParamSpec(
            "texture",
            "number",
            _("Brushwork"),
            0.5,
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            percent=True,
            help=_("How much may be invented."),
        ),
    ),
    inputs=(InputSpec("image", _("Picture"), required=True, help=_("JPEG, PNG, WebP, AVIF or HEIC.")),),
    batch_limit=1,
    check_sizes=_check_upscale_sizes,
    medium=_("Super-resolution network"),
    unnamed=lambda _parameters: _("Enlarged"),
    uses=_uses,
    job_page=_COMPARED,
    work_page=_COMPARED,
    next_template="kinds/upscale/_next.html",
    compare_with="image",
)
