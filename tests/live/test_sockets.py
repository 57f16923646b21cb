"""The live socket on the real pub/sub layer: the whole ASGI application and a real Valkey."""

from __future__ import annotations

import asyncio
import copy
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client

from artsite.asgi import application
from gallery.live import consumers, messages, publisher
from gallery.models import Job, JobState, User
from tests.web import factories

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]
ORIGIN = "http://testserver"
in_thread = sync_to_async


class Page(ApplicationCommunicator):
    """A page's socket, as a browser would open it."""

    def __init__(self, cookie: str = "", *, origin: str | None = ORIGIN, path: str = "/ws/") -> None:
        headers = [(b"host", b"testserver")]
        if cookie:
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        scope = {
            "type": "websocket",
            "path": path,
            "query_string": b"",
            "headers": headers,
            "subprotocols": [],
        }
        super().__init__(application, scope)

    async def knock(self) -> bool:
        """Send the handshake; whether it was accepted."""
        await self.send_input({"type": "websocket.connect"})
        return bool((await self.receive_output(5))["type"] == "websocket.accept")

    async def open(self) -> Page:
        assert await self.knock()
        return self

    async def type_in(self, text: str | None = None, data: bytes | None = None) -> None:
        """Send a frame as it is."""
        await self.send_input({"type": "websocket.receive", "text": text, "bytes": data})

    async def say(self, **message: Any) -> None:
        await self.type_in(json.dumps(message))

    async def hear(self, kind: str | None = None, timeout: float = 5) -> dict[str, Any]:
        """The next message; with ``kind``, the next of that type."""
        while True:
            output = await self.receive_output(timeout)
            assert output["type"] == "websocket.send", output
            message: dict[str, Any] = json.loads(output["text"])
            if kind is None or message["type"] == kind:
                return message

    async def watch(self, job: Job) -> dict[str, Any]:
        """Subscribe; the snapshot's state."""
        await self.say(type="subscribe", job=str(job.pk))
        message = await self.hear()
        assert message["type"] == "job.state"
        return message

    async def close_code(self, timeout: float = 5) -> int:
        """The code that the server closes with; what it sends before is dropped."""
        while True:
            output = await self.receive_output(timeout)
            if output["type"] == "websocket.close":
                return int(output["code"])

    async def leave(self) -> None:
        """Close it as a browser does, unless it has ended."""
        if not self.future.done():
            await self.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.wait(5)


OpenPage = Callable[..., Awaitable[Page]]


