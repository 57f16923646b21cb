"""Poems for pictures: what is asked for, who may see poem and picture together, what is told of both."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from gallery import kinds
from gallery.kinds import InvalidRecipe
from gallery.models import Artwork, Job, JobState, Lineage, Moderation, User, Visibility
from gallery.presentation.poem_picture import background_of, reading_of
from gallery.services import artworks, submissions
from gallery.services.artworks import PoemText
from tests.web import factories

pytestmark = pytest.mark.django_db
READ = {
    "genre": "landscape",
    "light": "dim",
    "season": "autumn",
    "objects": ["mountain"],
    "perhaps": ["lake"],
    "colours": ["navy"],
    "prompt": "a quiet river",
}


@pytest.fixture
def person_client(client: Client, person: User) -> Client:
    """A browser in which the person is signed in."""
    client.force_login(person)
    return client


@pytest.fixture
def picture(person: User) -> Artwork:
    return factories.make_listed(person, prompt="a quiet river")


def poem_on(picture: Artwork, owner: User, **fields: Any) -> Artwork:
    """A listed poem for a picture."""
    poem = factories.make_listed(owner, "verse", prompt="", details={"picture": READ}, **fields)
    factories.make_lineage(poem, picture, "poem_of")
    return poem


def inscribed(client: Client, poem: Artwork) -> int:
    return client.get(reverse("artwork_inscribe", args=[poem.pk])).status_code


def written(job: Job) -> Artwork:
    job.model_name, job.model_digest = "verse", factories.DIGEST
    poem = PoemText(tuple(factories.POEM.split("\n")), "题山图", {"picture": READ})
    return artworks.artworks_save(artworks.artworks_build(job, [poem]))[0]


# --- Asked for ------------------------------------------------------------------------------------------


def test_a_picture_may_be_brought_and_need_not_be() -> None:
    verse = kinds.kind("verse")
    assert verse.clean({}, frozenset({"image"})) == verse.clean({})
    with pytest.raises(InvalidRecipe, match="takes no such picture"):
        verse.clean({}, frozenset({"style"}))


def test_the_lineage_says_that_the_poem_is_of_the_picture(person: User, picture: Artwork) -> None:
    job = submissions.job_submit(owner=person, kind="verse", parameters={}, inputs={"image": picture})
    assert job.queue == "rnn"
    poem = written(job)
    assert list(Lineage.objects.values_list("child", "parent", "relation")) == [
        (poem.pk, picture.pk, "poem_of")
    ]
    assert poem.recipe["inputs"]["image"] == {"artwork": str(picture.pk), "sha256": picture.sha256}


def test_other_kinds_call_their_picture_as_before(person: User, picture: Artwork) -> None:
    job = factories.make_job(person, "restyle", JobState.RUNNING)
    factories.make_input(job, "image", picture)
    written(job)
    assert [edge.relation for edge in Lineage.objects.all()] == ["image"]


def test_the_form_takes_a_work_over_and_shows_it_under_the_theme(
    person_client: Client, picture: Artwork
) -> None:
    page = person_client.get(reverse("studio_kind", args=["verse"]), {"image": str(picture.pk)})
    (control,) = page.context["form"].beside_pictures
    assert control.work == picture
    assert page.context["form"].spare_pictures == []
    assert not page.context["form"].advanced_open


def test_every_picture_offers_a_poem(person_client: Client, picture: Artwork) -> None:
    page = person_client.get(reverse("artwork", args=[picture.pk])).content.decode()
    assert f"{reverse('studio_kind', args=['verse'])}?image={picture.pk}" in page
    assert "Write a poem…" in page


# --- Who sees both -----------------------------------------------------------------------------------------


def test_who_may_see_poem_and_picture_sees_them_together(
    client: Client, person: User, picture: Artwork
) -> None:
    poem = poem_on(picture, factories.make_user())
    page = client.get(reverse("artwork_inscribe", args=[poem.pk]))
    assert page.status_code == 200
    html = page.content.decode()
    assert reverse("artwork", args=[picture.pk]) in html
    for line in poem.lines:
        assert line in html
    # The signature is the author's to change.
    assert 'name="author"' not in html
    client.force_login(poem.owner)
    assert 'name="author"' in client.get(reverse("artwork_inscribe", args=[poem.pk])).content.decode()


@pytest.mark.parametrize("hidden", ["poem", "picture"])
@pytest.mark.parametrize(
    ("visibility", "moderation"),
    [
        (Visibility.PRIVATE, Moderation.APPROVED),
        (Visibility.PUBLIC, Moderation.PENDING),
        (Visibility.PUBLIC, Moderation.REMOVED),
    ],
)
def test_a_hidden_picture_or_poem_hides_the_page_of_both(
    client: Client, person: User, picture: Artwork, hidden: str, visibility: str, moderation: str
) -> None:
    poem = poem_on(picture, person)
    assert inscribed(client, poem) == 200
    work = poem if hidden == "poem" else picture
    Artwork.objects.filter(pk=work.pk).update(visibility=visibility, moderation=moderation)
    assert inscribed(client, poem) == 404
    client.force_login(person)
    assert inscribed(client, poem) == 200


def test_an_unlisted_picture_is_not_handed_out_by_its_poem(
    client: Client, person: User, picture: Artwork
) -> None:
    poem = poem_on(picture, person)
    Artwork.objects.filter(pk=picture.pk).update(visibility=Visibility.UNLISTED)
    assert inscribed(client, poem) == 404
    page = client.get(reverse("artwork", args=[poem.pk])).content.decode()
    assert str(picture.pk) not in page


def test_the_prompt_of_a_hidden_painting_is_not_told(client: Client, person: User, picture: Artwork) -> None:
    poem = poem_on(picture, person)
    address = reverse("artwork", args=[poem.pk])
    assert "a quiet river" in client.get(address).content.decode()
    Artwork.objects.filter(pk=picture.pk).update(visibility=Visibility.PRIVATE)
    page = client.get(address).content.decode()
    assert "a quiet river" not in page
    assert "mountain" in page
    assert reverse("artwork_inscribe", args=[poem.pk]) not in page


def test_a_poem_whose_picture_was_deleted_is_shown_alone(
    person_client: Client, person: User, picture: Artwork
) -> None:
    poem = poem_on(picture, person)
    artworks.artwork_delete(artwork=picture, by=person)
    assert inscribed(person_client, poem) == 404
    page = person_client.get(reverse("artwork", args=[poem.pk]))
    assert page.status_code == 200
    assert reverse("artwork_inscribe", args=[poem.pk]) not in page.content.decode()


def test_neither_a_poem_without_a_picture_nor_a_picture_is_inscribed(
    person_client: Client, person: User, picture: Artwork
) -> None:
    assert inscribed(person_client, factories.make_listed(person, "verse")) == 404
    assert inscribed(person_client, picture) == 404


def test_an_upload_is_its_owners_alone(client: Client, person: User) -> None:
    job = factories.make_job(person, "verse", JobState.SUCCEEDED)
    upload = factories.make_upload(person)
    factories.make_input(job, "image", upload)
    poem = factories.make_listed(person, "verse", job=job)
    assert inscribed(client, poem) == 404
    assert str(upload.pk) not in client.get(reverse("artwork", args=[poem.pk])).content.decode()
    client.force_login(person)
    page = client.get(reverse("artwork_inscribe", args=[poem.pk])).content.decode()
    assert str(upload.pk) in page
    # The job is gone, and with it what it was made of.
    job.delete()
    assert inscribed(client, poem) == 404


def test_the_job_of_a_poem_leads_to_its_inscription(
    person_client: Client, person: User, picture: Artwork
) -> None:
    job = factories.make_job(person, "verse", JobState.SUCCEEDED)
    poem = poem_on(picture, person, job=job)
    page = person_client.get(reverse("job", args=[job.pk])).content.decode()
    assert reverse("artwork_inscribe", args=[poem.pk]) in page


# --- What is told --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "words", "perhaps"),
    [
        ("en", "landscape, dim light, autumn, mountain, navy", "Perhaps: lake"),
        ("zh-hans", "风景、光线偏暗、秋、山、藏青", "似有：湖"),
    ],
)
def test_what_a_picture_shows_is_told_in_the_visitors_language(
    client: Client, person: User, picture: Artwork, language: str, words: str, perhaps: str
) -> None:
    poem = poem_on(picture, person)
    address = reverse("artwork", args=[poem.pk])
    page = client.get(address, headers={"accept-language": language}).content.decode()
    assert words in page
    assert perhaps in page


@pytest.mark.parametrize(
    "told",
    [None, "sea", [], {"objects": "sea"}, {"colours": [None, {}], "genre": 5, "light": [], "prompt": 7}],
)
def test_malformed_details_break_no_page(client: Client, person: User, picture: Artwork, told: Any) -> None:
    poem = poem_on(picture, person)
    poem.details = {"picture": told}
    poem.save()
    for page in ("artwork", "artwork_inscribe"):
        assert client.get(reverse(page, args=[poem.pk])).status_code == 200
    read = reading_of(poem)
    assert read is None or read.prompt == ""


def test_an_analysed_photograph_is_no_generated_background(person: User) -> None:
    photo = factories.make_listed(person, "analyse", generated=False)
    ground = background_of(person, poem_on(photo, person))
    assert ground is not None
    assert not ground.generated
