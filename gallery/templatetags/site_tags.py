"""What templates need besides variables: shapes, words for codes, addresses of pictures."""

from __future__ import annotations

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

from gallery.kinds import KINDS, KindSpec, Style
from gallery.models import Artwork, Job, Moderation, Upload
from gallery.presentation import labels, payloads, recipe_rows, shapes, titles
from gallery.presentation import prompt_segments as prompts
from gallery.selectors import jobs, moderation, pagination
from gallery.selectors.queue import Expected

register = template.Library()

THEMES = ("light", "dark")


register.filter("ratio", shapes.ratio)


# --- Works --------------------------------------------------------------------------------------------


register.filter("heading", titles.heading)


register.filter("job_heading", titles.job_heading)


register.filter("job_result_heading", titles.job_result_heading)


@register.filter
def role_of(kind: KindSpec | None, role: str) -> str:
    """What the kind calls the picture in this role."""
    return labels.role_label(kind.slug if kind is not None else "", role)


register.filter("alternative", titles.alternative)


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


register.filter("thumb_size", shapes.thumbnail_size)


register.filter("is_chinese", shapes.is_chinese)


@register.filter
def examples_here(kind: KindSpec) -> list[str]:
    """The kind's examples, those in the visitor's language first."""
    chinese = (get_language() or "").startswith("zh")
    return sorted(kind.examples, key=lambda text: shapes.is_chinese(text) != chinese)


# --- Words ----------------------------------------------------------------------------------------------


register.filter("kind_label", titles.kind_label)


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
    return [sentence for note in job.notes if (sentence := labels.note_sentence(note, job.kind))]


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


register.filter("medium", titles.medium)


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


@register.filter("recipe_rows")
def artwork_recipe_rows(artwork: Artwork) -> list[tuple[str, str]]:
    """The settings of a work as (label, value) in the visitor's language, the prompt apart."""
    return recipe_rows.parameter_rows(
        artwork.kind, artwork.recipe.get("parameters", {}), artwork.recipe.get("inputs", {})
    )


@register.filter
def job_rows(job: Job) -> list[tuple[str, str]]:
    """The settings of a job as (label, value), the prompt apart."""
    return recipe_rows.parameter_rows(job.kind, job.parameters, [one.role for one in jobs.job_inputs(job)])


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
def kinds() -> list[KindSpec]:
    """Every kind, in the order of pages."""
    return list(KINDS.values())


@register.simple_tag
def style_thumbnail(style: Style) -> str:
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
