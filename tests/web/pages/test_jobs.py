"""A job's page, its JSON for polling, cancel and retry."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from gallery.models import Job, JobState, User
from gallery.services.artworks import artwork_set_visibility
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(person: User) -> Client:
    return client_of(person)


def page(client: Client, job: Job) -> str:
    return str(client.get(reverse("job", args=[job.pk])).content.decode())


def test_placeholders_have_the_shape_of_the_results(client: Client, person: User) -> None:
    content = page(client, factories.make_job(person, parameters={"count": 3}))
    assert content.count('class="card slot r100"') == 3
    poem = page(client, factories.make_job(person, "verse", parameters={"form": "5lvshi"}))
    assert 'data-lines="8" data-length="5"' in poem
    assert poem.count('<span class="line">') == 8
    job = factories.make_job(person, "restyle")
    factories.make_input(job, "image", factories.make_upload(person, width=300, height=200))
    assert 'class="card slot r150"' in page(client, job)


def test_a_waiting_job_tells_its_place_and_that_it_can_run(
    client: Client, person: User, stranger: User
) -> None:
    factories.make_job(stranger)
    job = factories.make_job(person)
    content = page(client, job)
    assert "1 job before it" in content
    assert "No worker is there" in content
    factories.make_worker()
    assert "No worker is there" not in page(client, job)


def test_a_job_at_work_is_said_in_words(client: Client, person: User) -> None:
    content = page(client, factories.make_job(person, state=JobState.RUNNING, phase="painting", attempt=2))
    assert "Painting" in content
    assert "restarted once" in content
    assert "data-cancel" in content


def test_without_javascript_the_page_refreshes_until_it_is_done(client: Client, person: User) -> None:
    assert 'http-equiv="refresh"' in page(client, factories.make_job(person))
    assert 'http-equiv="refresh"' not in page(client, factories.make_job(person, state=JobState.FAILED))


def test_results_replace_the_placeholders(client: Client, person: User) -> None:
    job = factories.make_job(person, state=JobState.SUCCEEDED, parameters={"count": 2})
    works = [factories.make_artwork(person, job=job, index=n) for n in (1, 0)]
    content = page(client, job)
    assert content.index(str(works[1].pk)) < content.index(str(works[0].pk))
    assert "data-slot" not in content


@pytest.mark.parametrize(
    ("code", "own", "english", "chinese"),
    [
        ("too_large", "Too large for me.", "Too large for me.", "超出了工作机的内存"),
        ("bad_acrostic", "“x” is not one.", "“x” is not one.", "藏头不合要求"),
        ("new_code", "An engine's own words.", "An engine's own words.", "An engine's own words."),
        ("new_code", "", "could not finish", "没能完成"),
    ],
)
def test_a_failure_is_one_sentence_and_a_code(
    person: User, code: str, own: str, english: str, chinese: str
) -> None:
    from html import unescape

    job = factories.make_job(
        person, "verse", state=JobState.FAILED, error_code=code, error_visitor=own, error_operator="secret"
    )
    for language, sentence in (("en", english), ("zh-hans", chinese)):
        content = unescape(page(client_of(person, language), job))
        assert sentence in content
        assert code in content
        assert "secret" not in content


def test_a_second_cancel_changes_nothing(client: Client, person: User) -> None:
    job = factories.make_job(person)
    for _ in range(2):
        response = client.post(reverse("job_cancel", args=[job.pk]))
        assert response["Location"] == reverse("job", args=[job.pk])
    job.refresh_from_db()
    assert job.state == JobState.CANCELED
    running = factories.make_job(person, state=JobState.RUNNING)
    answer = client.post(reverse("job_cancel", args=[running.pk]), headers={"accept": "application/json"})
    assert answer.json()["state"] == "canceling"
    assert "data-cancel" not in page(client, running)


def test_retry_is_a_new_job_that_remembers_the_old_one(client: Client, person: User) -> None:
    job = factories.make_job(person, state=JobState.FAILED, seed=5, parameters={"prompt": "sea"})
    response = client.post(reverse("job_retry", args=[job.pk]), {"key": "r1"})
    again = client.post(reverse("job_retry", args=[job.pk]), {"key": "r1"})
    new = Job.objects.exclude(pk=job.pk).get()
    assert response["Location"] == again["Location"] == reverse("job", args=[new.pk])
    assert (new.retry_of, new.seed, new.parameters) == (job, 5, job.parameters)
    assert "an earlier job" in page(client, new)


def test_an_operator_sees_the_job_but_not_its_private_works(person: User, operator: User) -> None:
    job = factories.make_job(person, "verse", state=JobState.SUCCEEDED)
    poem = factories.make_artwork(person, "verse", job=job)
    assert poem.lines[0] in page(client_of(person), job)
    seen = page(client_of(operator), job)
    assert poem.lines[0] not in seen
    assert str(poem.pk) not in seen


def test_a_picture_that_was_hidden_since_is_not_shown(client: Client, person: User, stranger: User) -> None:
    work = factories.make_listed(stranger, prompt="the secret garden")
    job = factories.make_job(person, "restyle", state=JobState.SUCCEEDED, parameters={"style": "scream"})
    factories.make_input(job, "image", work)
    form = f"{reverse('studio_kind', args=['restyle'])}?again={job.pk}"
    for address in (reverse("job", args=[job.pk]), form):
        assert "the secret garden" in client.get(address).content.decode()
    artwork_set_visibility(artwork=work, visibility="private", by=stranger)
    for address in (reverse("job", args=[job.pk]), form):
        content = client.get(address).content.decode()
        assert "the secret garden" not in content
        assert str(work.pk) not in content
    assert "a private work" in page(client, job)


def test_a_retry_without_its_picture_leads_to_the_form(client: Client, person: User) -> None:
    job = factories.make_job(person, "restyle", state=JobState.FAILED, parameters={"style": "scream"})
    response = client.post(reverse("job_retry", args=[job.pk]), follow=True)
    assert response.redirect_chain
    assert "This cannot be made again as it was" in response.content.decode()
    assert Page(response.content.decode()).problems == []


def test_a_retry_beyond_the_limit_is_429(
    client: Client, person: User, settings: pytest.FixtureRequest
) -> None:
    settings.ARTSITE_MAX_WAITING = 1  # type: ignore[attr-defined]
    factories.make_job(person)
    job = factories.make_job(person, state=JobState.FAILED)
    response = client.post(reverse("job_retry", args=[job.pk]))
    assert response.status_code == 429
    assert "Retry-After" in response


def test_the_json_matches_the_row(client: Client, person: User) -> None:
    job = factories.make_job(person, state=JobState.SUCCEEDED, parameters={"prompt": "sea"}, seed=2**62)
    work = factories.make_artwork(person, job=job)
    data = client.get(reverse("job_json", args=[job.pk])).json()
    assert (data["id"], data["state"], data["seq"], data["seed"]) == (str(job.pk), "succeeded", 1, str(2**62))
    assert data["outputs"][0]["id"] == str(work.pk)
    assert data["live"] == []


def test_pages_of_jobs_are_never_cached(client: Client, person: User) -> None:
    job = factories.make_job(person)
    for name in ("job", "job_json"):
        assert "no-store" in client.get(reverse(name, args=[job.pk]))["Cache-Control"]


def test_lists_by_state(client: Client, person: User) -> None:
    for state in JobState.values:
        factories.make_job(person, state=state, parameters={"prompt": f"it is {state}"})

    def listed(show: str) -> set[str]:
        content = client.get("/jobs/", {"show": show}).content.decode()
        return {state for state in JobState.values if f"it is {state}<" in content}

    assert listed("") == set(JobState.values)
    assert listed("open") == {"queued", "starting", "running", "canceling"}
    assert listed("done") == {"succeeded"}
    assert listed("failed") == {"failed", "expired", "canceled"}
