"""Who may open what: every address, for everybody. A stranger learns nothing: 404, never 403."""

from __future__ import annotations

import pytest
from django.urls import URLPattern, reverse

from gallery import urls, urls_media
from gallery.models import Artwork, Job, ModerationEntry, User, Worker
from tests.web import factories
from tests.web.site_pages import PAGES, World, address, client_of, make_world

pytestmark = pytest.mark.django_db

GET = {name: page for name, page in PAGES.items() if name != "sign out"} | {
    "studio door": ("studio", "person"),
    "edit": ("artwork_edit picture", "owner"),
    "job json": ("job_json job", "owner"),
    "my uploads": ("my_uploads", "person"),
    "delete my account": ("account_delete", "person"),
    "healthz": ("healthz", "anybody"),
    "readyz": ("readyz", "anybody"),
}
POST = {
    # name -> (address, what is sent, who may)
    "cancel": ("job_cancel job", {}, "owner"),
    "look": ("job_look job", {"reason": "a stuck job"}, "operator"),
    "enough": ("job_finish_early job", {}, "owner"),
    "retry": ("job_retry job", {}, "owner"),
    "edit": ("artwork_edit picture", {"title": "x", "visibility": "private"}, "owner"),
    "delete": ("artwork_delete picture", {}, "owner"),
    "again": ("artwork_again picture", {"seed": "new", "key": "k"}, "owner"),
    "again, listed": ("artwork_again listed", {"seed": "new", "key": "k"}, "person"),
    "lead a poem on": ("poem_lead poem", {"again": "", "key": "k"}, "person"),
    "approve": ("moderation_decide waiting", {"action": "approve"}, "moderator"),
    "undo": ("moderation_undo entry", {}, "moderator"),
    "drain": ("worker_drain", {"name": "worker-1", "draining": "on"}, "operator"),
    "theme": ("theme", {}, "anybody"),
}
ROLES = ("nobody", "stranger", "owner", "moderator", "operator")


@pytest.fixture
def world() -> World:
    return make_world()


def person_of(world: World, role: str) -> User | None:
    person: User | None = getattr(world, role, None)
    return person


def allowed(role: str, who: str, target: str) -> bool:
    if who == "anybody":
        return True
    if who == "person":
        return role != "nobody"
    # Operators may look at jobs, but not touch them.
    return role == who or (role == "operator" and target.split()[0] in ("job", "job_json"))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", GET)
def test_pages_open_for_those_they_are_for(world: World, name: str, role: str) -> None:
    target, who = GET[name]
    response = client_of(person_of(world, role)).get(address(world, target))
    if allowed(role, who, target):
        # Whoever is signed in is sent on from the pages for signing in.
        assert response.status_code in (200, 302)
        assert "/accounts/login/" not in response.headers.get("Location", "")
    elif role == "nobody" and target.split()[0] not in (
        "artwork",
        "artwork_family",
        "artwork_similar",
        "artwork_inscribe",
    ):
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/?next=")
    else:
        assert response.status_code == 404


