"""From a recipe to a waiting job: what is accepted, what is refused, and what happens only once."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings
from redis import Redis

from gallery import dispatch, kinds
from gallery.kinds import InvalidRecipe, UnknownKind
from gallery.models import Job, User
from gallery.services.submissions import IdempotencyConflict, QuotaExceeded, job_retry, job_submit
from tests.web.factories import make_artwork, make_job, make_listed, make_upload, make_user


def submit(owner: User, prompt: str = "a river", **request: Any) -> Job:
    parameters = {"prompt": prompt, **request.pop("parameters", {})}
    return job_submit(owner=owner, kind=request.pop("kind", "paint"), parameters=parameters, **request)


def test_a_submission_is_a_waiting_row_with_a_whole_recipe(person: User) -> None:
    job = submit(person, seed=7, publish_as="unlisted", deadline_seconds=60)
    job.refresh_from_db()
    assert (job.state, job.queue, job.seed, job.attempt) == ("queued", "gan", 7, 0)
    assert job.parameters == kinds.kind("paint").clean({"prompt": "a river"})
    assert job.publish_as == "unlisted"
    assert job.deadline_at == job.created_at + timedelta(seconds=60)


def test_a_seed_that_is_left_to_chance_is_drawn(person: User) -> None:
    seeds = {submit(person).seed for _ in range(5)}
    assert len(seeds) == 5
    assert all(0 <= seed <= kinds.MAX_SEED for seed in seeds)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"parameters": {"count": 99}}, "count"),
        ({"parameters": {"unknown": 1}}, "unknown"),
        ({"parameters": {"truncation": float("nan")}}, "truncation"),
        ({"seed": 2**64}, "seed"),
        ({"seed": -1}, "seed"),
        ({"publish_as": "everybody"}, "publish_as"),
        ({"idempotency_key": "k" * 65}, "idempotency_key"),
        ({"idempotency_key": "a\x00b"}, "idempotency_key"),
        ({"kind": "restyle", "parameters": {"style": "starry_night"}}, "image"),
    ],
)
def test_what_cannot_be_made_is_refused_by_field(person: User, request_: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRecipe) as refused:
        job_submit(**{"owner": person, "kind": "paint", "parameters": {}, **request_})
    assert list(refused.value.errors) == [field]
    assert not Job.objects.exists()


def test_an_unknown_kind_is_refused(person: User) -> None:
    with pytest.raises(UnknownKind):
        submit(person, kind="../paint")


def test_pictures_are_ones_own_or_listed(person: User, stranger: User) -> None:
    def restyle(picture: Any) -> Job:
        return job_submit(
            owner=person, kind="restyle", parameters={"style": "starry_night"}, inputs={"image": picture}
        )

    for usable in (make_upload(person), make_artwork(person), make_listed(stranger)):
        (given,) = restyle(usable).inputs.all()
        assert usable in (given.upload, given.artwork)
    for forbidden in (make_upload(stranger), make_artwork(stranger), make_artwork(person, kind="verse")):
        with pytest.raises(InvalidRecipe) as refused:
            restyle(forbidden)
        assert list(refused.value.errors) == ["image"]


def test_one_key_is_one_job(person: User) -> None:
    first = submit(person, idempotency_key="k")
    assert submit(person, idempotency_key="k").pk == first.pk
    assert Job.objects.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        {"prompt": "a mountain"},
        {"seed": 8},
        {"parameters": {"count": 2}},
        {"publish_as": "public"},
        {"kind": "verse"},
    ],
)
def test_one_key_for_another_recipe_is_a_conflict(person: User, other: dict[str, Any]) -> None:
    submit(person, seed=7, idempotency_key="k")
    with pytest.raises(IdempotencyConflict):
        submit(person, **{"seed": 7, "idempotency_key": "k", **other})


def test_keys_belong_to_people(person: User, stranger: User) -> None:
    assert submit(person, idempotency_key="k").pk != submit(stranger, idempotency_key="k").pk


def test_the_same_key_is_answered_even_when_the_queue_is_full(person: User, settings: Settings) -> None:
    settings.ARTSITE_MAX_WAITING = 1
    first = submit(person, idempotency_key="k")
    assert submit(person, idempotency_key="k").pk == first.pk


@pytest.mark.django_db(transaction=True)
def test_eight_clicks_at_once_make_one_job(broker: Redis) -> None:
    person = make_user("ana")
    ready, answers = threading.Barrier(8), []

    def click() -> None:
        try:
            ready.wait(10)
            answers.append(submit(person, idempotency_key="k").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 8
    assert len(set(answers)) == 1
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_are_notified_of_a_job_after_its_commit(broker: Redis) -> None:
    assert dispatch.flush(60)
    broker.flushdb()
    job = submit(make_user("ana"))
    assert dispatch.flush(10)
    (message,) = broker.lrange("gan", 0, -1)
    assert str(job.pk).encode() in message
    assert b"a river" not in message, "the message carries an id and nothing else"


def test_a_person_has_so_many_waiting_jobs_and_not_more(
    person: User, stranger: User, settings: Settings
) -> None:
    settings.ARTSITE_MAX_WAITING = 2
    make_job(person, state="running")
    submit(person)
    waiting = submit(person)
    with pytest.raises(QuotaExceeded) as refused:
        submit(person)
    assert refused.value.code == "queue_full"
    assert refused.value.retry_after > 0
    assert "2" in refused.value.visitor
    submit(stranger)
    Job.objects.filter(pk=waiting.pk).update(state="succeeded")
    submit(person)


def test_a_person_has_so_many_jobs_a_day_and_not_more(person: User, settings: Settings) -> None:
    settings.ARTSITE_JOBS_PER_DAY = 2
    now = timezone.now()
    make_job(person, state="succeeded", created_at=now - timedelta(hours=25))
    make_job(person, state="succeeded", created_at=now - timedelta(hours=23))
    submit(person)
    with pytest.raises(QuotaExceeded) as refused:
        submit(person)
    assert refused.value.code == "quota_exceeded"
    assert 3500 < refused.value.retry_after <= 3600, "in an hour the older one is a day old"
    settings.ARTSITE_JOBS_PER_DAY = 0
    submit(person)


def test_a_retry_is_a_new_job_of_the_same_recipe(person: User) -> None:
    picture = make_upload(person)
    failed = job_submit(
        owner=person, kind="restyle", parameters={"style": "starry_night"}, inputs={"image": picture}, seed=3
    )
    Job.objects.filter(pk=failed.pk).update(state="failed")
    retry = job_retry(job=failed, by=person)
    assert retry.pk != failed.pk
    assert (retry.retry_of, retry.state) == (failed, "queued")
    assert (retry.parameters, retry.seed) == (failed.parameters, 3)
    assert [given.upload for given in retry.inputs.all()] == [picture]


def test_a_retry_whose_picture_is_gone_is_refused(person: User) -> None:
    artwork = make_artwork(person)
    job = job_submit(
        owner=person, kind="restyle", parameters={"style": "starry_night"}, inputs={"image": artwork}
    )
    artwork.delete()
    with pytest.raises(InvalidRecipe) as refused:
        job_retry(job=job, by=person)
    assert list(refused.value.errors) == ["image"]


def test_a_picture_that_would_become_too_large_is_refused_beside_the_field(person: User) -> None:
    large = make_upload(person, width=1025, height=40)
    with pytest.raises(InvalidRecipe) as refusal:
        job_submit(owner=person, kind="upscale", parameters={"factor": "4"}, inputs={"image": large})
    assert set(refusal.value.errors) == {"factor"}
    assert not Job.objects.exists()
    job = job_submit(owner=person, kind="upscale", parameters={"factor": "2"}, inputs={"image": large})
    assert job.state == "queued"


def test_parents_of_a_blend_are_checked_one_by_one(person: User) -> None:
    own, foreign = make_artwork(person), make_artwork(make_user())
    with pytest.raises(InvalidRecipe) as refusal:
        job_submit(owner=person, kind="blend", parameters={}, inputs={"parent_1": own, "parent_2": foreign})
    assert set(refusal.value.errors) == {"parent_2"}
    job = job_submit(owner=person, kind="blend", parameters={}, inputs={"parent_1": own, "parent_2": own})
    assert job.inputs.count() == 2
