"""A work's page: what its owner may change, what others may take from it, and where it comes from."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse

from gallery.models import Artwork, Job, JobState, Moderation, User, Visibility
from gallery.presentation import payloads
from gallery.presentation.lineage_layout import LABEL, family_tree
from gallery.selectors.lineage import lineage_graph
from tests.web import factories
from tests.web.site_pages import Page, client_of

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
    assert not default_storage.exists(factories.name_of(work.file))
    assert not default_storage.exists(factories.name_of(work.thumbnail))
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


def test_the_family_is_drawn_with_links_in_both_directions(client: Client, person: User) -> None:
    parent, work = factories.make_artwork(person, title="the parent"), factories.make_artwork(person)
    child = factories.make_artwork(person, title="the child")
    factories.make_lineage(work, parent, "parent", 0.6)
    factories.make_lineage(work, None, "parent", 0.4)
    factories.make_lineage(child, work, "style")
    content = client.get(url("artwork", work)).content.decode()
    assert f'href="{url("artwork", parent)}" aria-label="Ancestor: the parent (60%)"' in content
    assert f'href="{url("artwork", child)}" aria-label="Descendant: the child (its style)"' in content
    assert "a deleted work" in content
    assert content.count("data-here") == 1
    alone = client.get(url("artwork", factories.make_artwork(person))).content.decode()
    assert "data-family" not in alone


def test_a_parent_stands_above_its_child_even_when_it_is_a_grandparent_too(person: User) -> None:
    old, middle, work = (factories.make_artwork(person) for _ in range(3))
    factories.make_lineage(middle, old, "parent", 1.0)
    factories.make_lineage(work, old, "parent", 0.5)
    factories.make_lineage(work, middle, "parent", 0.5)
    tree = family_tree(lineage_graph(person, work))
    assert tree is not None
    place = {spot.node.key: spot.y for spot in tree.spots}
    assert place[str(old.pk)] < place[str(middle.pk)] < place[str(work.pk)]
    boxes = [(spot.x, spot.y) for spot in tree.spots]
    assert len(set(boxes)) == 3
    # The line from the grandparent goes around the work between.
    around = next(
        line for line in tree.lines if (line.edge.parent, line.edge.child) == (str(old.pk), str(work.pk))
    )
    between = next(spot for spot in tree.spots if spot.node.key == str(middle.pk))
    passing = re.findall(r"C\S+ \S+ \S+ \S+ (\d+) (\d+)V", around.path)
    assert [int(y) for _x, y in passing] == [between.y]
    assert not between.x <= int(passing[0][0]) <= between.x + tree.side
    assert all(0 <= x <= tree.width - tree.side and 0 <= y <= tree.height - tree.side for x, y in boxes)


def test_labels_of_many_parents_do_not_overlap(person: User) -> None:
    """Two crowded generations, and two things that one parent gave: no label lies on another."""
    parents = [factories.make_artwork(person) for _ in range(4)]
    children = [factories.make_artwork(person) for _ in range(4)]
    work = factories.make_artwork(person)
    for one in parents:
        factories.make_lineage(work, one, "parent", 0.25)
    factories.make_lineage(work, parents[0], "palette")
    for one in children:
        factories.make_lineage(one, work, "image")
    tree = family_tree(lineage_graph(person, work))
    assert tree is not None
    labels = [(line.x, line.y) for line in tree.lines]
    assert len(labels) == 9
    for number, (x, y) in enumerate(labels):
        assert all(abs(x - a) >= LABEL[0] or abs(y - b) >= LABEL[1] for a, b in labels[:number])


def test_the_whole_tree_reaches_further_than_the_works_own_page(client: Client, person: User) -> None:
    line = [factories.make_artwork(person, title=f"generation {n}") for n in range(5)]
    for parent, child in pairwise(line):
        factories.make_lineage(child, parent, "image")
    near = client.get(url("artwork", line[-1])).content.decode()
    assert str(line[2].pk) in near
    assert str(line[0].pk) not in near
    far = client.get(url("artwork_family", line[-1])).content.decode()
    assert str(line[0].pk) in far
    assert Page(far).problems == []


def test_relatives_that_are_not_for_a_person_tell_nothing(person: User, stranger: User) -> None:
    work = factories.make_listed(person)
    secret = factories.make_artwork(person, title="the secret parent")
    child = factories.make_artwork(person, title="the secret child")
    factories.make_lineage(work, secret, "parent", 0.5)
    factories.make_lineage(child, work, "parent", 0.5)
    for name in ("artwork", "artwork_family"):
        content = client_of(stranger).get(url(name, work)).content.decode()
        assert "secret" not in content
        assert str(secret.pk) not in content
        assert str(child.pk) not in content
        assert "a private work" in content


def test_a_loop_is_played_and_offered_as_film_and_as_picture(client: Client, person: User) -> None:
    work = factories.make_artwork(person, "blend", video="artworks/loop.mp4")
    content = client.get(url("artwork", work)).content.decode()
    assert Page(content).problems == []
    film = re.search(r"<video[^>]*>", content)
    assert film
    # It starts by script only: who wants stillness gets it.
    assert {"muted", "loop", "playsinline", "controls"} <= set(film[0].split())
    assert "autoplay" not in film[0]
    for address in (payloads.video_url(work), payloads.picture_url(work)):
        assert f'href="{address}&amp;download=1"' in content
    assert "Enlarge" not in content.partition('class="uses"')[2].partition("</nav>")[0]
    assert "loop-badge" in client.get("/works/").content.decode()


def test_an_enlarged_picture_is_shown_beside_its_source(client: Client, person: User, stranger: User) -> None:
    source = factories.make_artwork(person, width=64, height=48)
    work = factories.make_listed(person, "upscale", width=128, height=96)
    factories.make_lineage(work, source, "image")
    content = client.get(url("artwork", work)).content.decode()
    assert Page(content).problems == []
    assert "64 × 48 → 128 × 96 px" in content
    assert payloads.picture_url(source) in content
    others = client_of(stranger).get(url("artwork", work)).content.decode()
    assert "data-compare" not in others
    assert str(source.pk) not in others


def test_an_upload_that_was_enlarged_is_shown_to_whoever_brought_it(person: User, stranger: User) -> None:
    job = factories.make_job(person, "upscale", state=JobState.SUCCEEDED)
    upload = factories.make_upload(person)
    factories.make_input(job, "image", upload)
    work = factories.make_listed(person, "upscale", job=job, width=128, height=128)
    assert payloads.upload_url(upload) in client_of(person).get(url("artwork", work)).content.decode()
    others = client_of(stranger).get(url("artwork", work)).content.decode()
    assert payloads.upload_url(upload) not in others
    results = client_of(person).get(reverse("job", args=[job.pk])).content.decode()
    assert "data-compare" in results
    assert Page(results).problems == []


def test_the_prompt_shows_what_was_understood(client: Client, person: User) -> None:
    told = [
        {"text": "dusk", "words": ["sunset"]},
        {"text": " and "},
        {"text": "xyzzy", "nearest": "sea"},
        {"text": " <qq>", "nearest": ""},
    ]
    work = factories.make_artwork(person, prompt="dusk and xyzzy <qq>", details={"understood": told})
    content = " ".join(client.get(url("artwork", work)).content.decode().split())
    assert '<span class="understood" title="understood: sunset">dusk</span>' in content
    assert '<span class="unknown" title="not understood; nearest: sea">xyzzy</span>' in content
    # What is told by a line and a tooltip is told in words too.
    assert "(not understood; nearest: sea)" in content
    assert "(not understood)" in content
    assert "<qq>" not in content
    assert 'data-copy-text="dusk and xyzzy &lt;qq&gt;"' in content


def test_a_picture_can_be_taken_to_every_kind_that_takes_one(client: Client, person: User) -> None:
    work = factories.make_artwork(person)
    content = client.get(url("artwork", work)).content.decode()
    for query in (
        f"/studio/blend/?parent_1={work.pk}",
        f"/studio/blend/?mode=mutate&amp;parent_1={work.pk}",
        f"/studio/upscale/?image={work.pk}",
        f"/studio/paint/?palette={work.pk}",
    ):
        assert query in content
        page = client.get(query.replace("&amp;", "&")).content.decode()
        assert str(work.pk) in page
    large = factories.make_artwork(person, width=2100, height=10)
    assert "/studio/upscale/" not in client.get(url("artwork", large)).content.decode().partition("uses")[2]


def test_an_unlisted_work_asks_search_engines_to_look_away(client: Client, person: User) -> None:
    work = factories.make_artwork(person, visibility=Visibility.UNLISTED)
    assert "noindex" in client_of(None).get(url("artwork", work)).content.decode()
    listed = factories.make_listed(person)
    assert "noindex" not in client_of(None).get(url("artwork", listed)).content.decode()