def sign_in(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def changed(job: Job, **fields: Any) -> Job:
    """The row as it will be, not saved."""
    later = copy.copy(job)
    for name, value in fields.items():
        setattr(later, name, value)
    return later


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture
async def open_page() -> AsyncIterator[OpenPage]:
    """Opens sockets for signed-in people and closes them all at the end."""
    pages: list[Page] = []

    async def open_one(user: User) -> Page:
        page = Page(await in_thread(sign_in)(user))
        pages.append(page)
        return await page.open()

    yield open_one
    for page in pages:
        await page.leave()
    assert not consumers._open_sockets, "a closed socket is still counted"


@pytest.fixture
def ana() -> User:
    return factories.make_user("ana")


@pytest.fixture
def ben() -> User:
    return factories.make_user("ben")


@pytest.fixture
def otto() -> User:
    return factories.make_user("otto", permissions=["operate_workers"])


@pytest.fixture
def running(ana: User) -> Job:
    """A job of ana's at work."""
    return factories.make_job(ana, state=JobState.RUNNING, seq=5, parameters={"prompt": "a secret sea"})


# --- Strangers --------------------------------------------------------------------------------------


async def test_a_socket_without_a_sign_in_is_closed() -> None:
    for cookie in ("", "0" * 32):
        page = await Page(cookie).open()
        assert await page.close_code() == consumers.NOT_SIGNED_IN


async def test_a_stranger_learns_nothing_about_a_job(
    open_page: OpenPage, ana: User, ben: User, running: Job
) -> None:
    owner, stranger = await open_page(ana), await open_page(ben)
    await owner.watch(running)
    answers = []
    for job in (str(running.pk), str(uuid.uuid4()), running.pk.hex, "1", "' OR 1=1 --", "../../etc"):
        await stranger.say(type="subscribe", job=job)
        answer = await stranger.hear()
        answers.append((answer["type"], answer["data"]["code"], answer["seq"], tuple(sorted(answer["data"]))))
    assert set(answers) == {("error", "not_found", 0, ("code", "job"))}

    publisher.publish(
        messages.job_progress(running, 0.5, 1, 2, "painting"),
        messages.job_preview(running, 0, b"webp", 8, 8),
        messages.job_state(running),
    )
    assert (await owner.hear("job.progress"))["data"]["fraction"] == 0.5
    assert await stranger.receive_nothing(0.3)


async def test_operators_may_look_and_strangers_do_not_see_workers(
    open_page: OpenPage, ben: User, otto: User, running: Job
) -> None:
    worker = await in_thread(factories.make_worker)("studio-1")
    operator, stranger = await open_page(otto), await open_page(ben)
    assert (await operator.watch(running))["data"]["state"] == "running"

    await stranger.say(type="subscribe", channel="workers")
    assert (await stranger.hear())["data"]["code"] == "not_found"
    await operator.say(type="subscribe", channel="workers")
    assert (await operator.hear("worker.state"))["data"]["name"] == "studio-1"
    counts = await operator.hear("queue.stats")
    assert counts["data"]["queues"] == {"gan": {"waiting": 0, "running": 1}}

    worker.draining = True
    publisher.publish(messages.worker_state(worker))
    assert (await operator.hear("worker.state"))["data"]["draining"] is True
    assert await stranger.receive_nothing(0.3)


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "",
        "http://evil.example",
        "https://testserver",
        "http://testserver:8000",
        "http://testserver.evil.example",
        "file:///etc/passwd",
        "http://testserver:port",
    ],
)
async def test_another_origin_is_refused_before_the_handshake_ends(ana: User, origin: str | None) -> None:
    page = Page(await in_thread(sign_in)(ana), origin=origin)
    assert not await page.knock()


async def test_configured_origins_replace_the_host_check(ana: User, settings: pytest.FixtureRequest) -> None:
    settings.ORIGINS = ["https://art.example"]  # type: ignore[attr-defined]
    cookie = await in_thread(sign_in)(ana)
    assert not await Page(cookie).knock()
    page = Page(cookie, origin="https://art.example")
    assert await page.knock()
    await page.leave()


async def test_a_host_that_is_not_ours_is_refused(ana: User, settings: pytest.FixtureRequest) -> None:
    settings.ALLOWED_HOSTS = ["art.example"]  # type: ignore[attr-defined]
    assert not await Page(await in_thread(sign_in)(ana)).knock()


async def test_there_is_one_socket_address(ana: User) -> None:
    assert not await Page(await in_thread(sign_in)(ana), path="/ws/admin/").knock()


# --- Snapshots ----------------------------------------------------------------------------------------


async def test_the_snapshot_comes_first_and_tells_everything(open_page: OpenPage, ana: User) -> None:
    await in_thread(factories.make_worker)()
    await in_thread(factories.make_job)(ana)
    waiting = await in_thread(factories.make_job)(ana, parameters={"prompt": "海"}, turn=1)
    page = await open_page(ana)
    message = await page.watch(waiting)
    assert (message["v"], message["job"], message["seq"]) == (1, str(waiting.pk), 1)
    data = message["data"]
    assert (data["state"], data["position"], data["ahead"], data["feasible"]) == ("queued", 1, 1, True)
    assert data["parameters"]["prompt"] == "海"
    assert data["seed"] == "42"
    assert "operator" not in (data["error"] or {})


