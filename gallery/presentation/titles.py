"""What works, jobs and kinds are called."""

from __future__ import annotations

from django.utils.translation import gettext as _

from gallery import kinds
from gallery.models import Artwork, Job
from gallery.presentation.analysis import analysis_of
from gallery.presentation.analysis_terms import GENRES, STYLES, term

HEADING_LENGTH = 90
LONGEST_GUESS = 60


def heading(artwork: Artwork) -> str:
    """What a work is called: its title, prompt, first line, or what its kind makes of its parameters."""
    text = artwork.title or artwork.prompt or (artwork.lines[0] if artwork.lines else "")
    if text := " ".join(text.split()):
        return text if len(text) <= HEADING_LENGTH else text[: HEADING_LENGTH - 1].rstrip() + "…"
    spec = kinds.KINDS.get(artwork.kind)
    if spec is None:
        return _("Untitled")
    parameters = artwork.recipe.get("parameters", {})
    title = spec.title_of(parameters) if spec.title_of is not None else ""
    if not title and spec.reads_pictures:
        title = _guesses(artwork)
    return title or (str(spec.unnamed(parameters)) if spec.unnamed is not None else _("Untitled"))


def job_heading(job: Job) -> str:
    """What a job is called: what its kind makes of its parameters, its prompt, or only its kind."""
    spec = kinds.KINDS.get(job.kind)
    if job.prompt or spec is None or spec.title_of is None:
        return job.prompt or kind_label(job.kind)
    return spec.title_of(job.parameters) or kind_label(job.kind)


def job_result_heading(job: Job) -> str:
    """What a job is called in lists: an analysis by what was found, everything else as on its page."""
    spec = kinds.KINDS.get(job.kind)
    results = list(job.artworks.all()) if spec is not None and spec.reads_pictures else []
    return heading(results[0]) if results else job_heading(job)


def kind_label(slug: str) -> str:
    """The kind's name."""
    spec = kinds.KINDS.get(slug)
    return str(spec.label) if spec else slug


def alternative(artwork: Artwork) -> str:
    """The alternative text of a picture."""
    if not artwork.generated:
        return _("A picture that somebody brought: %(title)s") % {"title": heading(artwork)}
    if artwork.prompt:
        return _("Picture made by a neural network: %(prompt)s") % {"prompt": artwork.prompt}
    return _("Picture made by a neural network: %(title)s") % {"title": heading(artwork)}


def medium(artwork: Artwork) -> str:
    """What made it, as a museum label says "oil on canvas"."""
    spec = kinds.KINDS.get(artwork.kind)
    return str(spec.medium) if spec and spec.medium else _("Neural network")


def _guesses(artwork: Artwork) -> str:
    """What an analysis guesses first; "" when it guesses nothing that means much."""
    card = vars(artwork)
    if "seen_style" in card:
        guesses = [term(card["seen_style"] or "", STYLES), term(card["seen_genre"] or "", GENRES)]
    else:
        analysis = analysis_of(artwork)
        heads = analysis.heads if analysis is not None and not analysis.unlike else ()
        guesses = [head.guesses[0].label for head in heads if head.name != "painter"]
    named = _(", ").join(guess[:LONGEST_GUESS] for guess in guesses if guess)
    return _("Analysis: %(guesses)s") % {"guesses": named} if named else ""
