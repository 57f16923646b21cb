"""Who may see and do what: the one place that views, API, selectors and the consumer ask."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from gallery.models import Artwork, Job, Moderation, User, Visibility

Person = User | AnonymousUser


def can_moderate(person: Person) -> bool:
    """Whether the person may review public works."""
    return person.is_active and person.has_perm("gallery.moderate_artworks")


def can_operate(person: Person) -> bool:
    """Whether the person may see workers and drain them."""
    return person.is_active and person.has_perm("gallery.operate_workers")


def can_view_job(person: Person, job: Job) -> bool:
    """A job is its owner's; operators may see that it is there and how it stands, others not even that."""
    return person.is_active and (person.pk == job.owner_id or can_operate(person))


def can_read_job(person: Person, job: Job) -> bool:
    """What a job is about (its words, pictures and results) is its owner's alone."""
    return person.is_active and person.pk == job.owner_id


def can_edit_job(person: Person, job: Job) -> bool:
    """Cancel and retry belong to the owner."""
    return person.is_active and person.pk == job.owner_id


def can_view(person: Person, artwork: Artwork) -> bool:
    """Both fields are obeyed: the owner's visibility and the moderators' decision."""
    if person.is_active and person.pk == artwork.owner_id:
        return True
    if artwork.visibility == Visibility.PUBLIC:
        return artwork.moderation == Moderation.APPROVED or can_moderate(person)
    if artwork.visibility == Visibility.UNLISTED:
        # Whoever has the link, unless moderators took it down.
        return artwork.moderation in (Moderation.PENDING, Moderation.APPROVED)
    return False


def can_edit(person: Person, artwork: Artwork) -> bool:
    """Title, visibility and deletion belong to the owner."""
    return person.is_active and person.pk == artwork.owner_id


def listed(artworks: QuerySet[Artwork]) -> QuerySet[Artwork]:
    """Only what everybody finds in the gallery."""
    return artworks.filter(visibility=Visibility.PUBLIC, moderation=Moderation.APPROVED)


def findable(person: Person, artworks: QuerySet[Artwork]) -> QuerySet[Artwork]:
    """Works that the studio may point the person to: their own, and what is listed.

    An unlisted work is seen by whoever has its link; the studio does not hand the link out.
    """
    own = Q(owner_id=person.pk)
    return artworks.filter(own | Q(visibility=Visibility.PUBLIC, moderation=Moderation.APPROVED))


def usable_as_input(person: Person, artworks: QuerySet[Artwork]) -> QuerySet[Artwork]:
    """Works that the person may make something from: the pictures among those that they may find."""
    return findable(person, artworks).exclude(file="")
