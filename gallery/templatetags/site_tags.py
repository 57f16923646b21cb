"""What templates need besides variables: shapes, words for codes, addresses of pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from django import template
from django.contrib.staticfiles import finders
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from gallery import kinds as catalogue
from gallery.forms import blend, restyle
from gallery.kinds import features
from gallery.kinds.restyle import STYLES, style_name
from gallery.models import Artwork, Job, Moderation, Upload
from gallery.presentation import labels, payloads
from gallery.presentation import prompt_segments as prompts
from gallery.presentation.analysis import analysis_of
from gallery.presentation.analysis_terms import GENRES, term
from gallery.presentation.analysis_terms import STYLES as STYLE_TERMS
from gallery.selectors import jobs, moderation, pagination
from gallery.selectors.queue import Expected

register = template.Library()

LOWEST_RATIO, HIGHEST_RATIO = 25, 400
HEADING_LENGTH = 90
LONGEST_GUESS = 60
THEMES = ("light", "dark")


# --- Shapes: the CSP allows no style attributes, so a shape is a class of ratios.css --------------------


@register.filter
def ratio(shape: Artwork | Upload | None) -> str:
    """The class for width to height of a picture, or of the sheet that a poem is written on."""
    if shape is None:
        return "r100"
    if isinstance(shape, Artwork) and not shape.file:
        return poem_ratio(len(shape.lines), across=not is_chinese(shape.text))
    return size_ratio(shape.width, shape.height)


def size_ratio(width: int, height: int) -> str:
    """``r150`` for 3:2, between 1:4 and 4:1."""
    percent = round(100 * width / height) if width and height else 100
    return f"r{min(HIGHEST_RATIO, max(LOWEST_RATIO, percent))}"


def poem_ratio(lines: int, *, across: bool = False) -> str:
    """Four columns stand on a tall sheet, eight on a broad one; of lines ``across``, a few on a broad one."""
    if across:
        return "r150" if lines <= 5 else "r125" if lines <= 8 else "r95"
    return "r125" if lines > 4 else "r80"


# --- Works --------------------------------------------------------------------------------------------


@register.filter
def heading(artwork: Artwork) -> str:
    """What a work is called: its title, prompt, first line, or the style that it was painted after."""
    text = artwork.title or artwork.prompt or (artwork.lines[0] if artwork.lines else "")
    if text := " ".join(text.split()):
        return text if len(text) <= HEADING_LENGTH else text[: HEADING_LENGTH - 1].rstrip() + "…"
    parameters = artwork.recipe.get("parameters", {})
    if wanted := parameters.get("features"):
        return _dream_of(wanted)
    unnamed = labels.UNNAMED.get(f"{artwork.kind} {parameters.get('mode', '')}".strip())
    return _after(parameters) or _seen(artwork) or str(unnamed or _("Untitled"))


@register.filter
def job_heading(job: Job) -> str:
    """What a job is called: its prompt, or the style, or only its kind."""
    if wanted := job.parameters.get("features"):
        return _dream_of(wanted)
    return job.prompt or _after(job.parameters) or kind_label(job.kind)


def _dream_of(wanted: Any) -> str:
    """What was dreamt of, without the weights."""
    return _("A dream of %(features)s") % {
        "features": _(", ").join(one.name for one in features.chosen(wanted))
    }


def _after(parameters: Mapping[str, Any]) -> str:
    """What is painted after ready styles, as museums say it."""
    titles = {style.slug: style.title for style in catalogue.styles()}
    chosen = [parameters.get(style_name(number)) for number in range(1, STYLES + 1)]
    named = [str(titles[slug]) for slug in chosen if slug in titles]
    # Translators: between two titles, inside of their quotation marks.
    return _("After “%(title)s”") % {"title": _("”, “").join(named)} if named else ""


def _seen(artwork: Artwork) -> str:
    """What an analysis guesses first; "" when it guesses nothing that means much."""
    if artwork.kind != "analyse":
        return ""
    card = vars(artwork)
    if "seen_style" in card:
        guesses = [term(card["seen_style"] or "", STYLE_TERMS), term(card["seen_genre"] or "", GENRES)]
    else:
        analysis = analysis_of(artwork)
        heads = analysis.heads if analysis is not None and not analysis.unlike else ()
        guesses = [head.guesses[0].label for head in heads if head.name != "painter"]
    named = _(", ").join(guess[:LONGEST_GUESS] for guess in guesses if guess)
    return _("Analysis: %(guesses)s") % {"guesses": named} if named else ""


@register.filter
def role_of(kind: catalogue.KindSpec | None, role: str) -> str:
    """What the kind calls the picture in this role."""
    return labels.role_label(kind.slug if kind is not None else "", role)


@register.filter
def alternative(artwork: Artwork) -> str:
    """The alternative text of a picture."""
    if not artwork.generated:
        return _("A picture that somebody brought: %(title)s") % {"title": heading(artwork)}
    if artwork.prompt:
        return _("Picture made by a neural network: %(prompt)s") % {"prompt": artwork.prompt}
    return _("Picture made by a neural network: %(title)s") % {"title": heading(artwork)}


@register.filter
def picture_url(artwork: Artwork) -> str:
    """The address of the whole picture."""
    return payloads.picture_url(artwork)


@register.filter
def thumb_url(artwork: Artwork) -> str:
    """The address of the thumbnail, or of the picture when there is none."""
    return payloads.thumbnail_url(artwork) or payloads.picture_url(artwork)


@register.filter
def upload_url(upload: Upload) -> str:
    """The address of a picture that the person brought."""
    return payloads.upload_url(upload)


@register.filter
def thumb_size(artwork: Artwork) -> dict[str, int]:
    """Width and height that the thumbnail is drawn at: the long side is at most 512."""
    longest = max(artwork.width, artwork.height, 1)
    scale = min(1.0, 512 / longest)
    return {"width": max(1, round(artwork.width * scale)), "height": max(1, round(artwork.height * scale))}


@register.filter
def is_chinese(text: str) -> bool:
    """Whether the text has Chinese characters, which may be set vertically."""
    return any("\u3400" <= char <= "\u9fff" for char in text)


@register.filter
def examples_here(kind: catalogue.KindSpec) -> list[str]:
    """The kind's examples, those in the visitor's language first."""
    chinese = (get_language() or "").startswith("zh")
    return sorted(kind.examples, key=lambda text: is_chinese(text) != chinese)


# --- Words ----------------------------------------------------------------------------------------------


@register.filter
def kind_label(slug: str) -> str:
    """The kind's name."""
    spec = catalogue.KINDS.get(slug)
    return str(spec.label) if spec else slug


