"""The states in which pages are shown: which view, for whom, and with which sample rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.urls import reverse

from gallery import kinds
from gallery.kinds.verse_forms import CHINESE, ENGLISH
from gallery.models import JobState, Moderation
from gallery.permissions import Person
from gallery.views.patterns.samples import Samples

ERROR_PAGES = ("400", "403", "403_csrf", "404", "429", "500")
PICTURE = ("listed", 0)

Row = tuple[str, Any]
"""A collection of :class:`Samples` and a key of it."""


@dataclass(frozen=True, slots=True)
class PageState:
    """One page in one state; ``name`` is its slug on the pattern page.

    ``url`` is the name of the URL, and ``argument`` what it takes: a row, whose id is meant, or a text.
    ``again`` is the row whose recipe fills the form, ``query`` any other query. ``person``: an attribute of
    :class:`Samples`, "" for nobody. ``post``: the fields of a form that is sent. A page that no URL leads to
    has a ``template`` only.
    """

    name: str
    url: str = ""
    argument: Row | str | None = None
    person: str = "owner"
    again: Row | None = None
    query: str = ""
    post: Mapping[str, str] | None = None
    template: str = ""

    def address(self, samples: Samples) -> str:
        """Path and query."""
        argument = samples.id_of(*self.argument) if isinstance(self.argument, tuple) else self.argument
        path = reverse(self.url, args=[argument] if argument is not None else [])
        query = f"again={samples.id_of(*self.again)}" if self.again else self.query
        return f"{path}?{query}" if query else path

    def visitor(self, samples: Samples) -> Person:
        """Who opens the page."""
        person: Person = getattr(samples, self.person) if self.person else AnonymousUser()
        return person


def page_states() -> list[PageState]:
    """All of them, in the order of the pattern page."""
    return [*_studio(), *_jobs(), *_works(), *_lists(), *_errors()]


def _studio() -> Iterator[PageState]:
    for slug, spec in kinds.KINDS.items():
        wrong = {param.name: "999999" for param in spec.params if param.type in ("integer", "number")}
        post = {"seed": "x", "key": "0" * 32, **wrong}
        yield PageState(f"studio-{slug}", "studio_kind", slug)
        yield PageState(f"studio-{slug}-first-time", "studio_kind", slug, "stranger")
        yield PageState(f"studio-{slug}-filled", "studio_kind", slug, again=("jobs", slug))
        yield PageState(f"studio-{slug}-errors", "studio_kind", slug, post=post)
    yield PageState("search", "picture_search")


def _jobs() -> Iterator[PageState]:
    for state in (*JobState.values, CHINESE, ENGLISH):
        yield PageState(f"job-{state}", "job", ("states", state))
    yield PageState("job-failed-for-operators", "job", ("states", JobState.FAILED), "operator")
    for slug in kinds.KINDS:
        yield PageState(f"job-{slug}", "job", ("jobs", slug))


def _works() -> Iterator[PageState]:
    for slug in kinds.KINDS:
        yield PageState(f"work-{slug}", "artwork", ("works", slug))
    for language in (CHINESE, ENGLISH):
        yield PageState(f"poem-{language}", "artwork", ("poems", language))
        yield PageState(f"inscribe-{language}", "artwork_inscribe", ("poems", language))
    for state in (Moderation.PENDING, Moderation.REJECTED, Moderation.REMOVED):
        yield PageState(f"work-{state}", "artwork", ("moderated", state))
    yield PageState("work-loop", "artwork", ("loops", 0))
    yield PageState("work-for-strangers", "artwork", PICTURE, "")
    yield PageState("work-for-moderators", "artwork", PICTURE, "moderator")
    yield PageState("work-edit-errors", "artwork_edit", PICTURE, post={"title": "x" * 300})
    for name in ("artwork_family", "artwork_similar", "artwork_delete"):
        yield PageState(name.replace("_", "-"), name, PICTURE)


def _lists() -> Iterator[PageState]:
    yield PageState("gallery", "gallery", person="")
    yield PageState("gallery-nothing-found", "gallery", person="", query="q=qqqqqq")
    for name in ("my_works", "my_jobs"):
        slug = name.replace("_", "-")
        yield PageState(slug, name)
        yield PageState(f"{slug}-empty", name, person="stranger")
    yield PageState("moderation", "moderation", person="moderator")
    yield PageState("moderation-log", "moderation_log", person="moderator")
    yield PageState("workers", "workers", person="operator")


def _errors() -> Iterator[PageState]:
    for number in ERROR_PAGES:
        yield PageState(f"error-{number}", template=f"{number}.html")
