"""A poem and the picture that it was written for: the picture, for whoever may see it, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from gallery.models import Artwork
from gallery.permissions import Person
from gallery.presentation import payloads
from gallery.presentation.analysis import reading_words
from gallery.presentation.analysis_terms import COLOURS, THINGS, term
from gallery.presentation.titles import heading
from gallery.selectors import artworks, jobs

RELATION = "poem_of"
ROLE = "image"
DETAIL = "picture"


@dataclass(frozen=True, slots=True)
class BackgroundPicture:
    """The picture under a poem. ``page``: the work's own page, "" for an upload.

    ``generated``: whether a network made it, so that what is drawn on it carries the mark too.
    """

    url: str
    thumb: str
    width: int
    height: int
    title: str
    page: str
    generated: bool


@dataclass(frozen=True, slots=True)
class PictureReading:
    """What the poem was written from: words in the visitor's language, sure ones and those that are only
    ``perhaps`` there, and the painting's own prompt."""

    words: tuple[str, ...]
    perhaps: tuple[str, ...]
    prompt: str


def background_of(person: Person, poem: Artwork) -> BackgroundPicture | None:
    """The picture that ``poem`` was written for, when the person may find it: a work, or their own upload.

    None for a poem without a picture, and when the picture was deleted or is hidden from the person. The
    caller has asked ``can_view`` for the poem already.
    """
    if poem.file:
        return None
    parents = artworks.parents_of(person, poem)
    picture = next((one.artwork for one in parents if one.relation == RELATION), None)
    if picture is not None and picture.file:
        return BackgroundPicture(
            payloads.picture_url(picture),
            payloads.thumbnail_url(picture) or payloads.picture_url(picture),
            picture.width,
            picture.height,
            heading(picture),
            reverse("artwork", args=[picture.pk]),
            picture.generated,
        )
    given = jobs.job_inputs(poem.job) if poem.job is not None else []
    upload = next((one.upload for one in given if one.role == ROLE), None)
    if upload is None or upload.owner_id != person.pk:
        return None
    url = payloads.upload_url(upload)
    return BackgroundPicture(
        url, url, upload.width, upload.height, str(_("The picture you brought")), "", False
    )


def reading_of(poem: Artwork) -> PictureReading | None:
    """What was read in the picture before the poem was written; None for a poem without one, or nonsense."""
    told = poem.details.get(DETAIL)
    if not isinstance(told, Mapping):
        return None
    colours = _texts(told.get("colours"))
    words = (*reading_words(told), *(term(colour, COLOURS) for colour in colours))
    perhaps = tuple(term(word, THINGS) for word in _texts(told.get("perhaps")))
    prompt = told.get("prompt")
    return PictureReading(tuple(dict.fromkeys(words)), perhaps, prompt if isinstance(prompt, str) else "")


def _texts(value: Any) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []
