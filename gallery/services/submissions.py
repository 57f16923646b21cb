"""How a recipe becomes a waiting job: validation, limits per person, fair turns, one job per submission."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from gallery import dispatch, failpoints, kinds
from gallery.kinds import InvalidRecipe, Recipe
from gallery.live import messages, publisher
from gallery.models import Artwork, Job, JobInput, JobState, Upload, User, Visibility
from gallery.permissions import usable_as_input
from gallery.selectors.queue import serving_turn
from gallery.services import storage
from gallery.services.uploads import space_of

QUEUE_FULL_RETRY_SECONDS = 30
DAY = timedelta(days=1)
KEY_LENGTH = 64

Inputs = Mapping[str, Upload | Artwork]


class QuotaExceeded(Exception):
    """The person has to wait before submitting more. ``retry_after``: seconds."""

    def __init__(
        self, code: Literal["queue_full", "quota_exceeded", "space_exceeded"], retry_after: int, visitor: str
    ) -> None:
        super().__init__(f"{code}, retry after {retry_after} s")
        self.code = code
        self.retry_after = retry_after
        self.visitor = visitor


class IdempotencyConflict(Exception):
    """The person used this idempotency key before, for another recipe."""


def job_submit(
    *,
    owner: User,
    kind: str,
    parameters: Mapping[str, Any],
    seed: int | None = None,
    inputs: Inputs | None = None,
    idempotency_key: str = "",
    publish_as: str = Visibility.PRIVATE,
    retry_of: Job | None = None,
    deadline_seconds: int | None = None,
) -> Job:
    """Clean ``parameters`` and accept the request: :func:`recipe_submit`.

    Raises InvalidRecipe (messages per field), QuotaExceeded, IdempotencyConflict.
    """
    return recipe_submit(
        owner=owner,
        recipe=kinds.kind(kind).recipe(parameters, frozenset(inputs or {})),
        seed=seed,
        inputs=inputs,
        idempotency_key=idempotency_key,
        publish_as=publish_as,
        retry_of=retry_of,
        deadline_seconds=deadline_seconds,
    )


@storage.saving()
def recipe_submit(
    *,
    owner: User,
    recipe: Recipe,
    seed: int | None = None,
    inputs: Inputs | None = None,
    idempotency_key: str = "",
    publish_as: str = Visibility.PRIVATE,
    retry_of: Job | None = None,
    deadline_seconds: int | None = None,
) -> Job:
    """Accept a request: the row is saved, then the workers are told. It holds while the broker is down.

    ``recipe`` was cleaned for the roles of ``inputs``. The same ``idempotency_key`` of the same person with
    the same recipe gives the same job again, so a double click makes one. ``seed`` None draws one.
    ``publish_as`` is the visibility of the results.

    Raises InvalidRecipe (messages per field), QuotaExceeded, IdempotencyConflict, CannotSave; ValueError when
    the recipe was cleaned for other roles.
    """
    storage.check_room()
    spec, cleaned = recipe.spec, recipe.parameters
    brought = dict(inputs or {})
    if recipe.roles != frozenset(brought):
        raise ValueError(f"cleaned for {sorted(recipe.roles)}, not for {sorted(brought)}")
    _check(owner, brought, seed, idempotency_key, publish_as)
    spec.clean_sizes(cleaned, {role: (picture.width, picture.height) for role, picture in brought.items()})
    with transaction.atomic():
        # One submission of a person at a time: limits, turns and keys are read and then written.
        User.objects.select_for_update(no_key=True).get(pk=owner.pk)
        if idempotency_key:
            earlier = Job.objects.filter(owner=owner, idempotency_key=idempotency_key).first()
            if earlier is not None:
                if _is_recipe_of(earlier, spec.slug, cleaned, seed, brought, publish_as):
                    return earlier
                raise IdempotencyConflict(f"key {idempotency_key!r} belongs to job {earlier.pk}")
        _check_limits(owner)
        now = timezone.now()
        job = Job.objects.create(
            owner=owner,
            kind=spec.slug,
            queue=spec.queue,
            parameters=cleaned,
            seed=secrets.randbelow(kinds.MAX_SEED + 1) if seed is None else kinds.clean_seed(seed),
            batch_key=spec.batch_key(cleaned)[:64],
            idempotency_key=idempotency_key or uuid.uuid4().hex,
            retry_of=retry_of,
            publish_as=publish_as,
            turn=_next_turn(owner, spec.queue),
            # Optimistic: set back to None when the notification cannot be sent.
            notified_at=now,
            created_at=now,
            deadline_at=None if deadline_seconds is None else now + timedelta(seconds=deadline_seconds),
        )
        JobInput.objects.bulk_create(
            JobInput(job=job, role=role, **_column(picture)) for role, picture in brought.items()
        )
        transaction.on_commit(lambda: _notify(job), robust=True)
    return job


def job_retry(*, job: Job, by: User, idempotency_key: str = "") -> Job:
    """The same recipe once more, as a new job that remembers what it retries.

    Raises what :func:`job_submit` raises; InvalidRecipe also when a picture it took is gone.
    """
    brought: dict[str, Upload | Artwork] = {}
    for given in job.inputs.select_related("upload", "artwork"):
        picture = given.upload or given.artwork
        if picture is None:
            raise InvalidRecipe({given.role: [_("This picture has been deleted.")]})
        brought[given.role] = picture
    return job_submit(
        owner=by,
        kind=job.kind,
        parameters=job.parameters,
        seed=job.seed,
        inputs=brought,
        idempotency_key=idempotency_key,
        publish_as=job.publish_as,
        retry_of=job,
    )


def _notify(job: Job) -> None:
    failpoints.reach("submitted")
    dispatch.notify([(job.pk, job.queue)])
    publisher.publish(messages.job_state(job))


def _check(owner: User, inputs: Inputs, seed: int | None, key: str, publish_as: str) -> None:
    """Everything but the parameters. Raises InvalidRecipe."""
    errors: dict[str, list[str]] = {}
    for role, picture in inputs.items():
        if isinstance(picture, Upload):
            usable = picture.owner_id == owner.pk
        else:
            usable = usable_as_input(owner, Artwork.objects.filter(pk=picture.pk)).exists()
        if not usable:
            errors[role] = [_("There is no such picture.")]
    if seed is not None:
        try:
            kinds.clean_seed(seed)
        except ValueError as error:
            errors["seed"] = [str(error)]
    if len(key) > KEY_LENGTH or not key.isprintable():
        errors["idempotency_key"] = [_("At most %(limit)d plain characters.") % {"limit": KEY_LENGTH}]
    if publish_as not in Visibility.values:
        errors["publish_as"] = [_("Choose one of: %(allowed)s.") % {"allowed": ", ".join(Visibility.values)}]
    if errors:
        raise InvalidRecipe(errors)


def _check_limits(owner: User) -> None:
    """Raises QuotaExceeded. Counted in the database, so that it holds when the cache is away."""
    waiting = Job.objects.filter(owner=owner, state=JobState.QUEUED).count()
    if waiting >= settings.ARTSITE_MAX_WAITING:
        raise QuotaExceeded(
            "queue_full",
            QUEUE_FULL_RETRY_SECONDS,
            _("You have %(count)d works waiting already. Submit more when some are done.")
            % {"count": waiting},
        )
    space = space_of(owner)
    if space.works >= space.works_limit:
        raise QuotaExceeded(
            "space_exceeded",
            round(DAY.total_seconds()),
            _("Your works take all the space you have (%(limit)d MB). Delete some to make room.")
            % {"limit": space.works_limit // 2**20},
        )
    if settings.ARTSITE_JOBS_PER_DAY:
        since = timezone.now() - DAY
        today = Job.objects.filter(owner=owner, created_at__gt=since).order_by("-created_at")
        # The one that must be a day old before there is room again.
        oldest = today.values_list("created_at", flat=True)[settings.ARTSITE_JOBS_PER_DAY - 1 :].first()
        if oldest is not None:
            raise QuotaExceeded(
                "quota_exceeded",
                max(1, round((oldest - since).total_seconds())),
                _("You have reached today's limit of %(limit)d works.")
                % {"limit": settings.ARTSITE_JOBS_PER_DAY},
            )


def _next_turn(owner: User, queue: str) -> int:
    """The turn that a new job of ``owner`` gets, so that people who wait are served one after the other.

    It comes after the owner's own waiting jobs, and not before the turn that is being served now:
    whoever comes late has no claim to the past.
    """
    here = Job.objects.filter(owner=owner, state=JobState.QUEUED, queue=queue)
    own: int | None = here.aggregate(turn=Max("turn"))["turn"]
    return max(serving_turn(queue), -1 if own is None else own + 1)


def _column(picture: Upload | Artwork) -> dict[str, Upload | Artwork]:
    return {"upload": picture} if isinstance(picture, Upload) else {"artwork": picture}


def _is_recipe_of(
    job: Job, kind: str, cleaned: Mapping[str, Any], seed: int | None, inputs: Inputs, publish_as: str
) -> bool:
    """Whether ``job`` is what is asked for now. A seed that was left to chance may be any."""
    given: dict[str, tuple[UUID | None, UUID | None]] = {
        role: (picture.pk, None) if isinstance(picture, Upload) else (None, picture.pk)
        for role, picture in inputs.items()
    }
    kept = {one.role: (one.upload_id, one.artwork_id) for one in job.inputs.all()}
    return (
        job.kind == kind
        and job.parameters == dict(cleaned)
        and (seed is None or job.seed == seed)
        and job.publish_as == publish_as
        and given == kept
    )
