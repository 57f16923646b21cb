"""What the recurrent networks are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from gallery.catalogue.specs import Choice, Errors, InputSpec, KindSpec, ParamSpec

RHYMES = (
    "一东", "二冬", "三江", "四支", "五微", "六鱼", "七虞", "八齐", "九佳", "十灰",
    "十一真", "十二文", "十三元", "十四寒", "十五删", "一先", "二萧", "三肴", "四豪", "五歌",
    "六麻", "七阳", "八庚", "九青", "十蒸", "十一尤", "十二侵", "十三覃", "十四盐", "十五咸",
)  # fmt: skip
"""The level rhymes of the Pingshui book, as the poet's weights name them."""


def _check(parameters: Mapping[str, Any], _roles: frozenset[str]) -> Errors:
    """A couplet is answered: there must be a line to answer."""
    if parameters["form"] == "couplet" and not parameters["opening"]:
        return {"opening": [str(_("Give the line that is to be answered: five or seven characters."))]}
    return {}


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
                Choice("couplet", _("The answer to a couplet (对联)")),
            ),
        ),
        ParamSpec(
            "opening",
            "text",
            _("First line, or a draft"),
            "",
            maximum=100,
            placeholder="白日依山尽 / □□□□流",
            help=_(
                "Chinese characters that stay as they are; □ leaves one open, / ends a line. "
                "For a couplet, the line that is to be answered."
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
            "dynasty",
            "choice",
            _("In the manner of"),
            "tang",
            choices=(
                Choice("any", _("no dynasty")),
                Choice("tang", _("the Tang")),
                Choice("song", _("the Song")),
            ),
            advanced=True,
        ),
        ParamSpec(
            "rhyme_book",
            "choice",
            _("Rhymes of"),
            "pingshui",
            choices=(
                Choice("pingshui", _("the tradition (Pingshui)")),
                Choice("modern", _("today's Mandarin")),
            ),
            advanced=True,
        ),
        ParamSpec(
            "rhyme",
            "choice",
            _("Rhyme"),
            "any",
            choices=(Choice("any", _("any rhyme")), *(Choice(name, name) for name in RHYMES)),
            advanced=True,
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
    check=_check,
    examples=("江上秋月", "spring rain", "送别", "snow in the mountains"),
)
