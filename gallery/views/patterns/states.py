"""The states in which pages are shown: which view, for whom, and with which sample rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from gallery import kinds
from gallery.kinds.verse import CHINESE, ENGLISH
from gallery.models import JobState, Moderation
from gallery.permissions import Person
from gallery.views.patterns.samples import Samples

ERROR_PAGES = ("400", "403", "403_csrf", "404", "429", "500")


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as a person would make it. ``post``: the fields of a form that is sent, None to read."""

    person: Person
    path: str
    post: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class PageState:
    """One page in one state. ``name`` is its slug.

    ``show`` gives the visit to answer, or the response of a page that no visit leads to.
    """

    name: str
    show: Callable[[Samples, HttpRequest], Visit | HttpResponse]


def page_states() -> list[PageState]:
    """All of them, in the order of the pattern page."""
    return [*_studio(), *_jobs(), *_works(), *_lists(), *_moderation(), *_errors()]


def _visit(name: str, visit: Callable[[Samples], Visit]) -> PageState:
    return PageState(name, lambda samples, _request: visit(samples))


def _studio() -> Iterator[PageState]:
    for slug, spec in kinds.KINDS.items():
        url = reverse("studio_kind", args=[slug])
        wrong = {"seed": "x", "key": "0" * 32} | {
            param.name: "999999" for param in spec.params if param.type in ("integer", "number")
        }
        yield _visit(f"studio-{slug}", lambda samples, url=url: Visit(samples.owner, url))
        yield _visit(
            f"studio-{slug}-filled",
            lambda samples, url=url, slug=slug: Visit(samples.owner, f"{url}?again={samples.jobs[slug].pk}"),
        )
        yield _visit(
            f"studio-{slug}-errors", lambda samples, url=url, wrong=wrong: Visit(samples.owner, url, wrong)
        )
        yield _visit(f"studio-{slug}-first-time", lambda samples, url=url: Visit(samples.stranger, url))
    yield _visit("search", lambda samples: Visit(samples.owner, reverse("picture_search")))


def _jobs() -> Iterator[PageState]:
    for state in (*JobState.values, CHINESE, ENGLISH):
        yield _visit(
            f"job-{state}",
            lambda samples, state=state: Visit(
                samples.owner, reverse("job", args=[samples.states[state].pk])
            ),
        )
    for slug in kinds.KINDS:
        yield _visit(
            f"job-{slug}",
            lambda samples, slug=slug: Visit(samples.owner, reverse("job", args=[samples.jobs[slug].pk])),
        )
    yield _visit(
        "job-failed-for-operators",
        lambda samples: Visit(samples.operator, reverse("job", args=[samples.states[JobState.FAILED].pk])),
    )


def _works() -> Iterator[PageState]:
    for slug in kinds.KINDS:
        yield _visit(
            f"work-{slug}",
            lambda samples, slug=slug: Visit(
                samples.owner, reverse("artwork", args=[samples.works[slug].pk])
            ),
        )
    for language in (CHINESE, ENGLISH):
        yield _visit(
            f"poem-{language}",
            lambda samples, language=language: Visit(
                samples.owner, reverse("artwork", args=[samples.poems[language].pk])
            ),
        )
        yield _visit(
            f"inscribe-{language}",
            lambda samples, language=language: Visit(
                samples.owner, reverse("artwork_inscribe", args=[samples.poems[language].pk])
            ),
        )
    for state in (Moderation.PENDING, Moderation.REJECTED, Moderation.REMOVED):
        yield _visit(
            f"work-{state}",
            lambda samples, state=state: Visit(
                samples.owner, reverse("artwork", args=[samples.moderated[state].pk])
            ),
        )
    yield _visit(
        "work-loop", lambda samples: Visit(samples.owner, reverse("artwork", args=[samples.loops[0].pk]))
    )
    yield _visit(
        "work-for-strangers",
        lambda samples: Visit(AnonymousUser(), reverse("artwork", args=[samples.picture.pk])),
    )
    yield _visit(
        "work-for-moderators",
        lambda samples: Visit(samples.moderator, reverse("artwork", args=[samples.picture.pk])),
    )
    yield _visit(
        "work-edit-errors",
        lambda samples: Visit(
            samples.owner, reverse("artwork_edit", args=[samples.picture.pk]), {"title": "x" * 300}
        ),
    )
    for name in ("artwork_family", "artwork_similar", "artwork_delete"):
        yield _visit(
            name.replace("_", "-"),
            lambda samples, name=name: Visit(samples.owner, reverse(name, args=[samples.picture.pk])),
        )


def _lists() -> Iterator[PageState]:
    yield _visit("gallery", lambda _samples: Visit(AnonymousUser(), reverse("gallery")))
    yield _visit(
        "gallery-nothing-found", lambda _samples: Visit(AnonymousUser(), reverse("gallery") + "?q=qqqqqq")
    )
    for name in ("my_works", "my_jobs"):
        slug = name.replace("_", "-")
        yield _visit(slug, lambda samples, name=name: Visit(samples.owner, reverse(name)))
        yield _visit(f"{slug}-empty", lambda samples, name=name: Visit(samples.stranger, reverse(name)))


def _moderation() -> Iterator[PageState]:
    for name in ("moderation", "moderation_log"):
        yield _visit(
            name.replace("_", "-"), lambda samples, name=name: Visit(samples.moderator, reverse(name))
        )
    yield _visit("workers", lambda samples: Visit(samples.operator, reverse("workers")))


def _errors() -> Iterator[PageState]:
    for number in ERROR_PAGES:
        yield PageState(
            f"error-{number}", lambda _samples, request, number=number: render(request, f"{number}.html")
        )