def snapshot() -> list[object]:
    return [list(model.objects.order_by("pk").values()) for model in (Artwork, Job, ModerationEntry, Worker)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", POST)
def test_what_is_not_allowed_changes_nothing(world: World, name: str, role: str) -> None:
    target, data, who = POST[name]
    before = snapshot()
    response = client_of(person_of(world, role)).post(address(world, target), data)
    if allowed(role, who, target) and not (role == "operator" and who == "owner"):
        assert response.status_code == 302
        return
    assert snapshot() == before
    if role == "nobody":
        assert response.status_code == 302
        assert response["Location"].startswith("/accounts/login/?next=")
    else:
        assert response.status_code == 404


@pytest.mark.parametrize("name", POST)
def test_a_post_needs_the_token_of_our_own_pages(world: World, name: str) -> None:
    target, data, who = POST[name]
    person = world.owner if who in ("person", "anybody") else person_of(world, who)
    client = client_of(person)
    client.handler.enforce_csrf_checks = True
    assert client.post(address(world, target), data).status_code == 403


@pytest.mark.parametrize("name", POST)
def test_get_requests_change_nothing(world: World, name: str) -> None:
    target, _, who = POST[name]
    person = world.owner if who in ("person", "anybody") else person_of(world, who)
    before = snapshot()
    client_of(person).get(address(world, target))
    assert snapshot() == before


def test_every_address_is_in_this_file() -> None:
    media = {pattern.name for pattern in urls_media.urlpatterns}
    named = {pattern.name for pattern in urls.urlpatterns if isinstance(pattern, URLPattern) and pattern.name}
    targets = [target for target, _ in GET.values()] + [target for target, *_ in POST.values()]
    known = {target.split()[0] for target in targets} | {"welcome", "invitation", "upload_delete"}
    assert named - media - known == set()


def test_the_author_reads_why_and_a_stranger_sees_nothing(world: World) -> None:
    work = world.entry.artwork
    assert work is not None
    page = client_of(world.owner).get(reverse("artwork", args=[work.pk])).content.decode()
    assert "Spam or advertising" in page
    assert "No." in page
    assert client_of(world.stranger).get(reverse("artwork", args=[work.pk])).status_code == 404


def test_an_operators_text_is_for_operators(world: World) -> None:
    url = reverse("job", args=[world.failed.pk])
    assert "CUDA out of memory" not in client_of(world.owner).get(url).content.decode()
    assert "CUDA out of memory" in client_of(world.operator).get(url).content.decode()


def test_a_group_of_moderators_is_there_from_the_first_migration(world: World) -> None:
    from django.contrib.auth.models import Group

    world.stranger.groups.add(Group.objects.get(name="Moderators"))
    assert client_of(world.stranger).get("/moderation/").status_code == 200


def test_inactive_accounts_have_no_rights(world: World) -> None:
    client = client_of(world.owner)
    User.objects.filter(pk=world.owner.pk).update(is_active=False)
    assert client.get(reverse("job", args=[world.job.pk])).status_code == 302
    assert client.get(reverse("artwork", args=[world.picture.pk])).status_code == 404


def test_private_relatives_are_stubs(world: World) -> None:
    child = factories.make_listed(world.stranger)
    factories.make_lineage(child, world.picture)
    page = client_of(world.stranger).get(reverse("artwork", args=[child.pk])).content.decode()
    assert str(world.picture.pk) not in page
    assert "a private work" in page
    page = client_of(None).get(reverse("artwork", args=[world.listed.pk])).content.decode()
    assert str(world.picture.pk) not in page  # a private child is not told either


def test_an_operator_sees_how_a_job_stands_and_not_what_it_is_about(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    Job.objects.filter(pk=world.job.pk).update(
        parameters={"prompt": "harbour at dawn"},
        notes=[{"code": "unknown_words", "words": ["dawn"]}],
        seed=777,
    )
    client, page = client_of(world.operator), reverse("job", args=[world.job.pk])
    json_page = reverse("job_json", args=[world.job.pk])
    administration = f"/admin/gallery/job/{world.job.pk}/change/"
    root = client_of(User.objects.create_superuser("root"))
    for reader, link in ((client, page), (client, json_page), (root, administration)):
        text = reader.get(link).content.decode()
        assert str(world.job.pk) in text
        for secret in ("harbour", "dawn", "777"):
            assert secret not in text, link
    # With a reason that says nothing it stays so; with one it is shown, and written down.
    look = reverse("job_look", args=[world.job.pk])
    client.post(look, {"reason": " x "})
    assert "harbour" not in client.get(page).content.decode()
    caplog.set_level("INFO", "artsite.security")
    client.post(look, {"reason": "reported as stuck"})
    assert "harbour at dawn" in client.get(page).content.decode()
    assert f"job={world.job.pk}" in caplog.text
    assert "reason=reported as stuck" in caplog.text
    # Another operator's look is their own.
    assert (
        "harbour"
        not in client_of(factories.make_user("olga", ["operate_workers"])).get(page).content.decode()
    )
