"""Repainting on pages: up to four styles, a region, and slow work that is finished early."""

from __future__ import annotations

import io
import re
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils.translation import override
from PIL import Image

from gallery import kinds
from gallery.kinds import InvalidRecipe
from gallery.models import Job, JobState, User
from gallery.presentation.recipe_rows import parameter_rows
from gallery.presentation.titles import job_heading
from gallery.services import jobs
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db
RESTYLE = "/studio/restyle/"


@pytest.fixture
def client(person: User) -> Client:
    return client_of(person)


def photo(size: tuple[int, int] = (96, 64), colour: str = "#446688") -> SimpleUploadedFile:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return SimpleUploadedFile("photo.png", buffer.getvalue(), "image/png")


def asked(**fields: Any) -> dict[str, Any]:
    return {"key": "k", "picture_image": photo(), **fields}


def roles_of(job: Job) -> set[str]:
    return set(job.inputs.values_list("role", flat=True))


def test_four_styles_with_their_shares_become_a_recipe(client: Client) -> None:
    data = asked(
        style="scream",
        style_2="great_wave",
        style_3="irises",
        picture_style_4=photo(colour="#990000"),
        weight_1="50",
        weight_2="25",
        weight_3="0",
        weight_4="100",
    )
    assert client.post(RESTYLE, data).status_code == 302
    job = Job.objects.get()
    names = ("style", "style_2", "style_3", "style_4")
    assert [job.parameters[name] for name in names] == ["scream", "great_wave", "irises", ""]
    assert [job.parameters[f"weight_{number}"] for number in (1, 2, 3, 4)] == [0.5, 0.25, 0.0, 1.0]
    assert roles_of(job) == {"image", "style_4"}


def test_styles_are_numbered_without_gaps_and_a_picture_comes_before_a_ready_style(client: Client) -> None:
    data = asked(style="", style_2="scream", weight_2="10", style_4="irises", weight_4="30")
    data["picture_style_4"] = photo(colour="#990000")
    assert client.post(RESTYLE, data).status_code == 302
    job = Job.objects.get()
    assert (job.parameters["style"], job.parameters["weight_1"]) == ("scream", 0.1)
    assert (job.parameters["style_2"], job.parameters["weight_2"]) == ("", 0.3)
    assert job.parameters["style_4"] == ""
    assert roles_of(job) == {"image", "style_2"}


def test_what_a_recipe_does_not_use_is_not_in_it(client: Client) -> None:
    data = asked(style="scream", weight_1="5", weight_3="90", steps="400", invert="on")
    assert client.post(RESTYLE, data).status_code == 302
    job = Job.objects.get()
    spec = kinds.kind("restyle")
    for name in ("weight_1", "weight_3", "steps", "invert"):
        param = spec.param(name)
        assert param is not None
        assert job.parameters[name] == param.default
    labels = {label for label, _ in parameter_rows("restyle", job.parameters, ["image"])}
    assert "Style" in labels
    assert not labels & {"Share of the first style", "Steps at most", "Slow and best"}
    told = {
        label for label, _ in parameter_rows("restyle", job.parameters | {"slow": True}, ["image", "mask"])
    }
    assert {"Slow and best", "Steps at most", "Repaint outside of the region instead"} <= told


def test_a_mix_of_nothing_is_refused_beside_its_slider(client: Client) -> None:
    data = asked(style="scream", style_2="irises", weight_1="0", weight_2="0")
    response = client.post(RESTYLE, data)
    page = Page(response.content.decode())
    assert response.status_code == 422
    assert page.problems == []
    assert "At least one style needs a share" in response.content.decode()


def test_styles_come_and_go_without_scripts(client: Client, person: User) -> None:
    work = factories.make_artwork(person)
    response = client.post(RESTYLE, {"key": "k", "style": "scream", "add": work.pk})
    content = response.content.decode()
    assert f'name="picture_style_2_work" value="{work.pk}"' in content
    assert Page(content).problems == []
    data = {"key": "k", "style": "scream", "picture_style_2_work": work.pk, "remove": "1"}
    content = client.post(RESTYLE, data).content.decode()
    assert f'name="picture_style_work" value="{work.pk}"' in content
    full = {"style": "scream", "style_2": "irises", "style_3": "udnie", "style_4": "great_wave"}
    content = client.post(RESTYLE, {"key": "k", **full, "add": work.pk}).content.decode()
    assert "Four styles are the most" in content
    foreign = client.post(RESTYLE, {"key": "k", "add": str(uuid4())}).content.decode()
    assert "There is no such picture." in foreign
    assert Job.objects.count() == 0


def test_a_region_travels_as_a_picture(client: Client) -> None:
    assert client.post(RESTYLE, asked(style="scream", picture_mask=photo(), invert="on")).status_code == 302
    job = Job.objects.get()
    assert roles_of(job) == {"image", "mask"}
    assert job.parameters["invert"] is True


def test_a_region_of_another_shape_is_refused_beside_it_and_stays(client: Client) -> None:
    response = client.post(RESTYLE, asked(style="scream", picture_mask=photo((64, 64))))
    content = response.content.decode()
    assert response.status_code == 422
    assert "id_picture_mask_error" in Page(content).ids
    assert re.search(r'name="picture_mask_upload" value="[0-9a-f-]{36}"', content)
    assert Job.objects.count() == 0


