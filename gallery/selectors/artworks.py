"""Reads of works, and of pictures to make something from.

A page costs the same number of queries however many works there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, Q, QuerySet, Value, When
from django.db.models.fields.json import KT

from gallery import kinds
from gallery.models import Artwork, Lineage, Upload, Visibility
from gallery.permissions import Person, findable, listed, usable_as_input
from gallery.selectors.pagination import Page, keyset_page

PAGE = 30
STRIP = 12
SEARCH_WORDS = 6

CARD = (
    "id", "owner_id", "owner__username", "kind", "title", "prompt", "file", "thumbnail", "video", "width",
    "height",
    "sha256", "colour", "generated", "text", "visibility", "moderation", "recipe", "created_at",
    "published_at",
)  # fmt: skip


def cards(artworks: QuerySet[Artwork]) -> QuerySet[Artwork]:
    """Only what a card shows. ``seen_style`` and ``seen_genre``: what an analysis guesses first, or "".

    They are all that is read of the details, which are long.
    """
    guesses = {
        f"seen_{head}": Case(
            When(
                kind__in=kinds.READING,
                details__analysis__unlike=False,
                then=KT(f"details__analysis__heads__{head}__0__label"),
            ),
            default=Value(""),
            output_field=CharField(),
        )
        for head in ("style", "genre")
    }
    return artworks.select_related("owner").only(*CARD).annotate(**guesses)


def _matching(artworks: QuerySet[Artwork], kind: str, search: str) -> QuerySet[Artwork]:
    """Works of one kind ("" for all) whose prompt, title or lines hold every word of ``search``."""
    if kind in kinds.KINDS:
        artworks = artworks.filter(kind=kind)
    for word in search.split()[:SEARCH_WORDS]:
        artworks = artworks.filter(
            Q(prompt__icontains=word) | Q(title__icontains=word) | Q(text__icontains=word)
        )
    return artworks


def gallery_page(*, kind: str = "", search: str = "", onward: str = "", back: str = "") -> Page[Artwork]:
    """Public and approved works, newest first."""
    found = _matching(cards(listed(Artwork.objects.all())), kind, search)
    return keyset_page(found, field="published_at", size=PAGE, onward=onward, back=back)


def works_page(
    owner: Person, *, kind: str = "", search: str = "", show: str = "", onward: str = "", back: str = ""
) -> Page[Artwork]:
    """One person's own works, newest first. ``show``: a visibility, or "" for all."""
    found = _matching(cards(Artwork.objects.filter(owner_id=owner.pk)), kind, search)
    if show in Visibility.values:
        found = found.filter(visibility=show)
    return keyset_page(found, field="created_at", size=PAGE, onward=onward, back=back)


def recent_works(owner: Person, kind: str, limit: int = 8) -> list[Artwork]:
    """One person's newest works of a kind, for the strip under the studio's form."""
    return list(
        cards(Artwork.objects.filter(owner_id=owner.pk, kind=kind)).order_by("-created_at", "-id")[:limit]
    )


def recent_pictures(owner: Person, limit: int = STRIP) -> list[Artwork]:
    """One person's newest pictures, to choose an input from."""
    own = Artwork.objects.filter(owner_id=owner.pk).exclude(file="")
    return list(cards(own).order_by("-created_at", "-id")[:limit])


def artwork(artwork_id: UUID) -> Artwork | None:
    """One work with its owner."""
    return Artwork.objects.select_related("owner").filter(pk=artwork_id).first()


def input_artwork(person: Person, artwork_id: Any) -> Artwork | None:
    """A picture that the person may make something from, or None."""
    try:
        wanted = UUID(str(artwork_id))
    except ValueError:
        return None
    return usable_as_input(person, Artwork.objects.all()).filter(pk=wanted).first()


@dataclass(frozen=True, slots=True)
class Relative:
    """A work next to another one. ``artwork`` is None when it is gone or not for this person.

    ``weight``: its share in [0, 1]; None when shares have no meaning.
    """

    artwork: Artwork | None
    relation: str
    gone: bool = False
    weight: float | None = None


def parents_of(person: Person, child: Artwork) -> list[Relative]:
    """What the work was made from; deleted ones, and those not for this person to find, stay as stubs."""
    edges = list(Lineage.objects.filter(child=child).order_by("pk"))
    parents = Artwork.objects.filter(pk__in=[edge.parent_id for edge in edges if edge.parent_id])
    found = {one.pk: one for one in findable(person, cards(parents))}
    return [
        Relative(
            found.get(edge.parent_id) if edge.parent_id else None,
            edge.relation,
            edge.parent_id is None,
            edge.weight,
        )
        for edge in edges
    ]


def siblings_of(person: Person, one: Artwork, limit: int = 16) -> list[Artwork]:
    """The other works of the same job, for their owner."""
    if one.job_id is None or one.owner_id != person.pk:
        return []
    return list(cards(Artwork.objects.filter(job_id=one.job_id)).exclude(pk=one.pk).order_by("index")[:limit])


def uploads_page(person: Person, onward: str = "", back: str = "") -> Page[Upload]:
    """The pictures that the person brought, newest first."""
    own = Upload.objects.filter(owner_id=person.pk)
    return keyset_page(own, field="created_at", size=PAGE, onward=onward, back=back)


def own_upload(person: Person, upload_id: Any) -> Upload | None:
    """A picture that the person brought, or None."""
    try:
        wanted = UUID(str(upload_id))
    except ValueError:
        return None
    return Upload.objects.filter(pk=wanted, owner_id=person.pk).first()
