"""Recipes to make once more, from a job or a work, with those pictures that the person may still use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gallery.models import Artwork, Job, Upload, Visibility
from gallery.permissions import Person, can_view, usable_as_input
from gallery.selectors.artworks import artwork
from gallery.selectors.jobs import job_inputs


@dataclass(frozen=True, slots=True)
class Repeat:
    """A recipe to make once more: what fills the studio's form."""

    kind: str
    parameters: dict[str, Any]
    seed: int
    inputs: dict[str, Upload | Artwork]
    publish_as: str


def recipe_to_repeat(person: Person, some_id: Any) -> Repeat | None:
    """The recipe of the person's own job, or of a work that they may see; None for anything else.

    Pictures that they may not use (somebody's uploads, works deleted or hidden since) are left out.
    """
    try:
        wanted = UUID(str(some_id))
    except ValueError:
        return None
    made = Job.objects.filter(pk=wanted, owner_id=person.pk).first()
    if made is not None:
        return _of_job(person, made)
    work = artwork(wanted)
    if work is None or not can_view(person, work):
        return None
    if work.owner_id == person.pk and work.job is not None:
        return _of_job(person, work.job)
    # Its edges are what the recipe started from: an id in a recipe alone opens nothing.
    parents = Artwork.objects.filter(children__child=work)
    usable = {str(one.pk): one for one in usable_as_input(person, parents)}
    sources = {role: source.get("artwork", "") for role, source in work.recipe.get("inputs", {}).items()}
    found: dict[str, Upload | Artwork] = {role: usable[key] for role, key in sources.items() if key in usable}
    return Repeat(work.kind, dict(work.recipe.get("parameters", {})), work.seed, found, Visibility.PRIVATE)


def _of_job(person: Person, made: Job) -> Repeat:
    given = job_inputs(made)
    works = Artwork.objects.filter(pk__in=[one.artwork_id for one in given if one.artwork_id])
    usable = {one.pk: one for one in usable_as_input(person, works)}
    inputs: dict[str, Upload | Artwork] = {}
    for one in given:
        if one.upload is not None:
            inputs[one.role] = one.upload
        elif one.artwork_id in usable:
            inputs[one.role] = usable[one.artwork_id]
    return Repeat(made.kind, dict(made.parameters), made.seed, inputs, made.publish_as)
