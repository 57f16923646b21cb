"""What can be asked for: every kind with its parameters, inputs, limits and defaults.

This is the one place that pages, the API, the command line and the worker agree on. Validation
turns untrusted values into a recipe's parameters or raises :class:`InvalidRecipe` with one
message per field; nothing is clamped in silence.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

Text = str | Promise
ParamType = Literal["text", "integer", "number", "boolean", "choice", "style"]
MAX_SEED = 2**63 - 1


class InvalidRecipe(Exception):
    """What was asked for is not in the catalogue. ``errors``: field -> messages for the visitor."""

    def __init__(self, errors: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {' '.join(texts)}" for name, texts in errors.items()))
        self.errors = dict(errors)


class UnknownKind(InvalidRecipe):
    """There is no such kind."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One allowed value and its label."""

    value: str
    label: Text


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """One parameter: its type, limits, default, and how the page shows it.

    ``minimum``/``maximum`` bound numbers, and the length of text. ``percent`` shows a number in
    [0, 1] as 0..100 %. ``advanced`` puts it into the fold.
    """

    name: str
    type: ParamType
    label: Text
    default: Any
    help: Text = ""
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[Choice, ...] = ()
    advanced: bool = False
    percent: bool = False
    multiline: bool = False
    placeholder: Text = ""

    def clean(self, value: Any) -> Any:
        """The value as its proper JSON type. Raises ValueError with a sentence for the visitor."""
        if self.type == "text":
            return self._clean_text(value)
        if self.type == "boolean":
            return _clean_boolean(value)
        if self.type == "style":
            return self._clean_style(value)
        if self.type == "choice":
            if not isinstance(value, str) or value not in {choice.value for choice in self.choices}:
                allowed = ", ".join(choice.value for choice in self.choices)
                raise ValueError(_("Choose one of: %(allowed)s.") % {"allowed": allowed})
            return value
        return self._clean_number(value)

    def _clean_text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(_("This must be text."))
        text = clean_text(value, multiline=self.multiline)
        limit = int(self.maximum or 500)
        if len(text) > limit:
            raise ValueError(
                _("At most %(limit)d characters; this has %(length)d.")
                % {"limit": limit, "length": len(text)}
            )
        if len(text) < (self.minimum or 0):
            raise ValueError(_("This field is required."))
        return text

    def _clean_style(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(_("This must be text."))
        if value and value not in {style.slug for style in styles()}:
            raise ValueError(_("There is no ready style of that name."))
        return value

    def _clean_number(self, value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError(_("Enter a number."))
        try:
            number: int | float = int(value) if self.type == "integer" else float(value)
        except (ValueError, OverflowError):
            raise ValueError(_("Enter a number.")) from None
        if isinstance(value, float) and self.type == "integer" and value != number:
            raise ValueError(_("Enter a whole number."))
        low, high = self.minimum, self.maximum
        if (
            (isinstance(number, float) and not math.isfinite(number))
            or (low is not None and number < low)
            or (high is not None and number > high)
        ):
            raise ValueError(_("Between %(low)s and %(high)s.") % {"low": low, "high": high})
        return number


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A picture that the kind takes: an upload, or a work that the person may see."""

    role: str
    label: Text
    required: bool
    help: Text = ""


@dataclass(frozen=True, slots=True)
class KindSpec:
    """One kind. ``queue`` is the Celery queue of its model family (gan, cnn, rnn).

    ``makes`` is ``picture`` or ``poem``. ``batch_by`` names the parameters that must be equal for
    two jobs to run as one batch; ``batch_limit`` is the most jobs in it.
    """

    slug: str
    queue: str
    label: Text
    verb: Text
    summary: Text
    makes: Literal["picture", "poem"]
    params: tuple[ParamSpec, ...]
    inputs: tuple[InputSpec, ...] = ()
    batch_by: tuple[str, ...] = ()
    batch_limit: int = 8
    examples: tuple[str, ...] = ()

    def param(self, name: str) -> ParamSpec | None:
        """The parameter ``name``, or None."""
        return next((param for param in self.params if param.name == name), None)

    @property
    def main_params(self) -> tuple[ParamSpec, ...]:
        """Parameters that are always visible."""
        return tuple(param for param in self.params if not param.advanced)

    @property
    def advanced_params(self) -> tuple[ParamSpec, ...]:
        """Parameters in the fold."""
        return tuple(param for param in self.params if param.advanced)

    def clean(self, raw: Mapping[str, Any], roles: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Validated parameters, defaults filled in. ``roles``: the input pictures that were brought.

        Raises InvalidRecipe naming every field that is wrong, unknown names included.
        """
        errors: dict[str, list[str]] = {}
        cleaned: dict[str, Any] = {}
        for name in raw:
            if self.param(name) is None:
                errors[name[:64]] = [str(_("There is no such setting."))]
        for param in self.params:
            if param.name not in raw or raw[param.name] is None:
                cleaned[param.name] = param.default
                continue
            try:
                cleaned[param.name] = param.clean(raw[param.name])
            except ValueError as error:
                errors[param.name] = [str(error)]
        for spec in self.inputs:
            if spec.required and spec.role not in roles:
                errors[spec.role] = [str(_("Bring a picture."))]
        for role in roles - {spec.role for spec in self.inputs}:
            errors[role] = [str(_("This kind takes no such picture."))]
        if not errors and self.slug == "restyle" and not cleaned["style"] and "style" not in roles:
            errors["style"] = [str(_("Choose a style, or bring a picture of one."))]
        if errors:
            raise InvalidRecipe(errors)
        return cleaned

    def batch_key(self, parameters: Mapping[str, Any]) -> str:
        """Waiting jobs with equal keys may run as one batch."""
        return ":".join([self.slug, *(str(parameters.get(name)) for name in self.batch_by)])


@dataclass(frozen=True, slots=True)
class Style:
    """A ready style: a code that the restyle network knows by heart."""

    slug: str
    artist: str
    title_en: str
    title_zh: str
    thumbnail: str = field(default="")

    @property
    def title(self) -> str:
        """The title in the visitor's language."""
        return self.title_zh if (get_language() or "en").startswith("zh") else self.title_en


@cache
def styles() -> tuple[Style, ...]:
    """The ready styles, from ``style_catalogue.json``."""
    rows = json.loads((Path(__file__).parent / "style_catalogue.json").read_text("utf-8"))
    return tuple(Style(**row, thumbnail=f"gallery/styles/{row['slug']}.webp") for row in rows)


def clean_text(value: str, *, multiline: bool = False) -> str:
    """Text as it may be stored: NFC, no control characters, no lone surrogates, runs of marks capped.

    Emoji joiners stay; a pile of more than four combining marks on one letter does not.
    """
    text = unicodedata.normalize("NFC", value.encode("utf-8", "ignore").decode("utf-8"))
    kept: list[str] = []
    marks = 0
    for char in text.replace("\r\n", "\n").replace("\r", "\n"):
        if unicodedata.combining(char):
            marks += 1
            if marks > 4:
                continue
        else:
            marks = 0
        if char == "\n" and multiline:
            kept.append(char)
        elif char in "\n\t":
            kept.append(" ")
        elif unicodedata.category(char) != "Cc":
            kept.append(char)
    return "".join(kept).strip()


def clean_seed(value: Any) -> int:
    """A seed in [0, 2**63). Raises ValueError with a sentence for the visitor."""
    spec = ParamSpec("seed", "integer", _("Seed"), 0, minimum=0, maximum=MAX_SEED)
    if isinstance(value, float) or (isinstance(value, str) and not value.strip().isascii()):
        raise ValueError(_("Enter a whole number."))
    try:
        return int(spec.clean(value))
    except ValueError:
        raise ValueError(_("A seed is a whole number from 0 to %(high)d.") % {"high": MAX_SEED}) from None


def _clean_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "on", "1", "yes"}:
        return True
    if isinstance(value, str) and value.lower() in {"", "false", "off", "0", "no"}:
        return False
    raise ValueError(_("Enter yes or no."))


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
    ),
    batch_limit=8,
    examples=(
        "a stormy sea at sunset, Aivazovsky",
        "winter forest, snow, evening light",
        "黄昏的河流与小船",
        "green garden with a bridge, Monet",
    ),
)

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
)

VERSE = KindSpec(
    slug="verse",
    queue="rnn",
    label=_("Verse"),
    verb=_("Write it"),
    summary=_("Give a theme; a recurrent network writes Chinese regulated verse."),
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
    batch_limit=16,
    examples=("江上秋月", "spring rain", "送别", "snow in the mountains"),
)

KINDS: dict[str, KindSpec] = {spec.slug: spec for spec in (PAINT, RESTYLE, VERSE)}
QUEUES: tuple[str, ...] = ("gan", "cnn", "rnn")


def kind(slug: str) -> KindSpec:
    """The kind ``slug``. Raises UnknownKind."""
    spec = KINDS.get(slug)
    if spec is None:
        raise UnknownKind(
            {
                "kind": [
                    str(_("There is no such kind. Choose one of: %(kinds)s.") % {"kinds": ", ".join(KINDS)})
                ]
            }
        )
    return spec
