"""Restyle: a picture repainted in one style or a mix of up to four."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gallery.kinds.shared_params import weight_params
from gallery.kinds.specs import Errors, InputSpec, KindSpec, PageParts, Parameters, ParamSpec
from gallery.kinds.styles import styles

STYLES = 4
"""Most styles in one mix."""
_STYLE_LABELS = (_("Style"), _("Second style"), _("Third style"), _("Fourth style"))
_PICTURE_LABELS = (
    _("Style picture"),
    _("Second style picture"),
    _("Third style picture"),
    _("Fourth style picture"),
)
_WEIGHT_LABELS = (
    _("Share of the first style"),
    _("Share of the second style"),
    _("Share of the third style"),
    _("Share of the fourth style"),
)
MASK_ASPECT = 0.03
"""How far the shapes of a region and its picture may differ."""


def style_name(number: int) -> str:
    """Name of the ready style, and role of the style picture, in place 1 to 4."""
    return "style" if number == 1 else f"style_{number}"


def _check_restyle(parameters: Mapping[str, Any], roles: frozenset[str]) -> Errors:
    errors: dict[str, list[str]] = {}
    chosen = [
        number
        for number in range(1, STYLES + 1)
        if parameters[style_name(number)] or style_name(number) in roles
    ]
    if not chosen:
        errors["style"] = [str(_("Choose a style, or bring a picture of one."))]
    elif len(chosen) > 1 and not any(parameters[f"weight_{number}"] for number in chosen):
        errors[f"weight_{chosen[0]}"] = [str(_("At least one style needs a share above 0 %."))]
    return errors


def _check_restyle_sizes(parameters: Mapping[str, Any], sizes: Mapping[str, tuple[int, int]]) -> Errors:
    if "mask" not in sizes or "image" not in sizes:
        return {}
    (wide, tall), (width, height) = sizes["mask"], sizes["image"]
    # A mask is small: one pixel of rounding may be more than the tolerance.
    rounding = 1 / min(wide, tall) + 1 / min(width, height)
    if abs(wide * height / (tall * width) - 1) <= MASK_ASPECT + rounding:
        return {}
    return {"mask": [str(_("The region has another shape than the picture. Paint it on this picture."))]}


def unused(parameters: Parameters, roles: Collection[str]) -> frozenset[str]:
    """The parameters that say nothing about a picture repainted with these ``roles``, by their names."""
    chosen = [
        number
        for number in range(1, STYLES + 1)
        if parameters.get(style_name(number)) or style_name(number) in roles
    ]
    weighted = chosen if len(chosen) > 1 else []
    names = {f"weight_{number}" for number in range(1, STYLES + 1) if number not in weighted}
    if not parameters.get("slow"):
        names |= {"slow", "steps"}
    if "mask" not in roles:
        names.add("invert")
    return frozenset(names)


def _title(parameters: Parameters) -> str:
    """What is painted after ready styles, as museums say it."""
    titles = {style.slug: style.title for style in styles()}
    chosen = [parameters.get(style_name(number)) for number in range(1, STYLES + 1)]
    named = [str(titles[slug]) for slug in chosen if slug in titles]
    # Translators: between two titles, inside of their quotation marks.
    return gettext("After “%(title)s”") % {"title": gettext("”, “").join(named)} if named else ""


RESTYLE = KindSpec(
    slug="restyle",
    queue="cnn",
    label=_("Restyle"),
    verb=_("Repaint it"),
    summary=_("Bring a picture; a convolutional network repaints it in any style, or in a mix of four."),
    makes="picture",
    params=(
        ParamSpec("style", "style", _STYLE_LABELS[0], "", help=_("A ready style, or a picture of your own.")),
        *(
            ParamSpec(style_name(number), "style", _STYLE_LABELS[number - 1], "")
            for number in range(2, STYLES + 1)
        ),
        *weight_params(_WEIGHT_LABELS),
        ParamSpec(
            "strength", "number", _("Strength"), 0.75, minimum=0.0, maximum=1.0, step=0.05, percent=True
        ),
        ParamSpec(
            "style_scale",
            "number",
            _("Style scale"),
            1.0,
            minimum=0.5,
            maximum=2.0,
            step=0.1,
            percent=True,
            help=_("How large the pattern of the style is in the picture."),
        ),
        ParamSpec(
            "brush",
            "number",
            _("Brush"),
            0.5,
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            percent=True,
            help=_("Fine keeps more of the picture, broad leaves more to the strokes."),
        ),
        ParamSpec("keep_colours", "boolean", _("Keep the picture's own colours"), False),
        ParamSpec("size", "integer", _("Size (long side, px)"), 512, minimum=256, maximum=2048, step=64),
        ParamSpec("invert", "boolean", _("Repaint outside of the region instead"), False),
        ParamSpec(
            "slow",
            "boolean",
            _("Slow and best"),
            False,
            help=_(
                "The picture itself is optimised, from coarse to fine, while you watch. It takes a minute or "
                "more; end it when you like what you see."
            ),
        ),
        ParamSpec(
            "steps",
            "integer",
            _("Steps at most"),
            120,
            minimum=20,
            maximum=400,
            step=20,
        ),
    ),
    inputs=(
        InputSpec("image", _("Picture"), required=True, help=_("JPEG, PNG, WebP, AVIF or HEIC.")),
        *(
            InputSpec(style_name(number), label, required=False, help=_("Instead of a ready style."))
            for number, label in enumerate(_PICTURE_LABELS, 1)
        ),
        InputSpec(
            "mask",
            _("Region"),
            required=False,
            help=_("A picture of the same shape: white where it shall be repainted, black elsewhere."),
        ),
    ),
    batch_by=("size",),
    batch_limit=1,
    check=_check_restyle,
    check_sizes=_check_restyle_sizes,
    seeded=False,
    medium=_("Convolutional network"),
    title_of=_title,
    unnamed=lambda _parameters: _("Repainted"),
    unused=unused,
    form_page=PageParts(
        "kinds/restyle/_form.html",
        ("gallery/css/restyle.css",),
        ("gallery/js/stylemix.js", "gallery/js/region.js"),
    ),
    form_class="gallery.forms.restyle.RestyleForm",
)