@register.filter
def state_label(job: Job | str) -> str:
    """The state of a job; of one at work, its phase."""
    if isinstance(job, str):
        return labels.state_label(job)
    if job.state == "running" and job.phase:
        return labels.phase_label(job.phase)
    return labels.state_label(job.state)


@register.filter
def tone(state: str) -> str:
    """The colour of a state's mark."""
    return labels.TONES.get(state, "wait")


@register.filter
def error_sentence(job: Job) -> str:
    """Why a job failed, for its owner."""
    return labels.error_sentence(job.error_code, job.error_visitor, kind=job.kind, notes=job.notes)


@register.filter
def note_sentences(job: Job) -> list[str]:
    """What the engine wanted to say."""
    return [sentence for note in job.notes if (sentence := labels.note_sentence(note))]


@register.filter
def prompt_segments(source: Job | Artwork) -> list[prompts.Segment]:
    """The prompt in pieces (``text``, ``state``, ``words``, ``nearest``), to mark what was understood."""
    return prompts.prompt_segments(source)


@register.filter
def reason_label(code: str) -> str:
    """Why moderators decided so."""
    return labels.reason_label(code)


@register.filter
def moderation_label(value: str) -> str:
    """The moderators' decision in words."""
    return str(Moderation(value).label) if value in Moderation.values else value


@register.filter
def medium(artwork: Artwork) -> str:
    """What made it, as a museum label says "oil on canvas"."""
    return str(labels.MEDIA.get(artwork.kind, labels.MEDIA[""]))


@register.filter
def relation_label(relation: str) -> str:
    """What a parent gave to its child."""
    return str(labels.RELATIONS.get(relation, relation))


@register.filter
def duration(seconds: float | None) -> str:
    """A length of time in words."""
    return "" if seconds is None else labels.duration(float(seconds))


