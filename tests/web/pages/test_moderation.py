"""Moderation: one decision, one row in the log, a way back, and a reason that the author reads."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from gallery.models import Artwork, Moderation, ModerationAction, ModerationEntry, User, Visibility
from gallery.services import moderation
from gallery.services.artworks import artwork_rename
from tests.web import factories
from tests.web.site_pages import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting(person: User) -> Artwork:
    return factories.make_artwork(person, visibility=Visibility.PUBLIC, published_at=timezone.now())


@pytest.fixture
def client(moderator: User) -> Client:
    return client_of(moderator)


def decide(client: Client, work: Artwork, **data: str) -> int:
    return client.post(reverse("moderation_decide", args=[work.pk]), data).status_code


def test_an_approved_work_is_listed_in_the_gallery(client: Client, moderator: User, waiting: Artwork) -> None:
    assert str(waiting.pk) in client.get("/moderation/").content.decode()
    assert decide(client, waiting, action="approve") == 302
    assert str(waiting.pk) in client_of(None).get("/").content.decode()
    entry = ModerationEntry.objects.get()
    assert (entry.moderator, entry.action, entry.before, entry.after) == (
        moderator,
        "approve",
        "pending",
        "approved",
    )
    queue = client.get("/moderation/").content.decode()
    assert f'id="w-{waiting.pk.hex}"' not in queue
    assert reverse("moderation_undo", args=[entry.pk]) in queue


@pytest.mark.parametrize("action", ["reject", "remove"])
def test_the_author_of_a_rejected_work_reads_the_reason(
    client: Client, person: User, waiting: Artwork, action: str
) -> None:
    decide(client, waiting, action=action, reason="copied", note="Too close <b>to</b> a living painter.")
    content = client_of(person).get(reverse("artwork", args=[waiting.pk])).content.decode()
    assert "Somebody else&#x27;s protected work" in content
    assert "Too close &lt;b&gt;to&lt;/b&gt; a living painter." in content
    assert str(waiting.pk) not in client_of(None).get("/").content.decode()


def test_a_removed_work_is_gone_for_its_link_too(client: Client, waiting: Artwork) -> None:
    Artwork.objects.filter(pk=waiting.pk).update(visibility=Visibility.UNLISTED)
    link = reverse("artwork", args=[waiting.pk])
    assert client_of(None).get(link).status_code == 200
    decide(client, waiting, action="remove", reason="personal")
    assert client_of(None).get(link).status_code == 404


def test_an_unlisted_work_is_removed_from_its_page_and_shown_again_by_undo(
    client: Client, waiting: Artwork
) -> None:
    Artwork.objects.filter(pk=waiting.pk).update(visibility=Visibility.UNLISTED)
    link = reverse("artwork", args=[waiting.pk])
    content = client.get(link).content.decode()
    assert 'value="remove"' in content
    assert 'value="approve"' not in content
    assert 'value="reject"' not in content
    log = reverse("moderation_log")
    assert f'name="next" value="{log}"' in content
    assert decide(client, waiting, action="remove", reason="personal", next=log) == 302
    assert client.get(link).status_code == 404
    undo = reverse("moderation_undo", args=[ModerationEntry.objects.get().pk])
    assert undo in client.get(log).content.decode()
    client.post(undo)
    assert client_of(None).get(link).status_code == 200


def test_a_title_that_nobody_saw_is_not_approved(client: Client, person: User, waiting: Artwork) -> None:
    assert 'type="hidden" name="title" value=""' in client.get("/moderation/").content.decode()
    artwork_rename(artwork=waiting, title="Buy now: spam.example", by=person)
    assert decide(client, waiting, action="approve", title="") == 302
    waiting.refresh_from_db()
    assert waiting.moderation == Moderation.PENDING
    decide(client, waiting, action="approve", title="Buy now: spam.example")
    waiting.refresh_from_db()
    assert waiting.moderation == Moderation.APPROVED


@pytest.mark.parametrize("action", ["approve", "reject", "remove"])
def test_nobody_decides_about_a_private_work(client: Client, waiting: Artwork, action: str) -> None:
    Artwork.objects.filter(pk=waiting.pk).update(visibility=Visibility.PRIVATE)
    decide(client, waiting, action=action, reason="spam")
    waiting.refresh_from_db()
    assert waiting.moderation == Moderation.PENDING
    assert not ModerationEntry.objects.exists()


@pytest.mark.parametrize(
    "data",
    [{"action": "reject"}, {"action": "reject", "reason": "ugly"}, {"action": "burn"}, {},
     {"action": "remove", "reason": ""}, {"action": "reject", "reason": "spam", "note": "x" * 501}],
)  # fmt: skip
def test_a_decision_needs_an_action_and_a_reason(
    client: Client, waiting: Artwork, data: dict[str, str]
) -> None:
    decide(client, waiting, **data)
    answer = client.post(
        reverse("moderation_decide", args=[waiting.pk]), data, headers={"accept": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["error"]
    waiting.refresh_from_db()
    assert waiting.moderation == Moderation.PENDING
    assert not ModerationEntry.objects.exists()


def test_of_two_moderators_one_decides(moderator: User, waiting: Artwork) -> None:
    seen_by_both = Artwork.objects.get(pk=waiting.pk)
    moderation.artwork_approve(artwork=waiting, by=moderator)
    with pytest.raises(moderation.ModerationConflict):
        moderation.artwork_reject(artwork=seen_by_both, by=moderator, reason="spam")
    assert ModerationEntry.objects.count() == 1


def test_a_work_that_was_made_private_meanwhile_is_left_alone(client: Client, waiting: Artwork) -> None:
    Artwork.objects.filter(pk=waiting.pk).update(visibility=Visibility.PRIVATE)
    answer = client.post(
        reverse("moderation_decide", args=[waiting.pk]),
        {"action": "approve"},
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 409
    assert not ModerationEntry.objects.exists()


def test_undo_brings_back_what_was_with_its_reason(moderator: User, waiting: Artwork) -> None:
    moderation.artwork_reject(artwork=waiting, by=moderator, reason="spam", note="An advertisement.")
    removal = moderation.artwork_remove(artwork=waiting, by=moderator, reason="other", note="Worse.")
    moderation.moderation_undo(entry=removal, by=moderator)
    waiting.refresh_from_db()
    assert (waiting.moderation, waiting.moderation_reason, waiting.moderation_note) == (
        "rejected",
        "spam",
        "An advertisement.",
    )
    undo = ModerationEntry.objects.get(action=ModerationAction.UNDO)
    assert (undo.undoes, undo.before, undo.after) == (removal, "removed", "rejected")


def test_an_approval_that_is_undone_waits_again(client: Client, moderator: User, waiting: Artwork) -> None:
    entry = moderation.artwork_approve(artwork=waiting, by=moderator)
    assert client.post(reverse("moderation_undo", args=[entry.pk])).status_code == 302
    assert str(waiting.pk) in client.get("/moderation/").content.decode()
    assert (
        client.post(
            reverse("moderation_undo", args=[entry.pk]), headers={"accept": "application/json"}
        ).status_code
        == 409
    )


@pytest.mark.parametrize("title", ["Somebody's telephone number", ""])
@pytest.mark.parametrize("decision", ["approve", "reject"])
def test_another_title_is_reviewed_again(
    moderator: User, person: User, waiting: Artwork, decision: str, title: str
) -> None:
    artwork_rename(artwork=waiting, title="Harbour", by=person)
    waiting.refresh_from_db()
    decide_by = {"approve": moderation.artwork_approve, "reject": moderation.artwork_reject}[decision]
    decide_by(artwork=waiting, by=moderator, reason="copied")
    renamed = artwork_rename(artwork=waiting, title=title, by=person)
    assert (renamed.moderation, renamed.moderation_reason) == ("pending", "")


def test_undo_brings_back_no_title_that_nobody_saw(moderator: User, person: User, waiting: Artwork) -> None:
    moderation.artwork_approve(artwork=waiting, by=moderator)
    removal = moderation.artwork_remove(artwork=waiting, by=moderator, reason="copied")
    artwork_rename(artwork=waiting, title="Somebody's telephone number", by=person)
    with pytest.raises(moderation.ModerationConflict):
        moderation.moderation_undo(entry=removal, by=moderator)
    waiting.refresh_from_db()
    assert waiting.moderation == "removed"
    # With the title that was decided on it can be undone again.
    artwork_rename(artwork=waiting, title="", by=person)
    moderation.moderation_undo(entry=removal, by=moderator)
    waiting.refresh_from_db()
    assert waiting.moderation == "approved"


def test_only_the_latest_decision_can_be_undone(moderator: User, waiting: Artwork) -> None:
    first = moderation.artwork_approve(artwork=waiting, by=moderator)
    moderation.artwork_reject(artwork=waiting, by=moderator, reason="copied")
    moderation.artwork_approve(artwork=waiting, by=moderator)
    # The work is what the first decision made of it, by another one.
    with pytest.raises(moderation.ModerationConflict):
        moderation.moderation_undo(entry=first, by=moderator)


def test_a_decision_of_an_earlier_version_cannot_be_undone(moderator: User, waiting: Artwork) -> None:
    entry = moderation.artwork_reject(artwork=waiting, by=moderator, reason="copied")
    ModerationEntry.objects.filter(pk=entry.pk).update(shown="")
    entry.refresh_from_db()
    with pytest.raises(moderation.ModerationConflict):
        moderation.moderation_undo(entry=entry, by=moderator)


def test_nothing_is_undone_twice_or_out_of_turn(moderator: User, waiting: Artwork) -> None:
    first = moderation.artwork_approve(artwork=waiting, by=moderator)
    second = moderation.artwork_reject(artwork=waiting, by=moderator, reason="spam")
    with pytest.raises(moderation.ModerationConflict):
        moderation.moderation_undo(entry=first, by=moderator)  # decided anew since
    undo = moderation.moderation_undo(entry=second, by=moderator)
    for entry in (second, undo):
        with pytest.raises(moderation.ModerationConflict):
            moderation.moderation_undo(entry=entry, by=moderator)
    moderation.moderation_undo(entry=first, by=moderator)
    waiting.refresh_from_db()
    assert waiting.moderation == Moderation.PENDING


@pytest.mark.parametrize(
    "action", [moderation.artwork_approve, moderation.artwork_reject, moderation.artwork_remove]
)
def test_the_rules_ask_for_the_permission_themselves(person: User, waiting: Artwork, action: object) -> None:
    with pytest.raises(PermissionDenied):
        action(artwork=waiting, by=person, reason="spam")  # type: ignore[operator]
    assert not ModerationEntry.objects.exists()


def test_the_log_outlives_work_and_moderator(client: Client, moderator: User, waiting: Artwork) -> None:
    other = factories.make_user("gone", permissions=["moderate_artworks"])
    moderation.artwork_reject(artwork=waiting, by=other, reason="spam", note="kept")
    waiting.delete()
    other.delete()
    content = client.get("/moderation/log/").content.decode()
    assert "a deleted work" in content
    assert "kept" in content


def test_a_moderator_sees_a_public_work_before_the_public(client: Client, waiting: Artwork) -> None:
    link = reverse("artwork", args=[waiting.pk])
    assert client_of(None).get(link).status_code == 404
    content = client.get(link).content.decode()
    assert "For moderators" in content


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_the_next_address_stays_on_this_site(client: Client, waiting: Artwork, target: str) -> None:
    response = client.post(
        reverse("moderation_decide", args=[waiting.pk]), {"action": "approve", "next": target}
    )
    assert response["Location"] == reverse("moderation")


def test_the_review_queue_is_oldest_first(client: Client, person: User) -> None:
    from datetime import timedelta

    now = timezone.now()
    ages = [3, 1, 2]
    works = [
        factories.make_artwork(person, visibility=Visibility.PUBLIC, published_at=now - timedelta(hours=age))
        for age in ages
    ]
    content = client.get("/moderation/").content.decode()
    places = [content.index(f'id="w-{work.pk.hex}"') for work in works]
    assert places[0] < places[2] < places[1]