async def test_a_late_joiner_sees_progress_previews_and_text(
    open_page: OpenPage, ana: User, running: Job
) -> None:
    for step in range(3):
        publisher.publish(
            messages.job_progress(running, step / 4, step, 4, "painting"),
            messages.job_preview(running, 1, b"picture %d" % step, 64, 48),
            messages.job_text(running, 0, "江上" * step),
        )
    assert publisher.flush(5)
    page = await open_page(ana)
    await page.watch(running)
    heard = {message["type"]: message["data"] for message in [await page.hear() for _ in range(3)]}
    assert heard["job.progress"]["step"] == 2
    assert (heard["job.preview"]["index"], heard["job.preview"]["base64"]) == (1, "cGljdHVyZSAy")
    assert (heard["job.preview"]["width"], heard["job.preview"]["height"]) == (64, 48)
    assert heard["job.text"]["text"] == "江上江上"


async def test_a_final_job_comes_with_its_results_and_without_previews(
    open_page: OpenPage, ana: User, running: Job
) -> None:
    publisher.publish(messages.job_preview(running, 0, b"half done", 8, 8))
    assert publisher.flush(5)
    artwork = await in_thread(factories.make_artwork)(ana, job=running)
    await Job.objects.filter(pk=running.pk).aupdate(state=JobState.SUCCEEDED, seq=6)
    page = await open_page(ana)
    assert (await page.watch(running))["data"]["final"] is True
    output = await page.hear()
    assert output["type"] == "job.output"
    assert [work["id"] for work in output["data"]["artworks"]] == [str(artwork.pk)]
    assert output["data"]["artworks"][0]["url"].startswith(f"/media/artworks/{artwork.pk}/picture?v=")
    assert await page.receive_nothing(0.2)


async def test_only_operators_read_the_operators_error(open_page: OpenPage, ana: User, otto: User) -> None:
    job = await in_thread(factories.make_job)(
        ana,
        state=JobState.FAILED,
        error_code="engine_failed",
        error_visitor="The studio could not finish this work.",
        error_operator="Traceback: /srv/secret/path",
    )
    page, operator = await open_page(ana), await open_page(otto)
    error = (await page.watch(job))["data"]["error"]
    assert error == {"code": "engine_failed", "message": "The studio could not finish this work."}
    assert "Traceback" in (await operator.watch(job))["data"]["error"]["operator"]


async def test_two_sockets_of_one_person_get_the_same_messages(
    open_page: OpenPage, ana: User, running: Job
) -> None:
    pages = [await open_page(ana), await open_page(ana)]
    for page in pages:
        await page.watch(running)
    publisher.publish(messages.job_text(running, 0, "秋"))
    assert [(await page.hear("job.text"))["data"]["text"] for page in pages] == ["秋", "秋"]


async def test_after_unsubscribing_nothing_comes(open_page: OpenPage, ana: User, running: Job) -> None:
    page = await open_page(ana)
    await page.watch(running)
    await page.say(type="unsubscribe", job=str(running.pk))
    await page.say(type="nonsense")  # its answer shows that the line before was read
    assert (await page.hear())["type"] == "error"
    publisher.publish(messages.job_text(running, 0, "秋"))
    assert await page.receive_nothing(0.3)


# --- Old and new ----------------------------------------------------------------------------------------


async def test_what_is_not_newer_is_not_passed_on(open_page: OpenPage, ana: User, running: Job) -> None:
    page = await open_page(ana)
    await page.watch(running)
    old, new = (messages.job_progress(running, fraction) for fraction in (0.1, 0.2))
    stale_state = messages.job_state(changed(running, seq=4))
    next_state = messages.job_state(changed(running, seq=6, phase="painting"))
    for sent in (new, old, stale_state, messages.job_state(running), next_state, old):
        publisher.publish(sent)
        assert publisher.flush(5)
    assert (await page.hear())["data"]["fraction"] == 0.2
    message = await page.hear()
    assert (message["type"], message["seq"], message["data"]["phase"]) == ("job.state", 6, "painting")
    assert await page.receive_nothing(0.3)


async def test_progress_of_a_new_attempt_counts_although_its_worker_counts_anew(
    open_page: OpenPage, ana: User, running: Job
) -> None:
    page = await open_page(ana)
    await page.watch(running)
    first = messages.job_progress(running, 0.9)
    running.seq = 8
    second = messages.job_progress(running, 0.1)
    second.envelope["data"]["tick"] = 1  # type: ignore[index]
    publisher.publish(first)
    assert (await page.hear())["data"]["fraction"] == 0.9
    publisher.publish(second)
    assert (await page.hear())["data"]["fraction"] == 0.1


