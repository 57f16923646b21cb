"""Paint: pictures from a prompt, by the generator."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from gallery.kinds.shared_params import SIZE
from gallery.kinds.specs import Choice, InputSpec, KindSpec, ParamSpec, PictureFacts, Use


def _uses(picture: PictureFacts) -> Iterable[Use]:
    yield Use(_("Paint in its colours"), {"palette": picture.id}, last=True)


PAINT = KindSpec(
    slug="paint",
    queue="gan",
    label=_("Paint"),
    verb=_("Paint it"),
    summary=_("Describe a scene; a generative adversarial network paints it."),
    makes="picture",
    params=(
        ParamSpec(
            "prompt",
            "text",
            _("Prompt"),
            "",
            maximum=500,
            multiline=True,
            placeholder=_("A stormy sea at sunset, Aivazovsky"),
            help=_("Scenes, seasons, light, colours, painters. English or Chinese."),
        ),
        ParamSpec("count", "integer", _("How many"), 4, minimum=1, maximum=16, step=1),
        ParamSpec(
            "truncation",
            "number",
            _("Faithful to wild"),
            0.8,
            minimum=0.1,
            maximum=1.0,
            step=0.05,
            percent=True,
            help=_("Low keeps to what the network does best; high dares more."),
        ),
        SIZE,
        ParamSpec(
            "aspect",
            "choice",
            _("Shape"),
            "1:1",
            choices=(
                Choice("1:1", _("Square")),
                Choice("3:2", _("Landscape (3:2)")),
                Choice("2:3", _("Portrait (2:3)")),
            ),
            advanced=True,
            help=_("Cropped from the square that the network paints."),
        ),
        ParamSpec(
            "candidates",
            "integer",
            _("Best of"),
            1,
            minimum=1,
            maximum=8,
            step=1,
            advanced=True,
            help=_("So many are composed for each picture; the one that fits the prompt best is painted."),
        ),
        ParamSpec(
            "refine",
            "integer",
            _("Refine (steps)"),
            0,
            minimum=0,
            maximum=60,
            step=5,
            advanced=True,
            help=_("Steps towards the prompt, one after the other, while you watch."),
        ),
    ),
    inputs=(
        InputSpec(
            "palette",
            _("Palette"),
            required=False,
            help=_("A picture whose colours are taken over."),
        ),
    ),
    batch_by=("size",),
    batch_limit=8,
    examples=(
        "a stormy sea at sunset, Aivazovsky",
        "winter forest, snow, evening light",
        "黄昏的河流与小船",
        "green garden with a bridge, Monet",
    ),
    medium=_("Generative adversarial network"),
    latent=True,
    uses=_uses,
)
