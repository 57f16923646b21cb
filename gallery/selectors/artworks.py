"""Every read that pages use. A page costs the same number of queries however many works there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Case, CharField, Count, Min, Prefetch, Q, QuerySet, Value, When
from django.db.models.fields.json import KT
from django.utils import timezone

from gallery import catalogue
from gallery.models import (
    Artwork,
    Job,
    JobInput,
    JobState,
    Lineage,
    Moderation,
    ModerationAction,
    ModerationEntry,
    Upload,
    Visibility,
    Worker,
)
from gallery.models.job import FINAL, LEASED
from gallery.permissions import Person, can_view, findable, listed, usable_as_input
from gallery.selectors.pagination import Page, keyset_page

PAGE = 30
JOBS_PAGE = 20
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
                kind="analyse",
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
    if kind in catalogue.KINDS:
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


def jobs_page(owner: Person, *, show: str = "", onward: str = "", back: str = "") -> Page[Job]:
    """One person's jobs with their works, newest first. ``show``: "open", "done", "failed" or "" for all."""
    jobs = Job.objects.filter(owner_id=owner.pk).prefetch_related(
        Prefetch("artworks", cards(Artwork.objects.order_by("index")).only(*CARD, "job_id", "index"))
    )
    if show == "open":
        jobs = jobs.exclude(state__in=FINAL)
    elif show == "done":
        jobs = jobs.filter(state=JobState.SUCCEEDED)
    elif show == "failed":
        jobs = jobs.filter(state__in=(JobState.FAILED, JobState.EXPIRED, JobState.CANCELED))
    return keyset_page(jobs, field="created_at", size=JOBS_PAGE, onward=onward, back=back)


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


def job(job_id: UUID) -> Job | None:
    """One job with its owner."""
    return Job.objects.select_related("owner").filter(pk=job_id).first()


def job_artworks(job: Job) -> list[Artwork]:
    """The works that a job made, in order."""
    return list(cards(job.artworks.all()).order_by("index"))


def job_inputs(job: Job) -> list[JobInput]:
    """The pictures that a job takes."""
    return list(job.inputs.select_related("upload", "artwork__owner").order_by("pk"))


def job_pictures(person: Person, job: Job) -> list[tuple[JobInput, bool]]:
    """The pictures that a job takes, each with whether the person may (still) see it."""
    return [
        (
            given,
            given.upload.owner_id == person.pk
            if given.upload is not None
            else given.artwork is not None and can_view(person, given.artwork),
        )
        for given in job_inputs(job)
    ]


def job_of_key(owner: Person, key: str) -> Job | None:
    """The job that was submitted with this idempotency key."""
    return Job.objects.filter(owner_id=owner.pk, idempotency_key=key).first() if key else None


def to_review(onward: str = "", back: str = "", size: int = 24) -> Page[Artwork]:
    """Public works that wait for a moderator, oldest first."""
    waiting = Artwork.objects.filter(visibility=Visibility.PUBLIC, moderation=Moderation.PENDING)
    return keyset_page(
        waiting.select_related("owner"),
        field="published_at",
        size=size,
        onward=onward,
        back=back,
        newest_first=False,
    )


def review_count() -> int:
    """How many public works wait for a moderator."""
    return Artwork.objects.filter(visibility=Visibility.PUBLIC, moderation=Moderation.PENDING).count()


def moderation_log(onward: str = "", back: str = "", size: int = 50) -> Page[ModerationEntry]:
    """What moderators did, newest first."""
    entries = ModerationEntry.objects.select_related("artwork", "moderator", "undoes", "undone_by")
    return keyset_page(entries, field="created_at", size=size, onward=onward, back=back)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One queue as operators see it."""

    name: str
    waiting: int
    running: int
    oldest: timedelta | None
    served: bool


def workers() -> list[Worker]:
    """Workers that were seen within a day, with the job that each works on."""
    since = timezone.now() - timedelta(days=1)
    return list(Worker.objects.filter(seen_at__gt=since).select_related("current_job"))


def queues(online: list[Worker]) -> list[QueueRow]:
    """Waiting and running jobs per queue, and whether one of the ``online`` workers serves it."""
    now = timezone.now()
    waiting = {
        row["queue"]: row
        for row in Job.objects.filter(state=JobState.QUEUED)
        .values("queue")
        .annotate(jobs=Count("pk"), oldest=Min("created_at"))
        .order_by()
    }
    running = {
        row["queue"]: row["jobs"]
        for row in Job.objects.filter(state__in=LEASED).values("queue").annotate(jobs=Count("pk")).order_by()
    }
    served = {queue for worker in online if not worker.draining for queue in worker.queues}
    return [
        QueueRow(
            name,
            waiting[name]["jobs"] if name in waiting else 0,
            running.get(name, 0),
            now - waiting[name]["oldest"] if name in waiting else None,
            name in served,
        )
        for name in catalogue.QUEUES
    ]


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


def recent_failures(limit: int = 20) -> list[Job]:
    """The newest failed jobs with what operators need to know."""
    return list(
        Job.objects.filter(state=JobState.FAILED)
        .select_related("owner")
        .only(
            "id",
            "kind",
            "queue",
            "owner__username",
            "worker_name",
            "error_code",
            "error_operator",
            "finished_at",
            "attempt",
            "state",
        )
        .order_by("-finished_at")[:limit]
    )


def own_upload(person: Person, upload_id: Any) -> Upload | None:
    """A picture that the person brought, or None."""
    try:
        wanted = UUID(str(upload_id))
    except ValueError:
        return None
    return Upload.objects.filter(pk=wanted, owner_id=person.pk).first()


def last_decision(moderator: Person) -> ModerationEntry | None:
    """The moderator's newest decision, while it can still be undone and is fresh in mind."""
    entry = (
        ModerationEntry.objects.filter(
            moderator_id=moderator.pk, created_at__gt=timezone.now() - timedelta(minutes=15)
        )
        .select_related("artwork")
        .order_by("-created_at", "-pk")
        .first()
    )
    if entry is None or entry.action == ModerationAction.UNDO or entry.artwork is None:
        return None
    return entry
