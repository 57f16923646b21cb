"""The life of a job: every transition happens once, whoever asks for it and however late."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, connection
from django.utils import timezone
from PIL import Image
from redis import Redis

from gallery import dispatch
from gallery.models import Artwork, Job, JobState, Lineage, User
from gallery.models.job import FINAL, MAX_ATTEMPTS
from gallery.services import jobs
from gallery.services.artworks import PictureFile, artwork_delete, artworks_build
from gallery.services.sweep import NOTIFY_AGAIN_SECONDS, TimeJumps, job_sweep
from gallery.services.workers import HeartbeatData, worker_heartbeat
from tests.web.factories import make_input, make_job, make_listed, make_worker

NOBODY = uuid.UUID(int=0)


def claim(limit: int = 1, queues: tuple[str, ...] = ("gan", "cnn", "rnn"), worker: str = "w1") -> list[Job]:
    return jobs.job_claim(queues=queues, worker_name=worker, limit_for=lambda _: limit)


def claim_one() -> tuple[Job, uuid.UUID]:
    (job,) = claim()
    assert job.lease_token is not None
    return job, job.lease_token


def run_one() -> tuple[Job, uuid.UUID]:
    job, token = claim_one()
    started = jobs.job_start_running(
        job_ids=[job.pk], token=token, phase="painting", model_name="toy", model_digest="ab"
    )
    assert started == {job.pk}
    job.refresh_from_db()
    return job, token


def finish(job: Job, token: uuid.UUID) -> bool:
    outputs = artworks_build(job, [PictureFile(Image.new("RGB", (8, 8), "teal"))])
    return jobs.job_finish(job_id=job.pk, token=token, outputs=outputs, notes=[{"code": "told"}])


def fail(job: Job, token: uuid.UUID) -> bool:
    return jobs.job_fail(job_id=job.pk, token=token, code="bug", visitor="Sorry.", operator="a bug")


def silence(job: Job) -> None:
    """The worker of ``job`` is not heard of any more."""
    Job.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def row(job: Job) -> dict[str, Any]:
    return dict(Job.objects.filter(pk=job.pk).values().get())


def test_notes_of_an_engine_are_saved_while_it_works(person: User) -> None:
    make_job(person)
    job, token = run_one()
    jobs.job_take_notes(job_id=job.pk, token=NOBODY, notes=[{"code": "late"}])
    jobs.job_take_notes(job_id=job.pk, token=token, notes=[{"code": "understood", "segments": []}])
    told = row(job)
    assert (told["notes"], told["seq"]) == ([{"code": "understood", "segments": []}], job.seq + 1)
    assert finish(job, token)
    jobs.job_take_notes(job_id=job.pk, token=token, notes=[])
    assert row(job)["notes"] == [{"code": "told"}]


def test_a_job_is_claimed_started_and_finished_with_its_artworks(person: User) -> None:
    make_job(person, publish_as="public")
    job, token = claim_one()
    assert (job.state, job.attempt, job.worker_name) == ("starting", 1, "w1")
    assert job.lease_expires_at is not None
    assert job.lease_expires_at > timezone.now()
    jobs.job_start_running(job_ids=[job.pk], token=token, phase="", model_name="toy", model_digest="ab")
    jobs.job_enter_phase(job_ids=[job.pk], token=token, phase="painting")
    job.refresh_from_db()
    assert (job.state, job.phase, job.model_name) == ("running", "painting", "toy")
    assert finish(job, token)
    job.refresh_from_db()
    assert (job.state, job.phase, job.lease_token) == ("succeeded", "", None)
    assert job.notes == [{"code": "told"}]
    assert job.finished_at is not None
    (artwork,) = job.artworks.all()
    assert (artwork.owner, artwork.visibility, artwork.model_digest) == (person, "public", "ab")


def test_a_second_delivery_finds_nothing_to_claim(person: User) -> None:
    make_job(person)
    assert len(claim()) == 1
    assert claim() == []


def test_a_worker_takes_only_its_own_queues(person: User) -> None:
    make_job(person, kind="paint")
    assert claim(queues=("cnn", "rnn")) == []


def test_a_draining_worker_takes_nothing(person: User) -> None:
    make_job(person)
    make_worker("w1", draining=True)
    assert claim(worker="w1") == []
    assert len(claim(worker="w2")) == 1


def test_jobs_are_taken_by_turn_then_by_age(person: User, stranger: User) -> None:
    now = timezone.now()
    third = make_job(person, turn=2, created_at=now - timedelta(minutes=3))
    second = make_job(person, turn=1, created_at=now - timedelta(minutes=1))
    first = make_job(stranger, turn=1, created_at=now - timedelta(minutes=2))
    assert [claim_one()[0].pk for _ in range(3)] == [first.pk, second.pk, third.pk]


def test_a_claim_takes_compatible_jobs_up_to_the_limit_under_one_token(person: User, stranger: User) -> None:
    alike = [make_job(person if n % 2 else stranger, batch_key="a", turn=n) for n in range(5)]
    other = make_job(person, batch_key="b", turn=1)
    batch = claim(limit=4)
    assert [job.pk for job in batch] == [job.pk for job in alike[:4]]
    assert len({job.lease_token for job in batch}) == 1
    assert [job.pk for job in claim(limit=4)] == [other.pk]


def test_a_job_that_lost_a_worker_is_taken_alone(person: User) -> None:
    lost = make_job(person, batch_key="a", attempt=1, turn=0)
    new = [make_job(person, batch_key="a", turn=n) for n in (1, 2)]
    assert [job.pk for job in claim(limit=8)] == [lost.pk]
    assert [job.pk for job in claim(limit=8)] == [job.pk for job in new]


def test_cancel_ends_a_waiting_job_at_once(person: User) -> None:
    job = jobs.job_cancel(job_id=make_job(person).pk, by=person)
    assert (job.state, job.seq) == ("canceled", 2)
    assert job.finished_at is not None
    assert claim() == []


def test_cancel_of_a_job_at_work_is_confirmed_by_its_worker(person: User) -> None:
    make_job(person)
    job, token = run_one()
    assert jobs.job_cancel(job_id=job.pk, by=person).state == "canceling"
    assert jobs.job_heartbeat(job_ids=[job.pk], token=token) == {job.pk: "canceling"}
    assert not finish(job, token), "a result that comes after the cancel is not kept"
    assert not Artwork.objects.exists()
    assert jobs.job_confirm_cancel(job_id=job.pk, token=token)
    assert row(job)["state"] == "canceled"


def test_a_cancel_while_starting_is_noticed_before_the_engine_runs(person: User) -> None:
    make_job(person)
    job, token = claim_one()
    jobs.job_cancel(job_id=job.pk, by=person)
    assert jobs.job_start_running(job_ids=[job.pk], token=token, phase="") == set()
    assert jobs.job_confirm_cancel(job_id=job.pk, token=token)


def test_a_job_that_fails_while_it_is_canceled_is_canceled(person: User) -> None:
    make_job(person)
    job, token = run_one()
    jobs.job_cancel(job_id=job.pk, by=person)
    assert fail(job, token)
    assert (row(job)["state"], row(job)["error_code"]) == ("canceled", "")


def test_only_the_owner_cancels(person: User, stranger: User, operator: User) -> None:
    job = make_job(person)
    for other in (stranger, operator):
        with pytest.raises(PermissionDenied):
            jobs.job_cancel(job_id=job.pk, by=other)
    assert row(job)["state"] == "queued"


def test_a_failure_keeps_one_text_for_the_visitor_and_one_for_the_operator(person: User) -> None:
    make_job(person)
    job, token = run_one()
    assert fail(job, token)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "bug")
    assert (job.error_visitor, job.error_operator) == ("Sorry.", "a bug")


def test_an_error_text_may_hold_anything(person: User) -> None:
    make_job(person)
    job, token = run_one()
    odd = "a\x00b \ud800 ☃ " + "x" * 20_000
    assert jobs.job_fail(job_id=job.pk, token=token, code="c" * 99, visitor=odd, operator=odd)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "c" * 32)
    assert job.error_operator.startswith("a?b ? ☃ xxx")


def test_a_workers_error_text_may_hold_anything(db: None) -> None:
    seen = worker_heartbeat(
        data=HeartbeatData(
            name="w1", host="h", pid=1, queues=["gan"], last_error="a\x00b \ud800 ☃" + "x" * 400
        )
    )
    assert seen.last_error.startswith("a?b ? ☃x")
    assert len(seen.last_error) == 300


def test_a_work_whose_parent_was_deleted_meanwhile_is_saved_with_a_stub(person: User, stranger: User) -> None:
    kept, deleted = make_listed(stranger), make_listed(stranger)
    job = make_job(person, "restyle")
    make_input(job, "image", deleted)
    make_input(job, "style", kept)
    job, token = run_one()
    outputs = artworks_build(job, [PictureFile(Image.new("RGB", (8, 8), "teal"))])
    artwork_delete(artwork=deleted, by=stranger)
    assert jobs.job_finish(job_id=job.pk, token=token, outputs=outputs)
    edges = Lineage.objects.filter(child__job=job).values_list("relation", "parent_id")
    assert set(edges) == {("image", None), ("style", kept.pk)}
    connection.check_constraints()


def test_a_released_job_waits_again_uncharged(person: User) -> None:
    make_job(person, turn=3)
    job, token = run_one()
    assert jobs.job_release(job_ids=[job.pk], token=token) == 1
    job.refresh_from_db()
    assert (job.state, job.attempt, job.turn, job.lease_token) == ("queued", 0, 3, None)
    again, _ = claim_one()
    assert (again.pk, again.attempt) == (job.pk, 1)


def test_a_lost_lease_puts_the_job_back_and_fences_the_old_worker_off(person: User) -> None:
    make_job(person)
    job, old = run_one()
    silence(job)
    assert job_sweep().requeued == 1
    again, new = run_one()
    assert (again.pk, again.attempt) == (job.pk, 2)
    before = row(job)

    assert jobs.job_heartbeat(job_ids=[job.pk], token=old) == {}
    assert jobs.job_start_running(job_ids=[job.pk], token=old, phase="") == set()
    jobs.job_enter_phase(job_ids=[job.pk], token=old, phase="zombie")
    assert jobs.job_release(job_ids=[job.pk], token=old) == 0
    assert not fail(job, old)
    assert not finish(job, old)
    assert not jobs.job_confirm_cancel(job_id=job.pk, token=old)

    assert row(job) == before
    assert not Artwork.objects.exists()
    assert finish(again, new)
    assert Artwork.objects.count() == 1


def test_a_heartbeat_keeps_the_job(person: User) -> None:
    make_job(person)
    job, token = run_one()
    silence(job)
    assert jobs.job_heartbeat(job_ids=[job.pk], token=token) == {job.pk: "running"}
    assert not job_sweep()
    assert row(job)["state"] == "running"


def test_a_job_that_loses_every_worker_fails_after_three_attempts(person: User) -> None:
    job = make_job(person)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        claimed, _ = claim_one()
        assert claimed.attempt == attempt
        silence(claimed)
        report = job_sweep()
    assert (report.lost, report.requeued) == (1, 0)
    assert (row(job)["state"], row(job)["error_code"]) == ("failed", "worker_lost")
    assert claim() == []


def test_a_canceling_job_whose_worker_is_gone_is_canceled(person: User) -> None:
    make_job(person)
    job, _ = run_one()
    jobs.job_cancel(job_id=job.pk, by=person)
    silence(job)
    assert job_sweep().canceled == 1
    assert row(job)["state"] == "canceled"


def test_a_job_expires_past_its_deadline_and_is_not_taken_any_more(person: User) -> None:
    past = timezone.now() - timedelta(seconds=1)
    late = make_job(person, deadline_at=past)
    in_time = make_job(person, deadline_at=timezone.now() + timedelta(hours=1))
    assert [job.pk for job in claim(limit=8)] == [in_time.pk]
    assert job_sweep().expired == 1
    assert (row(late)["state"], row(late)["error_code"]) == ("expired", "expired")


def test_a_result_that_cannot_be_saved_leaves_the_job_as_it_was(person: User) -> None:
    make_job(person)
    job, token = run_one()
    (first,) = artworks_build(job, [PictureFile(Image.new("RGB", (8, 8)))])
    before = row(job)
    with pytest.raises(IntegrityError):
        # The same output twice breaks a constraint in the middle of the transaction.
        jobs.job_finish(job_id=job.pk, token=token, outputs=[first, first])
    assert row(job) == before
    assert not Artwork.objects.exists()
    assert jobs.job_finish(job_id=job.pk, token=token, outputs=[first])


@pytest.mark.parametrize("state", FINAL)
def test_a_final_state_never_changes(person: User, state: JobState) -> None:
    job = make_job(person, state=state, attempt=1, deadline_at=timezone.now(), notified_at=None)
    before = row(job)
    assert claim() == []
    jobs.job_cancel(job_id=job.pk, by=person)
    jobs.job_start_running(job_ids=[job.pk], token=NOBODY, phase="")
    jobs.job_release(job_ids=[job.pk], token=NOBODY)
    fail(job, NOBODY)
    finish(job, NOBODY)
    assert not job_sweep()
    assert row(job) == before


STEPS: dict[str, Callable[[Job, uuid.UUID, User], object]] = {
    "phase": lambda job, token, _: jobs.job_enter_phase(job_ids=[job.pk], token=token, phase="writing"),
    "cancel": lambda job, _, by: jobs.job_cancel(job_id=job.pk, by=by),
    "release": lambda job, token, _: jobs.job_release(job_ids=[job.pk], token=token),
    "fail": lambda job, token, _: fail(job, token),
    "finish": lambda job, token, _: finish(job, token),
    "sweep": lambda job, token, _: [act() for act in (lambda: silence(job), job_sweep)],
}


@pytest.mark.parametrize("step", STEPS)
def test_every_transition_raises_seq(person: User, step: str) -> None:
    waiting = make_job(person).seq
    job, token = claim_one()
    assert job.seq > waiting
    jobs.job_start_running(job_ids=[job.pk], token=token, phase="painting")
    before = row(job)["seq"]
    assert before > job.seq
    STEPS[step](job, token, person)
    assert row(job)["seq"] == before + 1


@pytest.fixture
def pending(broker: Redis) -> Callable[[str], int]:
    """``pending("gan")``: how many messages lie in a queue of the real broker, empty at first."""
    # Notifications of earlier tests, which had no broker, may still be under way: they must not come later.
    assert dispatch.flush(60)
    broker.flushdb()

    def count(queue: str) -> int:
        assert dispatch.flush(10)
        return int(broker.llen(queue))

    return count


@pytest.mark.parametrize(
    ("wall", "awake", "jumped"),
    [
        (5, 5, False),
        (12, 12, False),  # a busy machine
        (65, 65, True),  # this process was stopped
        (3600, 5, True),  # the machine slept, or its clock was set forward
        (-3600, 5, True),  # its clock was set back
    ],
)
def test_a_jump_of_time_is_noticed(
    wall: float, awake: float, jumped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    jumps = TimeJumps()
    assert not jumps.jumped(5)
    now, monotonic = time.time(), time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now + wall)
    monkeypatch.setattr(time, "monotonic", lambda: monotonic + awake)
    assert jumps.jumped(5) is jumped
    assert not jumps.jumped(5)


def test_after_a_jump_of_time_a_silent_worker_has_one_more_lease(person: User) -> None:
    make_job(person)
    job, _ = run_one()
    silence(job)
    report = job_sweep(time_jumped=True)
    assert (report.renewed, report.requeued) == (1, 0)
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("running", 1)
    assert not job_sweep()
    silence(job)
    assert job_sweep().requeued == 1


def test_a_lease_of_a_clock_that_was_set_back_ends_in_time(person: User) -> None:
    make_job(person)
    job, _ = run_one()
    Job.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() + timedelta(hours=2))
    assert job_sweep().renewed == 1
    job.refresh_from_db()
    assert job.lease_expires_at is not None
    assert job.lease_expires_at <= timezone.now() + timedelta(seconds=settings.ARTSITE_LEASE_SECONDS)


def test_the_sweep_repeats_missing_and_old_notifications_but_not_fresh_ones(
    person: User, pending: Callable[[str], int]
) -> None:
    now = timezone.now()
    fresh = make_job(person, kind="paint", notified_at=now)
    old = make_job(person, kind="verse", notified_at=now - timedelta(seconds=NOTIFY_AGAIN_SECONDS + 1))
    missing = make_job(person, kind="restyle", notified_at=None)
    assert job_sweep().notified == 2
    assert (pending("gan"), pending("rnn"), pending("cnn")) == (0, 1, 1)
    assert row(fresh)["notified_at"] == now
    assert row(old)["notified_at"] > now
    assert row(missing)["notified_at"] > now
    assert job_sweep().notified == 0


def test_the_sweep_notifies_once_for_every_idle_worker_of_a_queue(
    person: User, stranger: User, pending: Callable[[str], int]
) -> None:
    for number in range(10):
        make_job(person, turn=number, notified_at=None)
    for name in ("idle-1", "idle-2", "idle-3"):
        make_worker(name, queues=["gan"])
    make_worker("other-queue", queues=["rnn"])
    make_worker("busy", queues=["gan"])
    make_worker("gone", queues=["gan"], seen_at=timezone.now() - timedelta(minutes=5))
    make_worker("draining", queues=["gan"], draining=True)
    make_job(stranger, state="running", worker_name="busy")
    assert job_sweep().notified == 3
    assert pending("gan") == 3


def test_a_sweep_without_anything_to_do_says_so(db: None) -> None:
    assert not job_sweep()