async def test_messages_of_one_call_arrive_in_order(open_page: OpenPage, ana: User, running: Job) -> None:
    page = await open_page(ana)
    await page.watch(running)
    done = changed(running, seq=9, state=JobState.SUCCEEDED)
    publisher.publish(
        messages.job_text(running, 0, "end"), messages.job_state(done), messages.job_output(done)
    )
    kinds = [(await page.hear())["type"] for _ in range(3)]
    assert kinds == ["job.text", "job.state", "job.output"]


async def test_each_socket_gets_only_the_results_that_its_person_may_see(
    open_page: OpenPage, ana: User, otto: User, running: Job
) -> None:
    works = [
        await in_thread(factories.make_artwork)(ana, job=running, index=index, visibility=visibility)
        for index, visibility in enumerate(("private", "unlisted"))
    ]
    owner, operator = await open_page(ana), await open_page(otto)
    for page in (owner, operator):
        await page.watch(running)
    publisher.publish(messages.job_output(changed(running, seq=9)))
    heard = [(await page.hear("job.output"))["data"]["artworks"] for page in (owner, operator)]
    assert [[work["id"] for work in data] for data in heard] == [
        [str(work.pk) for work in works],
        [str(works[1].pk)],
    ]


async def test_a_lost_message_is_repaired_from_the_row(
    open_page: OpenPage, ana: User, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REFRESH_SECONDS", 0.1)
    page = await open_page(ana)
    await page.watch(running)
    await Job.objects.filter(pk=running.pk).aupdate(state=JobState.CANCELED, seq=7)
    message = await page.hear("job.state")
    assert (message["seq"], message["data"]["state"]) == (7, "canceled")


async def test_a_waiting_job_moves_up_on_the_page(
    open_page: OpenPage, ana: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REFRESH_SECONDS", 0.1)
    before = await in_thread(factories.make_job)(ana)
    waiting = await in_thread(factories.make_job)(ana, turn=1)
    page = await open_page(ana)
    assert (await page.watch(waiting))["data"]["position"] == 1
    await before.adelete()
    message = await page.hear("queue.stats")
    assert (message["job"], message["data"]["position"]) == (str(waiting.pk), 0)


async def test_a_deleted_job_is_not_found_any_more(
    open_page: OpenPage, ana: User, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "REFRESH_SECONDS", 0.1)
    page = await open_page(ana)
    await page.watch(running)
    await running.adelete()
    assert (await page.hear())["data"]["code"] == "not_found"


async def test_an_operator_is_told_how_a_job_stands_and_not_what_it_is_about(
    open_page: OpenPage, ana: User, otto: User, running: Job
) -> None:
    await Job.objects.filter(pk=running.pk).aupdate(parameters={"prompt": "harbour at dawn"})
    await running.arefresh_from_db()
    owner, operator = await open_page(ana), await open_page(otto)
    assert (await owner.watch(running))["data"]["parameters"] == {"prompt": "harbour at dawn"}
    assert (await operator.watch(running))["data"]["parameters"] == {}
    publisher.publish(
        messages.job_preview(running, 0, b"pixels", 8, 8),
        messages.job_text(running, 0, "a poem"),
        messages.job_progress(running, 0.5),
    )
    for kind in ("job.preview", "job.text", "job.progress"):
        await owner.hear(kind)
    assert (await operator.hear())["type"] == "job.progress"


# --- Rights that end ------------------------------------------------------------------------------------


async def test_the_sockets_of_a_deactivated_person_are_closed_at_once(
    open_page: OpenPage, ana: User, running: Job
) -> None:
    pages = [await open_page(ana), await open_page(ana)]
    await pages[0].watch(running)
    await User.objects.filter(pk=ana.pk).aupdate(is_active=False)
    publisher.recheck_user(ana.pk)
    for page in pages:
        assert await page.close_code() == consumers.NOT_SIGNED_IN


async def test_a_permission_that_is_taken_away_in_the_admin_closes_open_sockets(
    open_page: OpenPage, otto: User, running: Job
) -> None:
    page = await open_page(otto)
    await page.watch(running)

    def take_away() -> int:
        client = Client()
        client.force_login(User.objects.create_superuser("root"))
        url = f"/admin/gallery/user/{otto.pk}/change/"
        form = client.get(url).context["adminform"].form
        data = {
            name: form.initial.get(name) or "" for name in ("username", "email", "first_name", "last_name")
        }
        data |= {"is_active": "on", "date_joined_0": "2025-01-01", "date_joined_1": "00:00:00"}
        return client.post(url, data).status_code

    assert await in_thread(take_away)() == 302
    assert await page.close_code() == consumers.NOT_ALLOWED


def _sign_out(person: User) -> None:
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = Session.objects.get().session_key
    assert client.post("/accounts/logout/").status_code == 302


def _change_password(person: User) -> None:
    person.set_password("another horse")
    person.save()


def _deactivate(person: User) -> None:
    person.is_active = False
    person.save()


@pytest.mark.parametrize("change", [_sign_out, _change_password, _deactivate, User.delete])
async def test_a_socket_ends_at_once_with_its_persons_session(
    open_page: OpenPage, ana: User, change: Callable[[User], object]
) -> None:
    page = await open_page(ana)
    await in_thread(change)(ana)
    assert await page.close_code() == consumers.NOT_SIGNED_IN


def _leave_group(person: User, group: Group) -> None:
    person.groups.clear()


def _empty_group(person: User, group: Group) -> None:
    group.user_set.clear()


def _weaken_group(person: User, group: Group) -> None:
    group.permissions.clear()


def _dissolve_group(person: User, group: Group) -> None:
    group.delete()


@pytest.mark.parametrize("change", [_leave_group, _empty_group, _weaken_group, _dissolve_group])
async def test_a_socket_ends_at_once_with_a_right_that_a_group_gave(
    open_page: OpenPage, ana: User, change: Callable[[User, Group], None]
) -> None:
    def join() -> Group:
        group = Group.objects.create(name="operators")
        group.permissions.set(Permission.objects.filter(codename="operate_workers"))
        group.user_set.add(ana)
        return group

    group = await in_thread(join)()
    page = await open_page(await User.objects.aget(pk=ana.pk))
    await page.say(type="subscribe", channel="workers")
    await page.hear("queue.stats")
    await in_thread(change)(ana, group)
    assert await page.close_code() == consumers.NOT_ALLOWED


@pytest.mark.parametrize("how", ["deactivated", "password", "signed out"])
async def test_the_session_is_checked_again_every_minute(
    open_page: OpenPage, ana: User, running: Job, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(consumers, "RECHECK_SECONDS", 0.2)
    page = await open_page(ana)
    await page.watch(running)
    if how == "deactivated":
        await User.objects.filter(pk=ana.pk).aupdate(is_active=False)
    elif how == "password":
        ana.set_password("another horse")
        await ana.asave()
    else:
        await Session.objects.all().adelete()
    assert await page.close_code() == consumers.NOT_SIGNED_IN


async def test_the_socket_of_an_operator_who_lost_the_permission_is_closed(
    open_page: OpenPage, otto: User, running: Job
) -> None:
    by_job, by_workers, idle = [await open_page(otto) for _ in range(3)]
    await by_job.watch(running)
    await by_workers.say(type="subscribe", channel="workers")
    await by_workers.hear("queue.stats")
    await in_thread(otto.user_permissions.clear)()
    publisher.recheck_user(otto.pk)
    assert await by_job.close_code() == consumers.NOT_ALLOWED
    assert await by_workers.close_code() == consumers.NOT_ALLOWED
    assert await idle.receive_nothing(0.3)


# --- Bad frames and limits ------------------------------------------------------------------------------


async def test_a_binary_frame_ends_the_socket(open_page: OpenPage, ana: User) -> None:
    page = await open_page(ana)
    await page.type_in(data=b'{"type":"subscribe"}')
    assert await page.close_code() == consumers.BINARY


@pytest.mark.parametrize("text", ["x" * 4097, "海" * 1366, json.dumps({"type": "x" * 10_000_000})])
async def test_a_long_message_ends_the_socket(open_page: OpenPage, ana: User, text: str) -> None:
    page = await open_page(ana)
    await page.type_in(text)
    assert await page.close_code() == consumers.TOO_LONG


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "null",
        "[]",
        "7",
        '"subscribe"',
        "[" * 4000,
        '{"a":' * 800,
        "{}",
        '{"type":null}',
        '{"type":"subscribe"}',
        '{"type":"subscribe","job":7}',
        '{"type":"subscribe","job":{"id":1}}',
        '{"type":"subscribe","channel":"moderation"}',
        '{"type":"live.recheck"}',
        '{"type":"subscribe","job":"\\ud800"}',
        '{"type":"subscribe","job":NaN}',
        "\x00",
    ],
)
async def test_nonsense_gets_an_error_and_the_socket_lives(
    open_page: OpenPage, ana: User, running: Job, text: str
) -> None:
    page = await open_page(ana)
    await page.type_in(text)
    answer = await page.hear()
    assert answer["type"] == "error"
    assert answer["data"]["code"] in ("bad_message", "not_found")
    assert (await page.watch(running))["data"]["state"] == "running"


async def test_the_eleventh_message_of_a_second_ends_the_socket(open_page: OpenPage, ana: User) -> None:
    page = await open_page(ana)
    for _ in range(11):
        await page.say(type="nonsense")
    assert await page.close_code() == consumers.TOO_MANY


async def test_the_eleventh_socket_of_a_person_is_closed(open_page: OpenPage, ana: User, ben: User) -> None:
    pages = [await open_page(ana) for _ in range(10)]
    eleventh = await open_page(ana)
    assert await eleventh.close_code() == consumers.TOO_MANY
    await (await open_page(ben)).say(type="nonsense")
    await pages[0].leave()
    again = await open_page(ana)
    await again.say(type="nonsense")
    assert (await again.hear())["data"]["code"] == "bad_message"


async def test_a_socket_has_a_limited_number_of_subscriptions(
    open_page: OpenPage, ana: User, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "SUBSCRIPTIONS", 1)
    other = await in_thread(factories.make_job)(ana)
    page = await open_page(ana)
    await page.watch(running)
    await page.say(type="subscribe", job=str(other.pk))
    assert (await page.hear())["data"]["code"] == "too_many_subscriptions"
    await page.watch(running)  # the one that it has may be asked for again


async def test_a_slow_reader_is_closed_and_its_outbox_is_bounded(
    ana: User, running: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's ``send`` waits while the connection's buffers are full: here, for ever."""
    monkeypatch.setattr(consumers, "SEND_SECONDS", 0.5)
    page = Page(await in_thread(sign_in)(ana))
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    closed: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    accepted = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.accept":
            accepted.set()
        elif message["type"] == "websocket.send":
            await asyncio.Event().wait()
        else:
            closed.set_result(message["code"])

    scope = {**page.scope, "type": "websocket"}
    serving = asyncio.create_task(application(scope, inbox.get, send))
    inbox.put_nowait({"type": "websocket.connect"})
    await asyncio.wait_for(accepted.wait(), 5)
    inbox.put_nowait(
        {"type": "websocket.receive", "text": json.dumps({"type": "subscribe", "job": str(running.pk)})}
    )
    assert await asyncio.wait_for(closed, 10) == consumers.TOO_SLOW
    await asyncio.wait_for(serving, 5)


# --- The publisher ------------------------------------------------------------------------------------------


def test_publishing_costs_its_caller_nothing_even_when_messages_pile_up(ana: User, running: Job) -> None:
    preview = messages.job_preview(running, 0, bytes(20_000), 64, 64)
    began = time.perf_counter()
    for _ in range(2_000):
        publisher.publish(preview, messages.job_state(running))
    assert time.perf_counter() - began < 2.0
    assert len(publisher._publisher._pending) <= publisher.MAX_PENDING
    assert publisher.flush(30)
