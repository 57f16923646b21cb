"""A real worker process with toy engines, a real broker: from the submission to the artwork.

What kills, freezes or signals a worker is in ``test_faults_worker.py``.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from PIL import Image

from tests import toy_engines
from tests.live.conftest import MakeStack
from tests.live.stack import Stack
from workers.runtime.consumer_watchdog import LOOK_SECONDS
from workers.runtime.runner import DEVICE_EXIT


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Stack]:
    """A broker and a worker that the tests of this module share; none of them harms it."""
    with Stack(tmp_path_factory.mktemp("studio") / "stack", template=migrated) as stack:
        stack.start_broker()
        stack.start_worker()
        yield stack


def submit_together(studio: Stack, *prompts: str, kind: str = "paint") -> list[str]:
    """Jobs that all wait when the worker becomes free, so that it claims them as one batch."""
    blocker = studio.submit("verse" if kind == "paint" else "paint", prompt="steps=20 pause=0.1")
    studio.wait_state(blocker, "running")
    jobs = [studio.submit(kind, prompt=prompt, count=1) for prompt in prompts]
    assert {studio.state(job) for job in jobs} == {"queued"}
    return jobs


def test_a_submitted_job_becomes_artworks(studio: Stack) -> None:
    job = studio.submit("paint", prompt="steps=4", count=2, request={"seed": 7, "publish_as": "public"})
    row = studio.wait_state(job, "succeeded", timeout=20)
    assert len(row["artworks"]) == 2
    assert (row["model_name"], row["attempt"], row["lease_token"]) == ("toy", 1, None)
    works = studio.ask("list(Artwork.objects.filter(job=job).order_by('index').values())", job=job)
    assert [work["recipe"]["index"] for work in works] == [0, 1]
    assert all((studio.data / "media" / work["file"]).is_file() for work in works)
    assert {work["visibility"] for work in works} == {"public"}


def test_poems_and_repainted_pictures_come_out_too(studio: Stack) -> None:
    poem = studio.submit("verse", prompt="steps=4")
    picture = studio.picture()
    restyled = studio.submit("restyle", style="starry_night", request={"inputs": {"image": picture}})
    rows = studio.wait_final(poem, restyled)
    assert [row["state"] for row in rows] == ["succeeded", "succeeded"]
    text = studio.ask("Artwork.objects.get(job=job).text", job=poem)
    assert text.splitlines() == list(toy_engines.ToyVerse.LINES)
    lineage = "list(Lineage.objects.filter(child__job=job).values_list('parent', 'relation'))"
    assert studio.ask(lineage, job=restyled) == [[picture, "image"]]


def test_blended_works_have_their_parents_and_engines_get_their_details(studio: Stack) -> None:
    one, two = studio.picture(), studio.picture()
    inputs = {"inputs": {"parent_1": one, "parent_2": two}}
    job = studio.submit("blend", weight_1=0.75, weight_2=0.25, count=2, request=inputs)
    row = studio.wait_state(job, "succeeded", timeout=20)
    for child in row["artworks"]:
        edges = "Lineage.objects.filter(child=child).order_by('pk')"
        found = studio.ask(f"list({edges}.values_list('parent', 'relation', 'weight'))", child=child)
        assert found == [[one, "parent", 0.75], [two, "parent", 0.25]]
    (first, _) = row["artworks"]
    details = studio.ask("Artwork.objects.get(pk=first).details", first=first)
    assert details["heard"] == {"parent_1": ["paint", "", {}], "parent_2": ["paint", "", {}]}
    grandchild = studio.submit("blend", mode="mutate", count=1, request={"inputs": {"parent_1": first}})
    (youngest,) = studio.wait_state(grandchild, "succeeded", timeout=20)["artworks"]
    heard = studio.ask("Artwork.objects.get(pk=youngest).details['heard']", youngest=youngest)
    assert heard["parent_1"][:2] == ["blend", "toy"]
    assert heard["parent_1"][2]["latent"] == {"toy": 0}


def test_a_loop_is_stored_as_webp_and_as_mp4(studio: Stack) -> None:
    (painted,) = studio.wait_state(studio.submit("paint", count=1), "succeeded")["artworks"]
    inputs = {"inputs": {"parent_1": studio.picture(), "parent_2": painted}}
    job = studio.submit("blend", mode="bridge", frames=16, size="256", request=inputs)
    (work,) = studio.wait_state(job, "succeeded", timeout=30)["artworks"]
    row = studio.ask("Artwork.objects.filter(pk=work).values().get()", work=work)
    with Image.open(studio.data / "media" / row["file"]) as loop:
        assert (loop.format, getattr(loop, "n_frames", 1), loop.size) == ("WEBP", 16, (96, 96))
    with av.open(str(studio.data / "media" / row["video"])) as video:
        assert sum(1 for _ in video.decode(video=0)) == 16
    assert (row["details"]["frames"], row["details"]["seconds"]) == (16, 2.0)
    # A loop may become a parent itself: its first frame is what an engine opens.
    child = studio.submit("upscale", factor="2", request={"inputs": {"image": work}})
    (larger,) = studio.wait_state(child, "succeeded", timeout=20)["artworks"]
    assert studio.ask("Artwork.objects.get(pk=larger).width", larger=larger) == 192


def test_notes_of_an_engine_are_shown_while_it_works(studio: Stack) -> None:
    job = studio.submit(prompt="sea xyzzy steps=100 pause=0.1", count=1)
    studio.wait_for(lambda: studio.job(job)["notes"], 20)
    row = studio.job(job)
    assert row["state"] == "running"
    assert row["notes"][0]["segments"][0] == {"text": "sea", "words": ["sea"]}
    studio.cancel(job)
    assert studio.wait_state(job, "canceled")["notes"] == row["notes"]


def test_a_picture_that_is_gone_fails_the_job_readably(studio: Stack) -> None:
    (gone,) = submit_together(studio, "never mind")
    picture = studio.picture()
    job = studio.submit("restyle", style="starry_night", request={"inputs": {"image": picture}})
    studio.ask("Artwork.objects.filter(pk=picture).delete()[0]", picture=picture)
    row = studio.wait_state(job, "failed")
    assert row["error_code"] == "input_missing"
    assert row["error_visitor"].endswith("no longer there: Picture.")
    assert row["notes"] == [{"code": "input_missing", "role": "image"}]
    studio.wait_state(gone, "succeeded")


def test_a_job_at_work_is_canceled_at_its_next_step(studio: Stack) -> None:
    job = studio.submit(prompt="steps=400 pause=0.1")
    studio.wait_state(job, "running")
    assert studio.cancel(job) == "canceling"
    row = studio.wait_state(job, "canceled", timeout=5)
    assert row["artworks"] == []
    # The worker is free again.
    studio.wait_state(studio.submit(prompt="after"), "succeeded", timeout=20)


def test_eight_waiting_jobs_run_as_one_batch(studio: Stack) -> None:
    rows = studio.wait_final(*submit_together(studio, *["steps=3"] * 8))
    assert {row["state"] for row in rows} == {"succeeded"}
    assert len({row["started_at"] for row in rows}) == 1, "one claim took all of them"
    assert all(len(row["artworks"]) == 1 for row in rows)


def test_f24_one_poisoned_job_of_a_batch_fails_alone(studio: Stack) -> None:
    rows = studio.wait_final(*submit_together(studio, *["steps=2"] * 4, "poison", *["steps=2"] * 3))
    assert [row["state"] for row in rows] == ["succeeded"] * 4 + ["failed"] + ["succeeded"] * 3
    assert {row["attempt"] for row in rows} == {1}
    poisoned = rows[4]
    assert poisoned["error_code"] == "engine_failed"
    assert "poisoned" in poisoned["error_operator"]
    assert "poisoned" not in poisoned["error_visitor"]


def test_a_refused_request_of_a_batch_fails_alone_with_its_own_error(studio: Stack) -> None:
    rows = studio.wait_final(*submit_together(studio, "steps=2", "invalid"))
    assert [row["state"] for row in rows] == ["succeeded", "failed"]
    assert (rows[1]["error_code"], rows[1]["error_visitor"]) == ("invalid_request", "This cannot be made.")


def test_a_batch_that_does_not_fit_is_made_in_smaller_parts(studio: Stack) -> None:
    # The worker remembers for a while what fits, so it is the kind that no other test here runs in batches.
    rows = studio.wait_final(*submit_together(studio, *["crowd=2"] * 7, "oom", kind="verse"))
    assert [row["state"] for row in rows] == ["succeeded"] * 7 + ["failed"]
    assert rows[-1]["error_code"] == "too_large"


def test_a_drained_worker_finishes_and_takes_nothing_new(studio: Stack) -> None:
    first = studio.submit(prompt="steps=20 pause=0.1")
    studio.wait_state(first, "running")
    studio.console.call("person", name="otto", permissions=["operate_workers"])
    otto = "User.objects.get(username='otto')"
    drain = f"worker_drain(name='worker@test', draining=draining, by={otto})"
    assert studio.ask(f"{drain}.draining", draining=True)
    second = studio.submit(prompt="later")
    studio.wait_state(first, "succeeded")
    assert studio.state(second) == "queued"
    # Only the operator's change notifies here: there is no scheduler.
    assert studio.ask(f"({drain}, dispatch.flush(5))[1]", draining=False)
    studio.wait_state(second, "succeeded", timeout=15)


def test_operators_see_the_worker(studio: Stack) -> None:
    def seen() -> bool:
        row = studio.ask("Worker.objects.filter(name='worker@test').values().get()")
        kinds = {model["kind"] for model in row["models_loaded"]}
        return (
            kinds == {one.partition("=")[0] for one in toy_engines.ALL.split(",")}
            and row["current_job_id"] is None
            and row["succeeded"] > 0
        )

    job = studio.submit(prompt="steps=30 pause=0.1")
    studio.wait_for(lambda: studio.ask("str(Worker.objects.get().current_job_id)") == job, 10)
    studio.wait_state(job, "succeeded")
    studio.wait_for(seen, 10)


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
    stack.wait_for(lambda: "libcuda.so.1" in stack.ask("Worker.objects.get().last_error"))


def test_a_broken_device_ends_the_worker_and_charges_nobody(stack: Stack) -> None:
    stack.start_broker()
    worker = stack.start_worker()
    job = stack.submit(prompt="broken")
    assert worker.wait(20) == DEVICE_EXIT
    row = stack.job(job)
    assert (row["state"], row["attempt"]) == ("queued", 0)
    assert not stack.ask("workers.online().exists()")


def test_a_job_whose_notification_was_lost_is_found_by_the_sweep(stack: Stack) -> None:
    job = stack.submit(prompt="submitted while there is no broker")
    assert stack.job(job)["notified_at"] is None
    stack.start_broker()
    stack.start_worker(ready=False)
    scheduler = stack.start_scheduler()
    stack.wait_state(job, "succeeded", timeout=30)
    scheduler.signal(signal.SIGTERM)
    assert scheduler.wait(5) == 0, "and the scheduler ends when it is told to"


def test_work_goes_on_while_there_is_no_broker(stack: Stack) -> None:
    stack.start_broker()
    stack.start_worker()
    stack.kill("broker")
    job = stack.submit(prompt="nobody can notify")
    stack.wait_state(job, "succeeded", timeout=LOOK_SECONDS + 20)