@register.filter
def wait_words(expected: Expected) -> str:
    """What somebody who submits now can expect."""
    if not expected.waiting and expected.start is not None and expected.start[1] < 2:
        return _("Nobody is waiting: it starts at once.")
    sentence = labels.line_words(expected.waiting, expected.start)
    return sentence[:1].upper() + sentence[1:] + _(".")


@register.filter
def standing_words(standing: payloads.StandingData) -> str:
    """Where a waiting job stands."""
    low, high = standing["eta_start"], standing["eta_start_high"]
    start = (low, high if high is not None else low) if low is not None else None
    sentence = labels.line_words(standing["position"], start)
    return sentence[:1].upper() + sentence[1:] + _(".")


@register.filter
def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """From one moment to another, or to now."""
    if start is None:
        return None
    return ((end or timezone.now()) - start).total_seconds()


@register.filter
def job_age(job: Job) -> int:
    """Whole seconds since a worker began with the job."""
    return max(0, int(seconds_between(job.started_at, job.finished_at) or 0))


@register.filter
def recipe_rows(artwork: Artwork) -> list[tuple[str, str]]:
    """The settings of a work as (label, value) in the visitor's language, the prompt apart."""
    return parameter_rows(
        artwork.kind, artwork.recipe.get("parameters", {}), artwork.recipe.get("inputs", {})
    )


@register.filter
def job_rows(job: Job) -> list[tuple[str, str]]:
    """The settings of a job as (label, value), the prompt apart."""
    return parameter_rows(job.kind, job.parameters, [one.role for one in jobs.job_inputs(job)])


def parameter_rows(kind: str, parameters: dict[str, Any], roles: Collection[str]) -> list[tuple[str, str]]:
    """Settings in the catalogue's order; those it no longer knows keep their names.

    ``roles`` of the input pictures: what a recipe did not use is not told.
    """
    rooms = {blend.KIND: blend.unused, restyle.KIND: restyle.unused}
    unused = rooms[kind](parameters, roles) if kind in rooms else frozenset()
    spec = catalogue.KINDS.get(kind)
    rows: list[tuple[str, str]] = []
    for name, value in parameters.items():
        param = spec.param(name) if spec else None
        if name == "prompt" or name in unused or value in ("", None):
            continue
        if param is not None and not param.applies(parameters):
            continue
        rows.append((str(param.label) if param else name, _shown(param, value)))
    return rows


def _shown(param: catalogue.ParamSpec | None, value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if param is None:
        return str(value)
    if param.percent and isinstance(value, int | float):
        return f"{value:.0%}"
    if param.type == "choice":
        return str(param.label_of(value))
    if param.type == "features":
        return features.described(str(value))
    if param.type == "style":
        style = next((style for style in catalogue.styles() if style.slug == value), None)
        return f"{style.title} · {style.painter}" if style else str(value)
    return str(value)


# --- The page ---------------------------------------------------------------------------------------------


@register.simple_tag(takes_context=True)
def theme(context: template.Context) -> str:
    """The theme that the person chose, "" to follow their system."""
    request: HttpRequest | None = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request is not None else ""
    return chosen if chosen in THEMES else ""


@register.simple_tag
def review_count() -> int:
    """How many works wait for a moderator."""
    return moderation.review_count()


@register.simple_tag
def kinds() -> list[catalogue.KindSpec]:
    """Every kind, in the catalogue's order."""
    return list(catalogue.KINDS.values())


@register.simple_tag
def style_thumbnail(style: catalogue.Style) -> str:
    """The address of a style's thumbnail, "" while it has none."""
    return static(style.thumbnail) if _exists(style.thumbnail) else ""


@cache
def _exists(path: str) -> bool:
    return finders.find(path) is not None


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The page's query string with ``changes``; an empty value takes a name away."""
    request: HttpRequest = context["request"]
    params = request.GET.copy()
    for name in ("onward", "back"):
        params.pop(name, None)
    for name, value in changes.items():
        if value in ("", None):
            params.pop(name, None)
        else:
            params[name] = str(value)
    return f"?{params.urlencode()}" if params else "?"


@register.inclusion_tag("_pager.html", takes_context=True)
def pager(
    context: template.Context, page: pagination.Page[Any], newer: str = "", older: str = ""
) -> dict[str, Any]:
    """Links to the pages beside this one."""
    return {"request": context["request"], "page": page, "newer": newer, "older": older}
