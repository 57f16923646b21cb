"""Fair turns, and how long a job will wait."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gallery.models import Job, User
from gallery.selectors import queue
from gallery.services import jobs
from gallery.services.submissions import job_submit
from tests.web.factories import make_job, make_upload, make_user, make_worker


def submit(owner: User, kind: str = "paint") -> Job:
    if kind == "restyle":
        style = {"style": "starry_night"}
        return job_submit(owner=owner, kind=kind, parameters=style, inputs={"image": make_upload(owner)})
    return job_submit(owner=owner, kind=kind, parameters={})


def served(count: int, queues: tuple[str, ...] = ("gan", "cnn", "rnn")) -> list[str]:
    """The owners of the next ``count`` jobs, taken one at a time."""
    return [
        job.owner.username
        for _ in range(count)
        for job in jobs.job_claim(queues=queues, worker_name="w", limit_for=lambda _: 1)
    ]


def done(owner: User, kind: str, seconds: float, number: int = 1) -> None:
    """``number`` jobs of ``kind`` that took ``seconds`` each."""
    now = timezone.now()
    for age in range(number):
        finished = now - timedelta(minutes=age + 1)
        make_job(
            owner,
            kind,
            "succeeded",
            started_at=finished - timedelta(seconds=seconds),
            finished_at=finished,
        )


def wait(job: Job) -> queue.QueuePosition:
    place = queue.position(job)
    assert place is not None
    return place


@pytest.fixture
def people(db: None) -> list[User]:
    return [make_user(name) for name in ("ana", "ben", "cleo")]


def test_people_who_wait_are_served_one_after_the_other(people: list[User]) -> None:
    ana, ben, cleo = people
    for _ in range(5):
        submit(ana)
    for _ in range(2):
        submit(ben)
    submit(cleo)
    assert served(8) == ["ana", "ben", "cleo", "ana", "ben", "ana", "ana", "ana"]


def test_a_batch_of_fifty_does_not_block_who_comes_later(people: list[User], settings: Any) -> None:
    settings.ARTSITE_MAX_WAITING = 50
    ana, ben, _ = people
    for _ in range(50):
        submit(ana)
    served(10)
    submit(ben)
    assert "ben" in served(2)


def test_who_submits_one_by_one_has_no_advantage(people: list[User]) -> None:
    ana, ben, _ = people
    for _ in range(4):
        submit(ana)
    order = []
    for _ in range(4):
        submit(ben)
        order += served(2)
    assert order == ["ana", "ben"] * 4


def test_an_empty_queue_does_not_overtake_the_queues_of_the_same_workers(people: list[User]) -> None:
    ana, ben, _ = people
    for _ in range(6):
        submit(ana, "paint")
    served(3)
    order = []
    for _ in range(3):
        submit(ben, "verse")
        order += served(2)
    assert order.count("ana") == 3, "whoever writes verse again and again does not starve the painters"


def test_position_counts_what_the_same_workers_serve_before(people: list[User]) -> None:
    ana, ben, _ = people
    make_worker("all", queues=["gan", "cnn", "rnn"])
    make_job(ana, "paint", "running", worker_name="all")
    first = submit(ana, "paint")
    second = submit(ana, "verse")
    last = submit(ben, "restyle")
    assert (wait(first).position, wait(first).ahead) == (0, 1)
    assert (wait(second).position, wait(last).position) == (1, 2)
    assert wait(last).feasible


def test_position_does_not_count_queues_of_other_workers(people: list[User]) -> None:
    ana, ben, _ = people
    make_worker("painter", queues=["gan"])
    make_worker("poet", queues=["rnn"])
    submit(ana, "paint")
    assert wait(submit(ben, "verse")).position == 0


def test_only_waiting_jobs_have_a_position(person: User) -> None:
    assert queue.position(make_job(person, state="running")) is None
    assert queue.position(make_job(person, state="succeeded")) is None


def test_without_a_worker_nothing_is_promised(person: User) -> None:
    make_worker("gone", seen_at=timezone.now() - timedelta(minutes=5))
    make_worker("stopped", stopped_at=timezone.now())
    make_worker("draining", draining=True)
    make_worker("poet", queues=["rnn"])
    done(person, "paint", 10)
    place = wait(submit(person))
    assert (place.feasible, place.eta_start) == (False, None)
    assert not queue.expected_wait("paint").feasible


def test_an_idle_worker_starts_at_once(person: User) -> None:
    make_worker()
    assert wait(submit(person)).eta_start == (0, 0)


def test_nothing_is_guessed_before_anything_was_made(person: User, stranger: User) -> None:
    make_worker()
    submit(stranger)
    assert wait(submit(person, "verse")).eta_start is None


def test_the_wait_is_what_is_at_work_and_what_comes_first(person: User, stranger: User) -> None:
    worker = make_worker()
    done(person, "restyle", 10, 5)
    done(person, "verse", 4, 5)
    make_job(
        stranger,
        "restyle",
        "running",
        worker_name=worker.name,
        started_at=timezone.now() - timedelta(seconds=7),
    )
    submit(stranger, "verse")
    low, high = wait(submit(person, "paint")).eta_start or (None, None)
    assert low == pytest.approx(3 + 4, abs=0.5)
    assert high == pytest.approx(3 + 4, abs=0.5)


def test_waiting_jobs_that_run_as_one_batch_cost_one_batch(person: User, stranger: User) -> None:
    make_worker()
    done(person, "paint", 10, 5)
    for _ in range(8):
        submit(stranger, "paint")
    low, _ = wait(submit(stranger, "restyle")).eta_start or (None, None)
    assert low == pytest.approx(10, abs=0.5)


def test_two_workers_share_the_wait(person: User, stranger: User) -> None:
    make_worker("one")
    make_worker("two")
    done(person, "restyle", 10, 5)
    for number in range(4):
        make_job(stranger, "restyle", turn=number)
    low, _ = wait(make_job(person, "restyle", turn=9)).eta_start or (None, None)
    assert low == pytest.approx(20, abs=0.5)


def test_the_range_comes_from_how_much_durations_vary(person: User, stranger: User) -> None:
    make_worker()
    for seconds in (4, 8, 12, 16, 20):
        done(person, "restyle", seconds)
    make_job(stranger, "restyle")
    low, high = wait(make_job(person, "restyle", turn=1)).eta_start or (0, 0)
    assert low == pytest.approx(8, abs=0.5)
    assert high == pytest.approx(16, abs=0.5)


def test_only_the_newest_fifty_durations_count(person: User) -> None:
    done(person, "paint", 5, queue.SAMPLES)
    old = timezone.now() - timedelta(days=1)
    for _ in range(60):
        make_job(person, "paint", "succeeded", started_at=old - timedelta(hours=1), finished_at=old)
    assert queue.expected_wait("paint").duration == pytest.approx(5)


def test_what_a_newcomer_can_expect(person: User, stranger: User) -> None:
    make_worker()
    done(person, "restyle", 10, 3)
    expected = queue.expected_wait("restyle")
    assert (expected.waiting, expected.start, expected.feasible) == (0, (0, 0), True)
    for _ in range(3):
        submit(stranger, "verse")
    # Fair turns: a newcomer waits for the turn that is being served, not for all of somebody's jobs.
    assert queue.expected_wait("verse").waiting == 1


def test_a_kind_that_is_no_more_does_not_break_the_others(person: User, stranger: User) -> None:
    make_worker()
    done(person, "paint", 4, 3)
    Job.objects.filter(pk=submit(stranger).pk).update(kind="etching", batch_key="etching")
    assert wait(submit(person)).position == 1
    assert queue.expected_wait("paint").waiting == 2


def test_a_long_line_is_answered_quickly(person: User, django_assert_max_num_queries: Any) -> None:
    make_worker()
    done(person, "restyle", 10, 3)
    line = [make_job(person, "restyle", turn=number) for number in range(queue.HORIZON + 100)]
    with django_assert_max_num_queries(8):
        low, _ = wait(line[-1]).eta_start or (None, None)
    assert low == pytest.approx(10 * (len(line) - 1), rel=0.02)
