"""The mixer: parents that come and go without scripts, what becomes a recipe, and the one beside children."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from gallery.models import Artwork, Job, JobState, Upload, User
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db
BLEND = "/studio/blend/"


@pytest.fixture
def client(person: User) -> Client:
    return client_of(person)


@pytest.fixture
def works(person: User) -> list[Artwork]:
    return [factories.make_artwork(person, prompt=f"work {n}") for n in range(4)]


def mix(*parents: Artwork | None, **fields: Any) -> dict[str, Any]:
    """What the form sends with these parents in its places."""
    data: dict[str, Any] = {
        "mode": "mix",
        "publish_as": "private",
        "key": "k1",
        "count": "4",
        "mutation": "0",
    }
    for number, parent in enumerate(parents, 1):
        data[f"picture_parent_{number}_work"] = "" if parent is None else str(parent.pk)
    for number in range(1, 5):
        data[f"weight_{number}"] = "50"
    return {**data, **{name: value for name, value in fields.items() if value is not None}}


def places(content: str) -> list[str]:
    """The ids of the works in the four places of a page."""
    return re.findall(r'name="picture_parent_\d_work" value="([^"]*)"', content)


def inputs(job: Job) -> dict[str, str]:
    return {one.role: str(one.artwork_id or one.upload_id) for one in job.inputs.all()}


def test_parents_with_their_weights_become_a_job(client: Client, works: list[Artwork]) -> None:
    data = mix(*works[:2], weight_1="80", layout_from="2", size="256")
    assert client.post(BLEND, data).status_code == 302
    job = Job.objects.get()
    assert inputs(job) == {"parent_1": str(works[0].pk), "parent_2": str(works[1].pk)}
    assert (job.parameters["weight_1"], job.parameters["weight_2"]) == (0.8, 0.5)
    assert (job.parameters["layout_from"], job.parameters["size"]) == ("2", "256")


def test_a_work_is_added_and_a_parent_removed_without_scripts(
    client: Client, works: list[Artwork], stranger: User
) -> None:
    listed = factories.make_listed(stranger)
    content = client.post(BLEND, mix(works[0], add=str(listed.pk), weight_1="70")).content.decode()
    assert places(content) == [str(works[0].pk), str(listed.pk), "", ""]
    assert 'name="weight_1" value="70"' in content
    assert Page(content).problems == []
    content = client.post(BLEND, mix(works[0], listed, works[1], remove="1", weight_3="10")).content.decode()
    assert places(content) == [str(listed.pk), str(works[1].pk), "", ""]
    # A slider belongs to its parent and moves with it.
    assert 'name="weight_2" value="10"' in content
    assert not Job.objects.exists()


@pytest.mark.parametrize("add", ["x", "00000000-0000-4000-8000-000000000000", "private"])
def test_what_is_not_for_the_person_is_not_added(client: Client, stranger: User, add: str) -> None:
    private = factories.make_artwork(stranger)
    response = client.post(BLEND, mix(add=str(private.pk) if add == "private" else add))
    assert "There is no such picture." in response.content.decode()
    assert places(response.content.decode()) == ["", "", "", ""]


def test_a_fifth_parent_is_refused_in_words(client: Client, person: User, works: list[Artwork]) -> None:
    content = client.post(BLEND, mix(*works, add=str(factories.make_artwork(person).pk))).content.decode()
    assert "All places are taken" in content
    assert places(content) == [str(work.pk) for work in works]


def test_an_upload_stays_a_parent_while_others_come_and_go(client: Client, works: list[Artwork]) -> None:
    file = SimpleUploadedFile("p.png", factories.png(), "image/png")
    content = client.post(BLEND, mix(works[0], add=str(works[1].pk), picture_parent_2=file)).content.decode()
    upload = Upload.objects.get()
    assert f'name="picture_parent_2_upload" value="{upload.pk}"' in content
    data = mix(works[0], None, works[1], picture_parent_2_upload=str(upload.pk))
    assert client.post(BLEND, data).status_code == 302
    assert inputs(Job.objects.get())["parent_2"] == str(upload.pk)


def test_gaps_are_closed_and_depths_follow_their_parents(client: Client, works: list[Artwork]) -> None:
    data = mix(None, works[0], None, works[1], layout_from="4", shapes_from="2", weight_4="90")
    assert client.post(BLEND, data).status_code == 302
    job = Job.objects.get()
    assert inputs(job) == {"parent_1": str(works[0].pk), "parent_2": str(works[1].pk)}
    assert (job.parameters["layout_from"], job.parameters["shapes_from"]) == ("2", "1")
    assert job.parameters["weight_2"] == 0.9


def test_a_depth_of_a_parent_that_is_gone_is_told_beside_it(client: Client, works: list[Artwork]) -> None:
    response = client.post(BLEND, mix(*works[:2], colour_from="4"))
    assert response.status_code == 422
    assert "id_colour_from_error" in Page(response.content.decode()).ids
    assert places(response.content.decode())[:2] == [str(work.pk) for work in works[:2]]


@pytest.mark.parametrize(
    ("fields", "count", "identity"),
    [
        ({}, 1, "id_picture_parent_2_error"),
        ({}, 0, "id_picture_parent_1_error"),
        ({"weight_1": "0", "weight_2": "0"}, 2, "id_picture_parent_1_error"),
        ({"weight_1": "101"}, 2, "id_picture_parent_1_error"),
        ({"mode": "mutate", "mutation": "0"}, 1, "id_mutation_error"),
        ({"mode": "bridge"}, 1, "id_picture_parent_2_error"),
        ({"mode": "bridge", "frames": "7"}, 2, "id_frames_error"),
        ({"mode": "bridge", "size": "1024"}, 2, "id_size_error"),
        ({"mode": "graft"}, 2, "id_mode_error"),
        ({"count": "9"}, 2, "id_count_error"),
        ({"seed": "x"}, 2, "id_seed_error"),
    ],
)
def test_what_is_wrong_stands_beside_its_control(
    client: Client, works: list[Artwork], fields: dict[str, str], count: int, identity: str
) -> None:
    response = client.post(BLEND, mix(*works[:count], **fields))
    page = Page(response.content.decode())
    assert response.status_code == 422
    assert page.problems == []
    assert identity in page.ids
    assert not Job.objects.exists()


def test_what_a_mode_hides_is_no_part_of_its_recipe(client: Client, works: list[Artwork]) -> None:
    data = mix(*works[:3], mode="mutate", mutation="30", weight_1="0", layout_from="2", frames="7")
    assert client.post(BLEND, data).status_code == 302
    mutation = Job.objects.get()
    assert inputs(mutation) == {"parent_1": str(works[0].pk)}
    assert mutation.parameters["layout_from"] == "mix"
    data = mix(*works[:2], mode="bridge", mutation="90", count="99", weight_1="0", weight_2="0", key="k2")
    assert client.post(BLEND, data).status_code == 302
    bridge = Job.objects.exclude(pk=mutation.pk).get()
    assert (bridge.parameters["mutation"], bridge.parameters["count"]) == (0.0, 4)


def test_a_mutation_starts_with_a_strength(client: Client, works: list[Artwork]) -> None:
    content = client.get(BLEND, {"mode": "mutate", "parent_1": str(works[0].pk)}).content.decode()
    assert 'value="mutate" checked' in content
    assert 'name="mutation" value="40"' in content
    assert places(content)[0] == str(works[0].pk)


def test_the_picker_finds_works_of_ones_own_and_of_the_gallery(client: Client, stranger: User) -> None:
    hidden = factories.make_artwork(stranger, prompt="a lighthouse at night")
    listed = factories.make_listed(stranger, prompt="another lighthouse")
    poem = factories.make_listed(stranger, "verse", prompt="lighthouse")
    content = client.get(BLEND, {"find": "lighthouse"}).content.decode()
    offered = re.findall(r'name="add" value="([^"]+)"', content)
    assert offered == [str(listed.pk)]
    assert str(hidden.pk) not in content
    assert str(poem.pk) not in content
    assert "Nothing found" in client.get(BLEND, {"find": "volcano"}).content.decode()


def test_enter_presses_no_button_that_removes_a_parent(client: Client, works: list[Artwork]) -> None:
    content = client.get(BLEND, {"parent_1": str(works[0].pk)}).content.decode()
    form = content[content.index("data-studio") :]
    first = re.search(r"<button[^>]*>", form)
    assert first
    assert "name=" not in first[0]


def test_the_mixer_stands_beside_the_children(client: Client, person: User, works: list[Artwork]) -> None:
    upload = factories.make_upload(person)
    job = factories.make_job(
        person,
        "blend",
        state=JobState.SUCCEEDED,
        parameters={"weight_1": 0.65, "shapes_from": "2"},
        seed=77,
        publish_as="unlisted",
    )
    factories.make_input(job, "parent_1", works[0])
    factories.make_input(job, "parent_2", upload)
    child = factories.make_artwork(person, "blend", job=job)
    content = client.get(reverse("job", args=[job.pk])).content.decode()
    assert Page(content).problems == []
    side = content[content.index("mixer-side") :]
    assert places(side)[0] == str(works[0].pk)
    assert f'name="picture_parent_2_upload" value="{upload.pk}"' in side
    assert 'name="weight_1" value="65"' in side
    assert 'name="shapes_from" value="2" checked' in side
    assert 'name="seed" value="77"' in side
    assert 'name="publish_as" value="unlisted"' in side
    for offered in (
        f'data-breed="{child.pk}"',
        f"{BLEND}?mode=mutate&amp;parent_1={child.pk}",
        "More of this",
        'formaction="/studio/upscale/" name="factor" value="2"',
        'formaction="/studio/upscale/" name="factor" value="4"',
    ):
        assert offered in content


def test_an_operator_sees_the_job_without_its_mixer(person: User, operator: User) -> None:
    job = factories.make_job(person, "blend", state=JobState.SUCCEEDED)
    content = client_of(operator).get(reverse("job", args=[job.pk])).content.decode()
    assert "mixer-side" not in content
    assert "card-next" not in content


def test_a_child_is_varied_with_one_button(client: Client, person: User) -> None:
    job = factories.make_job(person, state=JobState.SUCCEEDED)
    work = factories.make_artwork(person, job=job)
    content = client.get(reverse("job", args=[job.pk])).content.decode()
    form = content[content.index("card-next") :].partition("</form>")[0]
    sent = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    del sent["csrfmiddlewaretoken"]
    assert client.post(BLEND, sent).status_code == 302
    more = Job.objects.get(kind="blend")
    assert (more.parameters["mode"], more.parameters["mutation"]) == ("mutate", 0.15)
    assert inputs(more) == {"parent_1": str(work.pk)}
    # The buttons of one form share its key; each is a submission of its own.
    assert client.post("/studio/upscale/", {**sent, "factor": "2"}).status_code == 302
    assert client.post("/studio/upscale/", {**sent, "factor": "4"}).status_code == 302
    assert Job.objects.filter(kind="upscale").count() == 2


def test_a_recipe_tells_only_what_its_mode_used(client: Client, person: User) -> None:
    job = factories.make_job(person, "blend", state=JobState.SUCCEEDED, parameters={"mode": "mutate"})
    content = client.get(reverse("job", args=[job.pk])).content.decode()
    facts = content[content.index('class="facts"') :].partition("</dl>")[0]
    assert "Mutation" in facts
    assert "Share of" not in facts
    assert "Frames" not in facts


def test_enlarging_beyond_the_limit_is_told_beside_the_factor(client: Client, person: User) -> None:
    work = factories.make_artwork(person, width=1100, height=40)
    data = {"factor": "4", "picture_image_work": work.pk, "key": "k"}
    response = client.post("/studio/upscale/", data)
    assert response.status_code == 422
    assert "id_factor_error" in Page(response.content.decode()).ids
    assert client.post("/studio/upscale/", {**data, "factor": "2"}).status_code == 302


def test_a_palette_stands_in_the_fold_and_opens_it(client: Client, person: User) -> None:
    work = factories.make_artwork(person)
    plain = client.get("/studio/paint/").content.decode()
    assert 'name="picture_palette"' in plain
    content = client.get("/studio/paint/", {"palette": str(work.pk)}).content.decode()
    assert f'value="{work.pk}" checked' in content
    assert re.search(r'<details class="fold" open>\s*<summary>Advanced', content)
    client.post("/studio/paint/", {"prompt": "sea", "picture_palette_work": work.pk, "key": "k"})
    assert inputs(Job.objects.get()) == {"palette": str(work.pk)}
