"""The studio's form: what it becomes, what it says when something is wrong, and how it is filled in."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from gallery.models import Job, JobState, Upload, User, Visibility
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db
PAINT, RESTYLE, VERSE = "/studio/paint/", "/studio/restyle/", "/studio/verse/"


@pytest.fixture
def client(person: User) -> Client:
    return client_of(person)


def painting(**fields: Any) -> dict[str, Any]:
    return {
        "prompt": "a river",
        "count": "2",
        "truncation": "70",
        "publish_as": "private",
        "key": "k1",
        **fields,
    }


def photo(colour: str = "#446688", name: str = "photo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, factories.png(96, 64, colour), "image/png")


def test_a_form_becomes_a_job(client: Client, person: User) -> None:
    response = client.post(PAINT, painting(seed="7", publish_as="public"))
    job = Job.objects.get()
    assert response["Location"] == reverse("job", args=[job.pk])
    assert job.owner == person
    assert job.parameters == {
        "prompt": "a river",
        "count": 2,
        "truncation": 0.7,
        "size": "512",
        "aspect": "1:1",
        "candidates": 1,
        "refine": 0,
    }
    assert (job.seed, job.publish_as, job.state) == (7, "public", JobState.QUEUED)


def test_an_empty_seed_is_another_each_time(client: Client) -> None:
    client.post(PAINT, painting(key="a"))
    client.post(PAINT, painting(key="b"))
    first, second = Job.objects.values_list("seed", flat=True)
    assert first != second


def test_a_double_click_makes_one_job(client: Client) -> None:
    first = client.post(PAINT, painting())
    second = client.post(PAINT, painting())
    assert Job.objects.count() == 1
    assert first["Location"] == second["Location"]


def test_going_back_and_changing_something_makes_another_job(client: Client) -> None:
    client.post(PAINT, painting())
    changed = client.post(PAINT, painting(prompt="a mountain"))
    again = client.post(PAINT, painting(prompt="a mountain"))
    assert Job.objects.count() == 2
    assert changed["Location"] == again["Location"]


def test_a_double_click_with_a_picture_makes_one_job(client: Client) -> None:
    data = {"style": "great_wave", "strength": "80", "size": "512", "key": "k2"}
    first = client.post(RESTYLE, {**data, "picture_image": photo()})
    second = client.post(RESTYLE, {**data, "picture_image": photo()})
    assert first.status_code == second.status_code == 302
    assert Job.objects.count() == 1
    other = client.post(RESTYLE, {**data, "picture_image": photo("#aa2200")})
    assert other.status_code == 302
    assert Job.objects.count() == 2


@pytest.mark.parametrize(
    ("fields", "identity"),
    [
        ({"prompt": "x" * 501}, "id_prompt_error"),
        ({"count": "0"}, "id_count_error"),
        ({"count": "1e9"}, "id_count_error"),
        ({"count": "many"}, "id_count_error"),
        ({"truncation": "nan"}, "id_truncation_error"),
        ({"truncation": "101"}, "id_truncation_error"),
        ({"truncation": "wild"}, "id_truncation_error"),
        ({"seed": "-1"}, "id_seed_error"),
        ({"seed": str(2**64)}, "id_seed_error"),
        ({"seed": "1e999"}, "id_seed_error"),
        ({"seed": "七"}, "id_seed_error"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(client: Client, fields: dict[str, str], identity: str) -> None:
    response = client.post(PAINT, painting(publish_as="unlisted", **fields))
    page = Page(response.content.decode())
    assert response.status_code == 422
    assert page.problems == []
    assert identity in page.ids
    assert Job.objects.count() == 0
    content = response.content.decode()
    assert 'value="unlisted" checked' in content
    if "prompt" not in fields:
        assert ">a river</textarea>" in content


def test_all_errors_are_told_at_once(client: Client) -> None:
    page = Page(client.post(PAINT, painting(count="99", seed="x")).content.decode())
    assert {"id_count_error", "id_seed_error"} <= page.ids


@pytest.mark.parametrize("publish_as", ["everybody", ""])
def test_an_unknown_visibility_is_refused(client: Client, publish_as: str) -> None:
    assert client.post(PAINT, painting(publish_as=publish_as)).status_code == 422
    assert Job.objects.count() == 0


def test_hostile_text_is_kept_as_text(client: Client) -> None:
    prompt = "<script>alert(1)</script>{{7*7}}%s\x00\x1b[31m\u202e"
    response = client.post(PAINT, painting(prompt=prompt, count="99"))
    assert "<script>alert" not in response.content.decode()
    client.post(PAINT, painting(prompt=prompt))
    assert "\x00" not in Job.objects.get().parameters["prompt"]
    assert "\x1b" not in Job.objects.get().parameters["prompt"]


def test_a_picture_is_needed_and_asked_for(client: Client) -> None:
    response = client.post(RESTYLE, {"style": "great_wave", "key": "k"})
    assert response.status_code == 422
    assert "Bring a picture." in response.content.decode()
    assert 'value="great_wave" checked' in response.content.decode()


def test_a_style_is_needed_and_asked_for(client: Client) -> None:
    response = client.post(RESTYLE, {"key": "k", "picture_image": photo()})
    assert response.status_code == 422
    assert "Choose a style" in response.content.decode()


def test_a_picture_survives_an_error_elsewhere(client: Client) -> None:
    response = client.post(RESTYLE, {"size": "7", "style": "scream", "key": "k", "picture_image": photo()})
    upload = Upload.objects.get()
    assert response.status_code == 422
    assert f'name="picture_image_upload" value="{upload.pk}"' in response.content.decode()
    response = client.post(RESTYLE, {"style": "scream", "key": "k", "picture_image_upload": upload.pk})
    assert response.status_code == 302
    assert Job.objects.get().inputs.get().upload == upload


@pytest.mark.parametrize("data", [b"", b"not a picture", b"<svg onload='alert(1)'/>", factories.png()[:60]])
def test_a_file_that_is_no_picture_is_refused_beside_the_field(client: Client, data: bytes) -> None:
    file = SimpleUploadedFile("../../x.png", data, "image/png")
    response = client.post(RESTYLE, {"style": "scream", "key": "k", "picture_image": file})
    assert response.status_code == 422
    assert "id_picture_image_error" in Page(response.content.decode()).ids
    assert (Job.objects.count(), Upload.objects.count()) == (0, 0)


def test_an_own_style_picture_takes_the_place_of_a_ready_style(client: Client) -> None:
    data = {"style": "scream", "key": "k", "picture_image": photo(), "picture_style": photo("#990000")}
    assert client.post(RESTYLE, data).status_code == 302
    job = Job.objects.get()
    assert job.parameters["style"] == ""
    assert set(job.inputs.values_list("role", flat=True)) == {"image", "style"}


def test_a_work_of_the_gallery_may_be_the_picture(client: Client, stranger: User) -> None:
    listed = factories.make_listed(stranger)
    content = client.get(f"{RESTYLE}?image={listed.pk}").content.decode()
    assert f'value="{listed.pk}" checked' in content
    data = {"style": "scream", "key": "k", "picture_image_work": listed.pk}
    assert client.post(RESTYLE, data).status_code == 302
    assert Job.objects.get().inputs.get().artwork == listed


@pytest.mark.parametrize("field", ["picture_image_work", "picture_image_upload"])
def test_what_belongs_to_somebody_else_is_no_picture(client: Client, stranger: User, field: str) -> None:
    private = factories.make_artwork(stranger) if field.endswith("work") else factories.make_upload(stranger)
    data = {"style": "scream", "key": "k", field: private.pk}
    response = client.post(RESTYLE, data)
    assert response.status_code == 422
    assert str(private.pk) not in response.content.decode()
    page = client.get(f"{RESTYLE}?image={private.pk}").content.decode()
    assert f'value="{private.pk}"' not in page
    assert f"/{private.pk}/" not in page


@pytest.mark.parametrize("identity", ["1", "x" * 5000, "00000000-0000-4000-8000-000000000000", "../etc"])
def test_ids_that_are_none_do_no_harm(client: Client, identity: str) -> None:
    assert client.get(RESTYLE, {"image": identity, "again": identity}).status_code == 200
    data = {"style": "scream", "key": "k", "picture_image_work": identity, "picture_image_upload": identity}
    assert client.post(RESTYLE, data).status_code == 422


def test_too_many_waiting_is_429_and_keeps_the_form(client: Client, settings: Any) -> None:
    settings.ARTSITE_MAX_WAITING = 1
    client.post(PAINT, painting())
    response = client.post(PAINT, painting(prompt="one more, please", key="k9"))
    assert response.status_code == 429
    assert int(response["Retry-After"]) > 0
    assert "one more, please" in response.content.decode()
    assert Page(response.content.decode()).problems == []


def test_a_recipe_fills_the_form_again(client: Client, person: User) -> None:
    job = factories.make_job(
        person,
        parameters={"prompt": "old harbour", "count": 7, "truncation": 0.35},
        seed=99,
        publish_as="public",
    )
    response = client.get("/studio/", {"again": str(job.pk)}, follow=True)
    content = response.content.decode()
    assert ">old harbour</textarea>" in content
    assert 'name="count" value="7"' in content
    assert 'name="truncation" value="35"' in content
    assert 'name="seed" value="99"' in content
    assert 'value="public" checked' in content
    fresh = client.get(PAINT, {"again": str(job.pk), "seed": "new"}).content.decode()
    assert 'name="seed" value=""' in fresh


def test_a_listed_work_fills_the_form_without_its_makers_uploads(client: Client, stranger: User) -> None:
    job = factories.make_job(stranger, "restyle", parameters={"style": "scream"})
    upload = factories.make_upload(stranger)
    factories.make_input(job, "image", upload)
    work = factories.make_listed(stranger, "restyle", job=job)
    content = client.get("/studio/", {"again": str(work.pk)}, follow=True).content.decode()
    assert str(upload.pk) not in content
    assert Page(content).problems == []


def test_a_restyle_of_a_work_fills_the_form_with_that_work(client: Client, person: User) -> None:
    source = factories.make_artwork(person)
    job = factories.make_job(person, "restyle", parameters={"style": "scream"})
    factories.make_input(job, "image", source)
    content = client.get(RESTYLE, {"again": str(job.pk)}).content.decode()
    assert f'value="{source.pk}" checked' in content
    assert 'value="scream" checked' in content


def test_the_page_warns_when_no_worker_serves_the_kind(client: Client) -> None:
    assert "No worker is there" in client.get(PAINT).content.decode()
    factories.make_worker(queues=["gan"])
    assert "No worker is there" not in client.get(PAINT).content.decode()
    assert "No worker is there" in client.get(VERSE).content.decode()


def test_the_page_tells_how_many_wait(client: Client, stranger: User) -> None:
    factories.make_worker()
    assert "Nobody is waiting" in client.get(PAINT).content.decode()
    # Busy, and nobody knows for how long: nothing was made yet.
    busy = factories.make_job(stranger, state="running", worker_name="worker-1")
    content = client.get(PAINT).content.decode()
    assert "at once" not in content
    assert "Next in line" in content
    busy.delete()
    for _ in range(3):
        factories.make_job(stranger)
    assert "3 jobs before it" in client.get(PAINT).content.decode()


def test_every_setting_of_a_kind_is_on_its_page(client: Client) -> None:
    from gallery import kinds

    for spec in kinds.KINDS.values():
        content = client.get(f"/studio/{spec.slug}/").content.decode()
        for param in spec.params:
            assert f'name="{param.name}"' in content
        for role in spec.inputs:
            assert f'name="picture_{role.role}"' in content
        for visibility in Visibility.values:
            assert f'name="publish_as" value="{visibility}"' in content


def test_an_unknown_kind_is_no_page(client: Client) -> None:
    assert client.get("/studio/sculpt/").status_code == 404
    assert client.post("/studio/sculpt/", {}).status_code == 404


def test_each_page_has_a_key_of_its_own(client: Client) -> None:
    import re

    keys = {re.findall(r'name="key" value="(\w+)"', client.get(PAINT).content.decode())[0] for _ in range(3)}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)
