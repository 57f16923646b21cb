"""The lists of works: what is in them, in which order, how it is found, and what it costs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from gallery.models import Artwork, Moderation, ModerationAction, ModerationEntry, User, Visibility
from gallery.selectors import artworks
from tests.web import factories
from tests.web.site_pages import Page, client_of

pytestmark = pytest.mark.django_db
LISTED: dict[str, Any] = {"visibility": Visibility.PUBLIC, "moderation": Moderation.APPROVED}


def make_public(owner: User, count: int, **fields: Any) -> list[Artwork]:
    """``count`` listed works without files, the first one newest; three share each moment."""
    now = timezone.now()
    values = {**LISTED, **fields}
    rows = [
        factories.artwork_row(
            owner, prompt=f"work {n}", published_at=now - timedelta(seconds=n // 3), **values
        )
        for n in range(count)
    ]
    return Artwork.objects.bulk_create(rows, batch_size=500)


def shown(content: str) -> list[str]:
    return re.findall(r'class="frame [^"]*" href="/works/([0-9a-f-]{36})/"', content)


def test_only_public_and_approved_works_are_listed(person: User) -> None:
    listed = factories.make_listed(person)
    for visibility in Visibility.values:
        for moderation in Moderation.values:
            if (visibility, moderation) != ("public", "approved"):
                factories.make_artwork(
                    person, visibility=visibility, moderation=moderation, published_at=timezone.now()
                )
    for client in (client_of(None), client_of(person)):
        assert shown(client.get("/").content.decode()) == [str(listed.pk)]


def test_following_the_links_shows_every_work_once_and_leads_back(person: User) -> None:
    make_public(person, 2 * artworks.PAGE + 7)
    expected = [
        str(pk) for pk in Artwork.objects.order_by("-published_at", "-pk").values_list("pk", flat=True)
    ]
    client, url = client_of(None), "/"
    seen: list[str] = []
    pages: list[list[str]] = []
    while True:
        content = client.get(url).content.decode()
        pages.append(shown(content))
        seen += pages[-1]
        onward = re.search(r'rel="next" href="([^"]+)"', content)
        if not onward:
            break
        url = f"/{onward[1]}"
    assert seen == expected
    back = re.search(r'rel="prev" href="([^"]+)"', content)
    assert back
    content = client.get(f"/{back[1]}").content.decode()
    assert shown(content) == pages[-2]
    back = re.search(r'rel="prev" href="([^"]+)"', content)
    assert back
    assert shown(client.get(f"/{back[1]}").content.decode()) == pages[0]


def test_a_page_does_not_shift_when_a_work_arrives(person: User) -> None:
    make_public(person, artworks.PAGE + 5)
    client = client_of(None)
    onward = re.search(r'rel="next" href="([^"]+)"', client.get("/").content.decode())
    assert onward
    second = shown(client.get(f"/{onward[1]}").content.decode())
    factories.make_listed(person)
    assert shown(client.get(f"/{onward[1]}").content.decode()) == second


@pytest.mark.parametrize(
    "cursor", ["x", "1", "-", "1-zz", "9" * 40 + "-1", "\x00", "💥-💥", "-5-" + "0" * 32]
)
@pytest.mark.parametrize("name", ["onward", "back"])
def test_a_cursor_that_cannot_be_read_is_no_error(person: User, name: str, cursor: str) -> None:
    factories.make_listed(person)
    assert client_of(None).get("/", {name: cursor}).status_code == 200


def test_filters_and_search(person: User) -> None:
    sea = factories.make_listed(person, prompt="A Stormy Sea, 100% grey")
    poem = factories.make_listed(person, "verse", prompt="秋")
    client = client_of(None)

    def found(**query: str) -> set[str]:
        return set(shown(client.get("/", query).content.decode()))

    assert found(kind="paint") == {str(sea.pk)}
    assert found(kind="verse") == {str(poem.pk)}
    assert found(kind="nothing") == {str(sea.pk), str(poem.pk)}
    assert found(q="sea stormy") == {str(sea.pk)}
    assert found(q="100%") == {str(sea.pk)}
    assert found(q="芦花") == {str(poem.pk)}
    assert found(q="sea", kind="verse") == set()
    assert found(q="'; DROP TABLE gallery_artwork; --") == set()
    assert "Nothing found" in client.get("/", {"q": "volcano"}).content.decode()


def test_the_filter_stays_on_the_next_page(person: User) -> None:
    make_public(person, artworks.PAGE + 2)
    onward = re.search(r'rel="next" href="([^"]+)"', client_of(None).get("/", {"q": "work"}).content.decode())
    assert onward
    assert "q=work" in onward[1]


def test_my_works_are_mine_whatever_their_state(person: User, stranger: User) -> None:
    mine = [
        factories.make_artwork(person),
        factories.make_artwork(person, visibility=Visibility.UNLISTED),
        factories.make_artwork(person, moderation=Moderation.REMOVED),
    ]
    factories.make_listed(stranger)
    content = client_of(person).get("/works/").content.decode()
    assert set(shown(content)) == {str(work.pk) for work in mine}
    unlisted = client_of(person).get("/works/", {"show": "unlisted"}).content.decode()
    assert shown(unlisted) == [str(mine[1].pk)]


def test_an_empty_gallery_says_so(person: User) -> None:
    assert "The wall is still empty" in client_of(None).get("/").content.decode()
    assert "You have not made anything yet" in client_of(person).get("/works/").content.decode()
    assert "You have not asked for anything yet" in client_of(person).get("/jobs/").content.decode()


def test_the_size_of_a_picture_is_known_before_it_loads(person: User) -> None:
    factories.make_listed(person, width=90, height=60)
    content = client_of(None).get("/").content.decode()
    assert 'class="frame r150"' in content
    assert 'width="90" height="60"' in content
    assert 'fill="#7a8c99"' in content


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


def test_a_page_costs_the_same_with_ten_and_with_ten_thousand_works(
    person: User, stranger: User, moderator: User
) -> None:
    entry = {
        "moderator": moderator,
        "action": ModerationAction.APPROVE,
        "before": "pending",
        "after": "approved",
    }

    def fill(count: int) -> None:
        works = make_public(stranger, count)
        make_public(person, count)
        make_public(stranger, count, moderation=Moderation.PENDING)
        ModerationEntry.objects.bulk_create(
            ModerationEntry(artwork=work, artwork_ref=work.pk, created_at=timezone.now(), **entry)
            for work in works[: count // 10]
        )

    mine = ["/", "/?q=work", "/works/", "/studio/paint/", "/studio/restyle/"]
    visits: list[tuple[User | None, str]] = [
        (None, "/"),
        *((person, url) for url in mine),
        (moderator, "/moderation/"),
        (moderator, "/moderation/log/"),
    ]
    fill(10)
    few = [queries(client_of(who), url) for who, url in visits]
    fill(9_990 // 3)
    assert Artwork.objects.count() >= 10_000
    assert [queries(client_of(who), url) for who, url in visits] == few
    assert max(few) < 25


def test_a_list_of_jobs_and_the_pages_of_one_cost_the_same_for_one_and_for_many(person: User) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            job = factories.make_job(person, state="succeeded")
            Artwork.objects.bulk_create(factories.artwork_row(person, job=job, index=n) for n in range(4))

    fill(1)
    job = person.jobs.get()
    work = job.artworks.earliest("index")
    factories.make_lineage(factories.make_listed(person), work)
    urls = ["/jobs/", *(reverse(name, args=[row.pk]) for name, row in (
        ("job", job), ("artwork", work), ("artwork_family", work)
    ))]  # fmt: skip
    few = [queries(client_of(person), url) for url in urls]
    fill(25)
    for n in range(20):
        factories.make_lineage(factories.make_listed(person, prompt=str(n)), work)
    assert [queries(client_of(person), url) for url in urls] == few


def test_the_gallery_uses_its_index(person: User) -> None:
    from gallery.permissions import listed

    make_public(person, 10)
    plan = listed(Artwork.objects.all()).order_by("-published_at", "-pk")[:5].explain()
    if connection.vendor == "sqlite":
        assert "artwork_gallery" in plan
        assert "TEMP B-TREE" not in plan


def test_cards_of_works_are_sane_html(person: User) -> None:
    make_public(person, 3)
    factories.make_listed(person, "verse")
    assert Page(client_of(person).get("/").content.decode()).problems == []
