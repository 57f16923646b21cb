"""Blend: children of two to four works, mutations of one, or a loop from each to the next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from gallery.kinds.shared_params import LONGEST_LOOP_SIDE, SIZE, weight_params
from gallery.kinds.specs import (
    Choice,
    Errors,
    InputSpec,
    KindSpec,
    Note,
    PageParts,
    Parameters,
    ParamSpec,
    PictureFacts,
    Text,
    Use,
)

PARENTS = 4
"""Most works that one child has."""
_PARENT_LABELS = (_("First parent"), _("Second parent"), _("Third parent"), _("Fourth parent"))
_WEIGHT_LABELS = (
    _("Share of the first"),
    _("Share of the second"),
    _("Share of the third"),
    _("Share of the fourth"),
)
_DEPTHS = (
    ("layout_from", _("Layout from")),
    ("shapes_from", _("Shapes from")),
    ("colour_from", _("Colour and brush from")),
)
DEPTHS = tuple(name for name, _label in _DEPTHS)
"""Parameters that say which parent gives one depth of the generator."""
_UNNAMED: Mapping[str, Text] = {
    "mix": _("A child"),
    "mutate": _("A mutation"),
    "bridge": _("A bridge"),
}
_SOURCES = (
    Choice("mix", _("The mix")),
    *(Choice(str(number), label) for number, label in enumerate(_PARENT_LABELS, 1)),
)


def _check_blend(parameters: Mapping[str, Any], roles: frozenset[str]) -> Errors:
    """Who may be mixed, mutated and bridged, and whose depths may be asked for."""
    errors: dict[str, list[str]] = {}
    brought = [number for number in range(1, PARENTS + 1) if f"parent_{number}" in roles]
    mode = parameters["mode"]
    if mode == "mutate":
        for number in brought[1:]:
            errors[f"parent_{number}"] = [str(_("A mutation has one parent. Take this picture away."))]
        if not parameters["mutation"]:
            errors["mutation"] = [str(_("Nothing would change: choose a strength above 0 %."))]
    elif len(brought) < 2:
        errors["parent_2"] = [str(_("Bring at least two parents."))]
    elif not any(parameters[f"weight_{number}"] for number in brought):
        errors["weight_1"] = [str(_("At least one parent needs a share above 0 %."))]
    if mode == "bridge" and int(parameters["size"]) > LONGEST_LOOP_SIDE:
        errors["size"] = [str(_("A bridge is at most %(side)d px.") % {"side": LONGEST_LOOP_SIDE})]
    for name, _label in _DEPTHS:
        chosen = parameters[name]
        if chosen != "mix" and int(chosen) not in brought:
            errors[name] = [str(_("This parent was not brought."))]
    return errors


def unused(parameters: Parameters, roles: Collection[str]) -> frozenset[str]:
    """The parameters that say nothing about a blend of pictures in these ``roles``, by their names."""
    mode = parameters.get("mode")
    weights = {f"weight_{number}" for number in range(1, PARENTS + 1)}
    if mode != "mix":
        names = weights | set(DEPTHS)
    else:
        names = {name for name in weights if name.replace("weight", "parent") not in roles}
        names |= {name for name in DEPTHS if parameters.get(name) == "mix"}
    return frozenset(names | ({"mutation", "count"} if mode == "bridge" else {"frames"}))


def _unnamed(parameters: Parameters) -> Text:
    return _UNNAMED.get(str(parameters.get("mode", "")), _("Untitled"))


def _uses(picture: PictureFacts) -> Iterable[Use]:
    yield Use(_("Blend with…"), {"parent_1": picture.id})
    yield Use(_("Mutate…"), {"mode": "mutate", "parent_1": picture.id})


def _likeness_sentence(note: Note) -> str:
    """Which parents had no latent, so that the generator looked for likenesses of its own."""
    parents = [str(number) for number in note.get("parents", [])][:PARENTS]
    if not parents:
        return ""
    return ngettext(
        "The picture of parent %(parents)s was not painted by this network: it looked for a likeness of its "
        "own, and that became the parent.",
        "The pictures of parents %(parents)s were not painted by this network: it looked for likenesses of "
        "its own, and those became the parents.",
        len(parents),
    ) % {"parents": gettext(", ").join(parents)}


BLEND = KindSpec(
    slug="blend",
    queue="gan",
    label=_("Blend"),
    verb=_("Blend them"),
    summary=_("Give paintings children: mix two to four, mutate one, or walk from one to the next."),
    makes="picture",
    params=(
        ParamSpec(
            "mode",
            "choice",
            _("What to make"),
            "mix",
            choices=(
                Choice("mix", _("A mix of two or more")),
                Choice("mutate", _("Mutations of one")),
                Choice("bridge", _("A bridge: a loop from each to the next")),
            ),
        ),
        *weight_params(_WEIGHT_LABELS),
        ParamSpec("count", "integer", _("How many children"), 4, minimum=1, maximum=8, step=1),
        ParamSpec(
            "mutation",
            "number",
            _("Mutation"),
            0.0,
            minimum=0.0,
            maximum=1.0,
            step=0.05,
            percent=True,
            help=_("How far chance may carry a child away from its parents."),
        ),
        SIZE,
        ParamSpec(
            "frames",
            "integer",
            _("Frames of the loop"),
            48,
            minimum=16,
            maximum=96,
            step=8,
            advanced=True,
            help=_("For a bridge: more are smoother and take longer."),
        ),
        *(
            ParamSpec(name, "choice", label, "mix", choices=_SOURCES, advanced=True)
            for name, label in _DEPTHS
        ),
    ),
    inputs=tuple(
        InputSpec(f"parent_{number}", label, required=number == 1)
        for number, label in enumerate(_PARENT_LABELS, 1)
    ),
    # A bridge needs many times the memory of a mix: they do not share a batch.
    batch_by=("size", "mode"),
    batch_limit=8,
    check=_check_blend,
    defaults={("mode", "mutate"): {"mutation": 0.4}},
    medium=_("Generative adversarial network"),
    latent=True,
    unnamed=_unnamed,
    unused=unused,
    uses=_uses,
    notes={"projected": _likeness_sentence},
    form_page=PageParts("kinds/blend/_form.html", ("gallery/css/mixer.css",), ("gallery/js/mixer.js",)),
    job_page=PageParts(
        "kinds/blend/_job.html",
        ("gallery/css/studio.css", "gallery/css/mixer.css"),
        ("gallery/js/mixer.js", "gallery/js/studio.js"),
    ),
    next_template="kinds/blend/_next.html",
    form_class="gallery.forms.blend.BlendForm",
    on_job_page=True,
)