@pytest.mark.parametrize(
    ("mask", "image"), [((512, 341), (2048, 1365)), ((16, 12), (640, 500)), ((43, 512), (170, 2048))]
)
def test_rounding_makes_no_other_shape(mask: tuple[int, int], image: tuple[int, int]) -> None:
    kinds.kind("restyle").clean_sizes({}, {"mask": mask, "image": image})


def test_a_squeezed_region_is_another_shape() -> None:
    with pytest.raises(InvalidRecipe) as refusal:
        kinds.kind("restyle").clean_sizes({}, {"mask": (512, 512), "image": (600, 500)})
    assert list(refusal.value.errors) == ["mask"]


@pytest.mark.parametrize("data", [b"", b"not a picture", b"<svg onload='alert(1)'/>"])
def test_a_region_that_is_no_picture_is_refused_beside_it(client: Client, data: bytes) -> None:
    file = SimpleUploadedFile("region.png", data, "image/png")
    response = client.post(RESTYLE, asked(style="scream", picture_mask=file))
    assert response.status_code == 422
    assert "id_picture_mask_error" in Page(response.content.decode()).ids


@pytest.mark.parametrize(
    "fields",
    [{"style_scale": "49"}, {"brush": "101"}, {"steps": "500"}, {"size": "4096"}, {"style_3": "nobody"}],
)
def test_what_is_out_of_range_is_told(client: Client, fields: dict[str, str]) -> None:
    # Where nothing is slow, its steps are not asked for.
    response = client.post(RESTYLE, asked(style="scream", slow="on", style_2="irises", **fields))
    assert response.status_code == 422
    assert Page(response.content.decode()).problems == []


def test_a_recipe_with_a_mix_fills_the_form_again(client: Client, person: User) -> None:
    work = factories.make_artwork(person)
    parameters = {"style": "scream", "weight_1": 0.25, "weight_2": 0.9, "slow": True, "steps": 200}
    job = factories.make_job(person, "restyle", parameters=parameters)
    factories.make_input(job, "style_2", work)
    content = client.get(RESTYLE, {"again": str(job.pk)}).content.decode()
    assert 'value="scream" checked' in content
    assert f'name="picture_style_2_work" value="{work.pk}"' in content
    assert 'name="weight_2" value="90"' in content
    assert 'name="steps" value="200"' in content


def test_a_mix_is_called_after_all_of_its_ready_styles(person: User) -> None:
    parameters = {"style": "scream", "style_2": "", "style_3": "great_wave"}
    job = factories.make_job(person, "restyle", parameters=parameters)
    assert job_heading(job) == "After “The Scream”, “The Great Wave off Kanagawa”"
    with override("zh-hans"):
        assert job_heading(job) == "仿《呐喊》、《神奈川冲浪里》"


def test_slow_work_can_be_finished_early_on_its_page(client: Client, person: User) -> None:
    job = factories.make_job(person, "restyle", state=JobState.RUNNING, parameters={"slow": True})
    address = reverse("job", args=[job.pk])
    assert "Enough, keep this" in client.get(address).content.decode()
    assert client.post(reverse("job_finish_early", args=[job.pk]))["Location"] == address
    before = Job.objects.get(pk=job.pk)
    assert before.finish_early
    assert before.state == JobState.RUNNING
    content = client.get(address).content.decode()
    assert "Enough, keep this" not in content
    assert "Keeping this…" in content
    client.post(reverse("job_finish_early", args=[job.pk]))
    assert Job.objects.get(pk=job.pk).seq == before.seq


def test_finishing_early_is_offered_for_running_slow_work_only(client: Client, person: User) -> None:
    quick = factories.make_job(person, "restyle", state=JobState.RUNNING, parameters={"slow": False})
    assert "Enough" not in client.get(reverse("job", args=[quick.pk])).content.decode()
    waiting = factories.make_job(person, "restyle", parameters={"slow": True})
    assert "Enough" not in client.get(reverse("job", args=[waiting.pk])).content.decode()
    client.post(reverse("job_finish_early", args=[waiting.pk]))
    assert not Job.objects.get(pk=waiting.pk).finish_early


def test_only_its_owner_finishes_a_job_early(client: Client, stranger: User) -> None:
    job = factories.make_job(stranger, "restyle", state=JobState.RUNNING, parameters={"slow": True})
    assert client.post(reverse("job_finish_early", args=[job.pk])).status_code == 404
    assert client.get(reverse("job_finish_early", args=[job.pk])).status_code == 405
    assert not Job.objects.get(pk=job.pk).finish_early


def test_a_worker_reads_it_and_a_requeued_job_forgets_it(person: User) -> None:
    token = uuid4()
    job = factories.make_job(person, "restyle", state=JobState.RUNNING, lease_token=token, attempt=1)
    other = factories.make_job(person, "restyle", state=JobState.RUNNING, lease_token=token, attempt=1)
    jobs.job_finish_early(job_id=job.pk, by=person)
    assert jobs.jobs_finishing_early(job_ids=[job.pk, other.pk], token=token) == {job.pk}
    assert jobs.jobs_finishing_early(job_ids=[job.pk], token=uuid4()) == set()
    jobs.job_release(job_ids=[job.pk], token=token)
    assert not Job.objects.get(pk=job.pk).finish_early
