"""Dream: features of the classifier painted into a picture, or into noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gallery.kinds.features import LONGEST, chosen
from gallery.kinds.shared_params import LONGEST_LOOP_SIDE
from gallery.kinds.specs import Errors, InputSpec, KindSpec, Parameters, ParamSpec, PictureFacts, Use


def _check_dream(parameters: Mapping[str, Any], roles: frozenset[str]) -> Errors:
    if not parameters["zoom"] or parameters["size"] <= LONGEST_LOOP_SIDE:
        return {}
    return {"size": [str(_("A zoom is at most %(side)d px.") % {"side": LONGEST_LOOP_SIDE})]}


def _title(parameters: Parameters) -> str:
    """What was dreamt of, without the weights."""
    wanted = parameters.get("features")
    if not wanted:
        return ""
    names = gettext(", ").join(one.name for one in chosen(wanted))
    return gettext("A dream of %(features)s") % {"features": names}


def _uses(picture: PictureFacts) -> Iterable[Use]:
    yield Use(_("Dream on…"), {"image": picture.id})


DREAM = KindSpec(
    slug="dream",
    queue="cnn",
    label=_("Dream"),
    verb=_("Dream of it"),
    summary=_("Bring a picture, or none; a convolutional network paints into it what it longs to see."),
    makes="picture",
    params=(
        ParamSpec(
            "features",
            "features",
            _("What to dream of"),
            "s3",
            maximum=LONGEST,
            help=_("One or several, each with a weight."),
        ),
        ParamSpec(
            "zoom",
            "boolean",
            _("Zoom for ever"),
            False,
            help=_("A loop that falls into the dream without an end. It takes a few times as long."),
        ),
        ParamSpec("keep_colours", "boolean", _("Keep the picture's own colours"), False),
        ParamSpec("steps", "integer", _("Depth (steps)"), 20, minimum=5, maximum=60, step=5),
        ParamSpec("size", "integer", _("Size (long side, px)"), 512, minimum=256, maximum=1024, step=64),
        ParamSpec(
            "octaves",
            "integer",
            _("Octaves"),
            4,
            minimum=1,
            maximum=6,
            step=1,
            advanced=True,
            help=_("Sizes at which it dreams, one after the other: more give larger shapes."),
        ),
        ParamSpec(
            "octave_scale",
            "number",
            _("From one octave to the next"),
            1.4,
            minimum=1.2,
            maximum=1.8,
            step=0.1,
            advanced=True,
            help=_("How many times as large."),
        ),
        ParamSpec(
            "step_size",
            "number",
            _("Size of a step"),
            0.015,
            minimum=0.005,
            maximum=0.1,
            step=0.005,
            advanced=True,
            help=_("How far each step goes: small is gentle, large is wild."),
        ),
        ParamSpec(
            "jitter",
            "integer",
            _("Jitter (px)"),
            16,
            minimum=0,
            maximum=64,
            step=4,
            advanced=True,
            help=_("The picture trembles between the steps, or the grid of the network would show."),
        ),
        ParamSpec(
            "frames",
            "integer",
            _("Frames of the loop"),
            32,
            minimum=16,
            maximum=64,
            step=16,
            advanced=True,
            help=_("For a zoom: more are a longer way."),
        ),
    ),
    inputs=(
        InputSpec(
            "image",
            _("Picture"),
            required=False,
            help=_("JPEG, PNG, WebP, AVIF or HEIC. Without one it dreams from noise."),
            leading=True,
        ),
    ),
    batch_limit=1,
    check=_check_dream,
    medium=_("Convolutional network"),
    title_of=_title,
    uses=_uses,
)
