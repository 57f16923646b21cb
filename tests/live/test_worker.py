"""A real worker process with toy engines, a real broker: from the submission to the artwork."""

from __future__ import annotations

import signal

import pytest

from tests import toy_engines
from tests.live.conftest import MakeStack
from tests.live.stack import LEASE_SECONDS, Stack
from workers.lease import STALLED_EXIT


def test_a_submitted_job_becomes_artworks(stack: Stack) -> None:
    stack.start_broker()
    stack.start_worker()
    job = stack.submit("paint", prompt="steps=4", count=2, request={"seed": 7, "publish_as": "public"})
    row = stack.wait_state(job, "succeeded", timeout=20)
    assert len(row["artworks"]) == 2
    assert row["model_name"] == "toy"
    assert row["attempt"] == 1
    assert row["lease_token"] is None
    works = stack.ask("list(Artwork.objects.filter(job=job).order_by('index').values())", job=job)
    assert [work["recipe"]["index"] for work in works] == [0, 1]
    assert all((stack.data / "media" / work["file"]).is_file() for work in works)
    assert {work["visibility"] for work in works} == {"public"}


def test_poems_and_repainted_pictures_come_out_too(stack: Stack) -> None:
    stack.start_broker()
    stack.start_worker()
    poem = stack.submit("verse", prompt="steps=4")
    picture = stack.picture()
    restyled = stack.submit("restyle", style="starry_night", request={"inputs": {"image": picture}})
    rows = stack.wait_final(poem, restyled)
    assert [row["state"] for row in rows] == ["succeeded", "succeeded"]
    text = stack.ask("Artwork.objects.get(job=job).text", job=poem)
    assert text.splitlines() == list(toy_engines.ToyVerse.LINES)
    lineage = "list(Lineage.objects.filter(child__job=job).values_list('parent', 'relation'))"
    assert stack.ask(lineage, job=restyled) == [[picture, "image"]]


def test_a_job_at_work_is_canceled_at_its_next_step(stack: Stack) -> None:
    stack.start_broker()
    stack.start_worker()
    job = stack.submit(prompt="steps=400 pause=0.1")
    stack.wait_state(job, "running")
    assert stack.cancel(job) == "canceling"
    row = stack.wait_state(job, "canceled", timeout=5)
    assert row["artworks"] == []
    # The worker is free again.
    stack.wait_state(stack.submit(prompt="after"), "succeeded", timeout=20)


def test_eight_waiting_jobs_run_as_one_batch(stack: Stack) -> None:
    stack.start_broker()
    jobs = [stack.submit(prompt="steps=5 pause=0.05", count=1) for _ in range(8)]
    stack.start_worker(ready=False)
    rows = stack.wait_final(*jobs)
    assert {row["state"] for row in rows} == {"succeeded"}
    assert len({row["started_at"] for row in rows}) == 1, "one claim took all of them"
    assert all(len(row["artworks"]) == 1 for row in rows)


def test_one_poisoned_job_of_a_batch_fails_alone(stack: Stack) -> None:
    stack.start_broker()
    good = [stack.submit(prompt="steps=2", count=1) for _ in range(4)]
    bad = stack.submit(prompt="poison", count=1)
    good += [stack.submit(prompt="steps=2", count=1) for _ in range(3)]
    stack.start_worker(ready=False)
    rows = stack.wait_final(*good, bad)
    assert [row["state"] for row in rows] == ["succeeded"] * 7 + ["failed"]
    failed = rows[-1]
    assert failed["error_code"] == "engine_failed"
    assert "poisoned" in failed["error_operator"]
    assert "poisoned" not in failed["error_visitor"]
    assert {row["attempt"] for row in rows} == {1}


def test_a_batch_that_does_not_fit_is_made_in_halves(stack: Stack) -> None:
    stack.start_broker()
    jobs = [stack.submit(prompt="crowd=2", count=1) for _ in range(8)]
    hopeless = stack.submit(prompt="oom", count=1)
    stack.start_worker(ready=False)
    rows = stack.wait_final(*jobs, hopeless)
    assert [row["state"] for row in rows] == ["succeeded"] * 8 + ["failed"]
    assert rows[-1]["error_code"] == "too_large"


def test_an_engine_that_cannot_be_loaded_fails_its_jobs_readably(make_stack: MakeStack) -> None:
    engines = toy_engines.ALL.replace(":ToyPaint", ":BrokenToy")
    stack = make_stack(env={"ARTSITE_ENGINES": engines})
    stack.start_broker()
    stack.start_worker()
    row, other = stack.wait_final(stack.submit("paint"), stack.submit("verse"))
    assert (row["state"], row["error_code"]) == ("failed", "engine_unavailable")
    assert "libcuda.so.1" in row["error_operator"]
    assert "libcuda" not in row["error_visitor"]
    assert other["state"] == "succeeded", "the worker lives, and makes what it can"
    assert "libcuda.so.1" in stack.wait_for(lambda: stack.ask("Worker.objects.get().last_error"))


