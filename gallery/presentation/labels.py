"""Labels for codes in the visitor's language: phases, failures, notes and reasons.

Rows and events carry stable codes; sentences are made here, at the last moment, so that one job
reads in Chinese on one page and in English on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from gallery import kinds
from gallery.models import JobState
from gallery.presentation import prompt_segments

Text = str | Promise
MOST_WORDS = 20
"""Most words that one sentence lists."""

PHASES: dict[str, Text] = {
    "loading": gettext_lazy("Loading the model"),
    "looking": gettext_lazy("Looking"),
    "composing": gettext_lazy("Composing"),
    "refining": gettext_lazy("Refining"),
    "projecting": gettext_lazy("Looking for a likeness"),
    "painting": gettext_lazy("Painting"),
    "dreaming": gettext_lazy("Dreaming"),
    "writing": gettext_lazy("Writing"),
    "finishing": gettext_lazy("Finishing"),
}

STATES: dict[str, Text] = {
    JobState.QUEUED: gettext_lazy("Waiting for its turn"),
    JobState.STARTING: gettext_lazy("Starting"),
    JobState.RUNNING: gettext_lazy("At work"),
    JobState.CANCELING: gettext_lazy("Canceling…"),
    JobState.SUCCEEDED: gettext_lazy("Done"),
    JobState.FAILED: gettext_lazy("Failed"),
    JobState.CANCELED: gettext_lazy("Canceled"),
    JobState.EXPIRED: gettext_lazy("Expired"),
}

TONES: dict[str, str] = {
    JobState.QUEUED: "wait",
    JobState.STARTING: "live",
    JobState.RUNNING: "live",
    JobState.CANCELING: "wait",
    JobState.SUCCEEDED: "good",
    JobState.FAILED: "bad",
    JobState.CANCELED: "wait",
    JobState.EXPIRED: "wait",
}

ERRORS: dict[str, Text] = {
    "engine_failed": gettext_lazy("The studio could not finish this work."),
    "invalid_request": gettext_lazy("These settings cannot be made into a work."),
    "too_large": gettext_lazy("This is too large for the worker's memory. Try a smaller size."),
    "input_missing": gettext_lazy("A picture that this work starts from is no longer there."),
    "storage_failed": gettext_lazy("The studio could not store this work. Please try again later."),
    "engine_unavailable": gettext_lazy(
        "The worker cannot load the model for this kind of work. Its operators can see why."
    ),
    "worker_lost": gettext_lazy("The worker stopped three times while it made this work."),
    "expired": gettext_lazy("Nobody could begin this work before its deadline."),
}
"""Why a job failed, for languages that an engine does not speak; kinds have more. A new code reads in English
everywhere."""

RELATIONS: dict[str, Text] = {
    "image": gettext_lazy("its picture"),
    "style": gettext_lazy("its style"),
    "palette": gettext_lazy("its colours"),
    "parent": gettext_lazy("a parent"),
    "poem_of": gettext_lazy("poem of"),
}
"""What a work took from another one, by the relation of their edge."""

REASONS: dict[str, Text] = {
    "explicit": gettext_lazy("Sexual content"),
    "violent": gettext_lazy("Violence or gore"),
    "hateful": gettext_lazy("Hate or harassment"),
    "personal": gettext_lazy("Shows a private person"),
    "copied": gettext_lazy("Somebody else's protected work"),
    "spam": gettext_lazy("Spam or advertising"),
    "other": gettext_lazy("Another reason"),
}
"""Why a work was rejected or removed: code -> what the author reads."""


def phase_label(phase: str) -> str:
    """The phase in words; an unknown phase is shown as the worker named it."""
    return str(PHASES.get(phase, phase.replace("_", " ").capitalize()))


def state_label(state: str) -> str:
    """The state of a job in words."""
    return str(STATES.get(state, state))


def reason_label(code: str) -> str:
    """Why moderators decided so, in words."""
    return str(REASONS.get(code, code))


def role_label(kind: str, role: str) -> str:
    """What the kind calls the picture in this role."""
    spec = kinds.KINDS.get(kind)
    return str(next((given.label for given in spec.inputs if given.role == role), role)) if spec else role


def error_sentence(code: str, sentence: str, *, kind: str = "", notes: Sequence[Any] = ()) -> str:
    """Why a job failed, for its owner. ``sentence`` is the engine's own, in English: it says most.

    ``kind`` and ``notes`` are the job's: kinds have codes of their own, and a note says which picture is
    missing.
    """
    spec = kinds.KINDS.get(kind)
    general = ERRORS.get(code) or (spec.errors.get(code) if spec else None)
    if sentence and (general is None or (get_language() or "en").startswith("en")):
        return sentence
    for note in notes:
        if code == "input_missing" and isinstance(note, Mapping) and note.get("code") == code:
            label = role_label(kind, str(note.get("role", "")))
            return _("A picture that this work starts from is no longer there: %(label)s.") % {"label": label}
    return str(general or _("The studio could not finish this work."))


def note_sentence(note: Any, kind: str = "") -> str:
    """What the engine of ``kind`` wanted to say besides the result, or "" for a code that has no words."""
    if not isinstance(note, Mapping):
        return ""
    spec = kinds.KINDS.get(kind)
    if spec is not None and (sentence := spec.notes.get(str(note.get("code")))) is not None:
        return sentence(note)
    if note.get("code") == "understood":
        return _missed_sentence(prompt_segments.missed(note.get("segments")))
    if note.get("code") == "unknown_words":
        words = [str(word) for word in note.get("words", []) if str(word)][:MOST_WORDS]
        return _missed_sentence([prompt_segments.Segment(word, "unknown") for word in words])
    return str(note.get("message", ""))


def _missed_sentence(missed: Sequence[prompt_segments.Segment]) -> str:
    """Which words were ignored, each with the nearest one that the network knows."""
    if not missed:
        return ""
    named = [
        _("%(word)s (the nearest that it knows: %(nearest)s)") % {"word": one.text, "nearest": one.nearest}
        if one.nearest
        else one.text
        for one in missed[:MOST_WORDS]
    ]
    return ngettext(
        "One word is not in the network's vocabulary and was ignored: %(words)s.",
        "These words are not in the network's vocabulary and were ignored: %(words)s.",
        len(named),
    ) % {"words": _(", ").join(named)}


def duration(seconds: float) -> str:
    """A length of time as people say it: "under 1 s", "8 s", "2 min", "1 h 5 min"."""
    if seconds < 1:
        return _("under 1 s")
    whole = round(seconds)
    if whole < 90:
        return _("%(seconds)d s") % {"seconds": whole}
    minutes = round(whole / 60)
    if minutes < 90:
        return _("%(minutes)d min") % {"minutes": minutes}
    return _("%(hours)d h %(minutes)d min") % {"hours": minutes // 60, "minutes": minutes % 60}


def start_words(start: tuple[float, float] | None) -> str:
    """When something is expected to start, from a range of seconds: never more exact than it is."""
    if start is None:
        return ""
    low, high = start
    if high < 2:
        return _("starts at once")
    if round(low) == round(high) or duration(low) == duration(high):
        return _("starts in about %(time)s") % {"time": duration(high)}
    if low < 2:
        return _("starts within %(time)s") % {"time": duration(high)}
    return _("starts in %(low)s to %(high)s") % {"low": duration(low), "high": duration(high)}


def line_words(ahead: int, start: tuple[float, float] | None) -> str:
    """A place in line and the wait, as one sentence without its full stop."""
    place = (
        ngettext("%(count)d job before it", "%(count)d jobs before it", ahead) % {"count": ahead}
        if ahead
        else _("next in line")
    )
    when = start_words(start)
    return f"{place} · {when}" if when else place
