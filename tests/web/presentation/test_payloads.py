"""Jobs as JSON: the same truth for polling, sockets and the command line, and no more than one may know."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from gallery.models import Job, JobState, User, Visibility
from gallery.presentation import payloads
from tests.web import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def failed(person: User) -> Job:
    return factories.make_job(
        person,
        state=JobState.FAILED,
        error_code="too_large",
        error_visitor="Too large.",
        error_operator="CUDA out of memory at /srv/x.py",
    )


def test_a_waiting_job_tells_its_place(person: User) -> None:
    factories.make_worker()
    factories.make_job(person)
    job = factories.make_job(person, turn=1)
    data = payloads.job_payload(job, person)
    assert (data["position"], data["ahead"], data["feasible"], data["outputs"]) == (1, 1, True, [])
    assert data["urls"]["self"] == f"/jobs/{job.pk}.json"
    job.state = JobState.RUNNING
    running = payloads.job_payload(job, person)
    assert {running[name] for name in payloads.StandingData.__annotations__} == {None}


def test_a_seed_keeps_all_its_digits_in_a_browser(person: User) -> None:
    job = factories.make_job(person, seed=2**63 - 1)
    assert json.loads(json.dumps(payloads.state_data(job)))["seed"] == "9223372036854775807"


def test_only_operators_get_the_operators_error(person: User, operator: User, failed: Job) -> None:
    assert payloads.job_payload(failed, person)["error"] == {"code": "too_large", "message": "Too large."}
    assert "CUDA" in payloads.job_payload(failed, operator)["error"]["operator"]
    assert "CUDA" not in json.dumps(payloads.state_data(failed))


def test_operators_see_the_job_and_not_the_private_works(person: User, operator: User) -> None:
    job = factories.make_job(person, state=JobState.SUCCEEDED)
    private = factories.make_artwork(person, job=job)
    shown = factories.make_artwork(person, job=job, index=1, visibility=Visibility.UNLISTED)
    owners = payloads.job_payload(job, person)["outputs"]
    assert [work["id"] for work in owners] == [str(private.pk), str(shown.pk)]
    assert [work["id"] for work in payloads.job_payload(job, operator)["outputs"]] == [str(shown.pk)]


def test_the_addresses_of_the_results_work(client: Client, person: User) -> None:
    job = factories.make_job(person, state=JobState.SUCCEEDED)
    factories.make_artwork(person, job=job)
    factories.make_artwork(person, "verse", job=job, index=1)
    factories.make_input(job, "image", factories.make_upload(person))
    client.force_login(person)
    data = payloads.job_payload(job, person)
    picture, poem = data["outputs"]
    assert (poem["url"], poem["thumb"]) == ("", "")
    assert poem["text"]
    for url in (picture["url"], picture["thumb"], picture["page"], data["inputs"][0]["url"]):
        assert client.get(url).status_code == 200, url
    for name in ("page", "self"):
        assert client.get(data["urls"][name]).status_code == 200


def test_queues_are_counted_in_one_query(person: User, django_assert_num_queries: object) -> None:
    for state in (JobState.QUEUED, JobState.RUNNING, JobState.CANCELING, JobState.FAILED):
        factories.make_job(person, state=state)
    factories.make_job(person, "verse")
    with django_assert_num_queries(1):  # type: ignore[operator]
        counts = payloads.queue_counts()
    assert counts == {"gan": {"waiting": 1, "running": 2}, "rnn": {"waiting": 1, "running": 0}}
