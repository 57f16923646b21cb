"""A work's page: what its owner may change, what others may take from it, and where it comes from."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from gallery.models import Artwork, Job, Moderation, User, Visibility
from tests.web import factories
from tests.web.pages import Page, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(person: User) -> Client:
    return client_of(person)


def url(name: str, work: Artwork) -> str:
    return reverse(name, args=[work.pk])


def test_the_recipe_is_told_in_full(client: Client, person: User) -> None:
    work = factories.make_artwork(person, prompt="old harbour", index=2)
    content = client.get(url("artwork", work)).content.decode()
    for text in ("old harbour", ">42", "paint-test", factories.DIGEST[:12], "80%", "no. 3", "64 × 64"):
        assert text in content
    assert "download" in content


def test_a_title_and_a_visibility_are_saved(client: Client, person: User) -> None:
    work = factories.make_artwork(person)
    response = client.post(
        url("artwork_edit", work), {"title": " 秋江 \x1b", "visibility": "public"}, follow=True
    )
    work.refresh_from_db()
    assert (work.title, work.visibility, work.moderation) == ("秋江", "public", "pending")
    assert "once a moderator has approved it" in response.content.decode()
    client.post(url("artwork_edit", work), {"title": "", "visibility": "private"})
    work.refresh_from_db()
    assert (work.title, work.visibility) == ("", "private")


@pytest.mark.parametrize(
    "data", [{"title": "x" * 201, "visibility": "private"}, {"title": "", "visibility": "all"}, {}]
)
def test_a_bad_edit_is_told_on_the_page(client: Client, person: User, data: dict[str, str]) -> None:
    work = factories.make_artwork(person, title="as it was")
    response = client.post(url("artwork_edit", work), data)
    assert response.status_code == 422
    assert Page(response.content.decode()).problems == []
    work.refresh_from_db()
    assert (work.title, work.visibility) == ("as it was", "private")


def test_a_work_that_was_taken_down_cannot_be_shown_again(client: Client, person: User) -> None:
    work = factories.make_artwork(person, moderation=Moderation.REMOVED)
    response = client.post(url("artwork_edit", work), {"title": "", "visibility": "public"})
    assert response.status_code == 422
    assert "it can only be private" in response.content.decode()


def test_deleting_asks_first_and_takes_the_files_along(
    client: Client, person: User, django_capture_on_commit_callbacks: object
) -> None:
    work = factories.make_artwork(person)
    child = factories.make_artwork(person)
    factories.make_lineage(child, work)
    assert "Delete this work?" in client.get(url("artwork_delete", work)).content.decode()
    assert Artwork.objects.filter(pk=work.pk).exists()
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]
        response = client.post(url("artwork_delete", work))
    assert response["Location"] == reverse("my_works")
    assert not Artwork.objects.filter(pk=work.pk).exists()
    assert not default_storage.exists(work.file.name)
    assert not default_storage.exists(work.thumbnail.name)
    assert "a deleted work" in client.get(url("artwork", child)).content.decode()


@pytest.mark.parametrize("seed", ["same", "new"])
def test_again_makes_a_job_of_the_same_recipe(client: Client, person: User, seed: str) -> None:
    work = factories.make_artwork(person, prompt="sea")
    first = client.post(url("artwork_again", work), {"seed": seed, "key": "k"})
    second = client.post(url("artwork_again", work), {"seed": seed, "key": "k"})
    job = Job.objects.get()
    assert first["Location"] == second["Location"] == reverse("job", args=[job.pk])
    assert job.parameters["prompt"] == "sea"
    assert (job.seed == work.seed) == (seed == "same")
    assert job.publish_as == Visibility.PRIVATE


def test_again_without_a_key_is_a_job_each_time(client: Client, person: User) -> None:
    works = [factories.make_artwork(person, prompt=prompt) for prompt in ("sea", "sea", "wood")]
    places = {client.post(url("artwork_again", work), {"seed": "same"})["Location"] for work in works}
    assert len(places) == 3
    assert all(place.startswith("/jobs/") and len(place) > 20 for place in places)


def test_again_of_anothers_listed_work_belongs_to_whoever_asked(person: User, stranger: User) -> None:
    work = factories.make_listed(person, prompt="sea")
    client_of(stranger).post(url("artwork_again", work), {"seed": "new", "key": "k"})
    assert Job.objects.get().owner == stranger


def test_again_without_its_picture_leads_to_the_form(person: User, stranger: User) -> None:
    work = factories.make_listed(person, "restyle")
    response = client_of(stranger).post(url("artwork_again", work), {"seed": "new", "key": "k"}, follow=True)
    assert "Complete the form" in response.content.decode()
    assert not Job.objects.exists()


def test_a_picture_can_be_taken_to_the_kinds_that_take_one(
    client: Client, person: User, stranger: User
) -> None:
    work = factories.make_artwork(person)
    assert f"/studio/restyle/?image={work.pk}" in client.get(url("artwork", work)).content.decode()
    poem = factories.make_artwork(person, "verse")
    assert "/studio/restyle/?" not in client.get(url("artwork", poem)).content.decode()
    unlisted = factories.make_artwork(stranger, visibility=Visibility.UNLISTED)
    assert "/studio/restyle/?" not in client.get(url("artwork", unlisted)).content.decode()


def test_chinese_verse_is_set_vertically_and_other_verse_is_not(client: Client, person: User) -> None:
    poem = factories.make_artwork(person, "verse")
    content = client.get(url("artwork", poem)).content.decode()
    assert '<div class="poem" lang="zh" data-lines="4">' in content
    assert "data-turn" in content
    english = factories.make_artwork(person, "verse", text="Slow rain on the roof\nand a lamp for company")
    content = client.get(url("artwork", english)).content.decode()
    assert "poem across" in content
    assert "data-turn" not in content


def test_relatives_are_shown(client: Client, person: User) -> None:
    parent, work = factories.make_artwork(person, title="the parent"), factories.make_artwork(person)
    child = factories.make_artwork(person, title="the child")
    factories.make_lineage(work, parent)
    factories.make_lineage(child, work, "style")
    content = client.get(url("artwork", work)).content.decode()
    assert "Made from" in content
    assert url("artwork", parent) in content
    assert "What was made from it" in content
    assert url("artwork", child) in content


def test_an_unlisted_work_asks_search_engines_to_look_away(client: Client, person: User) -> None:
    work = factories.make_artwork(person, visibility=Visibility.UNLISTED)
    assert "noindex" in client_of(None).get(url("artwork", work)).content.decode()
    listed = factories.make_listed(person)
    assert "noindex" not in client_of(None).get(url("artwork", listed)).content.decode()
