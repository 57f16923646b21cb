"""What the recurrent networks are asked for."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from gallery.catalogue.specs import Choice, InputSpec, KindSpec, ParamSpec

VERSE = KindSpec(
    slug="verse",
    queue="rnn",
    label=_("Verse"),
    verb=_("Write it"),
    summary=_("Give a theme or a picture; a recurrent network writes Chinese regulated verse."),
    makes="poem",
    params=(
        ParamSpec(
            "prompt",
            "text",
            _("Theme"),
            "",
            maximum=100,
            placeholder=_("autumn moon over the river · 江上秋月"),
            help=_("A word or a phrase, Chinese or English. Empty leaves it to the poet."),
        ),
        ParamSpec(
            "form",
            "choice",
            _("Form"),
            "7jueju",
            choices=(
                Choice("5jueju", _("Five-character quatrain (五言绝句)")),
                Choice("7jueju", _("Seven-character quatrain (七言绝句)")),
                Choice("5lvshi", _("Five-character eight-line verse (五言律诗)")),
                Choice("7lvshi", _("Seven-character eight-line verse (七言律诗)")),
            ),
        ),
        ParamSpec("count", "integer", _("How many"), 1, minimum=1, maximum=8, step=1),
        ParamSpec(
            "acrostic",
            "text",
            _("Acrostic (藏头)"),
            "",
            maximum=8,
            advanced=True,
            help=_("Chinese characters that begin the lines, in order."),
        ),
        ParamSpec(
            "temperature", "number", _("Temperature"), 0.9, minimum=0.3, maximum=1.5, step=0.05, advanced=True
        ),
    ),
    inputs=(
        InputSpec(
            "image",
            _("For a picture"),
            required=False,
            help=_("JPEG, PNG or WebP. What is seen in it becomes the theme, beside your own words."),
            relation="poem_of",
            beside=True,
        ),
    ),
    batch_limit=16,
    examples=("江上秋月", "spring rain", "送别", "snow in the mountains"),
)