def test_a_broken_device_ends_the_worker_and_charges_nobody(stack: Stack) -> None:
    stack.start_broker()
    worker = stack.start_worker()
    job = stack.submit(prompt="broken")
    assert worker.wait(20) == 75
    row = stack.job(job)
    assert (row["state"], row["attempt"]) == ("queued", 0)


@pytest.mark.parametrize("numbers", [[signal.SIGTERM], [signal.SIGQUIT], [signal.SIGINT, signal.SIGINT]])
def test_a_stopped_worker_gives_its_job_back_uncharged(stack: Stack, numbers: list[int]) -> None:
    stack.start_broker()
    worker = stack.start_worker()
    job = stack.submit(prompt="steps=400 pause=0.1")
    stack.wait_state(job, "running")
    for number in numbers:
        worker.signal(number)
    worker.wait(10)
    row = stack.job(job)
    assert (row["state"], row["attempt"], row["lease_token"]) == ("queued", 0, None)
    assert not stack.ask("workers.online().exists()")


def test_a_drained_worker_finishes_and_takes_nothing_new(stack: Stack) -> None:
    stack.start_broker()
    stack.start_worker()
    first = stack.submit(prompt="steps=20 pause=0.1")
    stack.wait_state(first, "running")
    stack.console.call("person", name="otto", permissions=["operate_workers"])
    drain = (
        "workers.worker_drain(name='worker@test', draining=draining, by=User.objects.get(username='otto'))"
    )
    stack.ask(drain + ".draining", draining=True)
    second = stack.submit(prompt="later")
    stack.wait_state(first, "succeeded")
    assert stack.state(second) == "queued"
    # Nobody but the operator's change rings here: there is no scheduler.
    stack.ask(f"({drain}, dispatch.flush(5))[1]", draining=False)
    stack.wait_state(second, "succeeded", timeout=15)


def test_a_job_whose_bell_was_lost_is_found_by_the_sweep(stack: Stack) -> None:
    job = stack.submit(prompt="submitted while there is no broker")
    assert stack.job(job)["rung_at"] is None
    stack.start_broker()
    stack.start_worker()
    stack.start_scheduler()
    stack.wait_state(job, "succeeded", timeout=20)


def test_a_worker_that_disappears_loses_its_job_to_another(stack: Stack) -> None:
    stack.start_broker()
    stack.start_scheduler()
    stack.start_worker("first")
    job = stack.submit(prompt="steps=40 pause=0.1")
    stack.wait_state(job, "running")
    stack.kill("first")
    stack.start_worker("second")
    row = stack.wait_state(job, "succeeded", timeout=LEASE_SECONDS + 30)
    assert (row["attempt"], row["worker_name"]) == (2, "second@test")


def test_a_job_that_kills_its_worker_fails_after_three_attempts(stack: Stack) -> None:
    stack.start_broker()
    stack.start_scheduler()
    job = stack.submit(prompt="kill")
    for attempt in (1, 2, 3):
        stack.start_worker(ready=False).wait(30)
        assert stack.job(job)["attempt"] == attempt
        if attempt < 3:
            stack.wait_state(job, "queued", timeout=LEASE_SECONDS + 15)
    row = stack.wait_state(job, "failed", timeout=LEASE_SECONDS + 15)
    assert row["error_code"] == "worker_lost"


def test_a_hung_engine_ends_its_worker(stack: Stack) -> None:
    stack.start_broker()
    worker = stack.start_worker()
    job = stack.submit(prompt="hang")
    assert worker.wait(30) == STALLED_EXIT
    assert stack.job(job)["state"] == "running", "its lease will run out"


def test_a_scheduler_ends_within_two_seconds(stack: Stack) -> None:
    scheduler = stack.start_scheduler()
    stack.wait_for(lambda: "sweeping" in scheduler.tail())
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(2) == 0


@pytest.mark.postgres
def test_two_workers_share_a_queue_on_postgresql(make_stack: MakeStack, postgres_url: str) -> None:
    stack = make_stack(database_url=postgres_url)
    stack.start_broker()
    stack.start_scheduler()
    stack.start_worker("first")
    stack.start_worker("second")
    jobs = [stack.submit(owner=f"p{n % 3}", prompt="steps=3 pause=0.05", count=1) for n in range(24)]
    rows = stack.wait_final(*jobs)
    assert {row["state"] for row in rows} == {"succeeded"}
    assert all(len(row["artworks"]) == 1 for row in rows)
    assert {row["attempt"] for row in rows} == {1}
    late = stack.submit(prompt="steps=400 pause=0.1")
    stack.wait_state(late, "running")
    stack.cancel(late)
    stack.wait_state(late, "canceled", timeout=5)
