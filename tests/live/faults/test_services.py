"""The broker, the database and the web server fail: pages go on, and nothing that was accepted is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import psutil
import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from tests import toy_engines
from tests.live.faults.invariants import Witness, assert_hold
from tests.live.faults.supervision import ENVIRONMENT, LEASE_SECONDS, NOTIFY_AGAIN_SECONDS, REPEATS, THOROUGH
from tests.live.stack import READY_SECONDS, ROOT, Stack
from tests.live.visitor import Visitor, hear, job_of, live_socket

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 + 60 * REPEATS)]
SETTLED_SECONDS = NOTIFY_AGAIN_SECONDS + LEASE_SECONDS + 25


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, migrated: Path, collected: Path) -> Iterator[Stack]:
    """A whole studio, shared by the tests of this module."""
    env = {**ENVIRONMENT, "ARTSITE_STATIC": str(collected)}
    with Stack(tmp_path_factory.mktemp("services"), env=env, template=migrated) as one:
        one.start_all()
        yield one


@pytest.fixture
def ana(stack: Stack) -> Iterator[Visitor]:
    with Visitor(stack.url, stack.cookie("ana")) as visitor:
        yield visitor


@pytest.fixture(autouse=True)
def holds(stack: Stack) -> Iterator[list[str]]:
    """The ids that were accepted; afterwards all of them are done and every invariant holds."""
    accepted: list[str] = []
    with Witness(stack) as witness:
        yield accepted
        stack.wait_final(*accepted, timeout=SETTLED_SECONDS)
    everything.extend(accepted)
    assert_hold(stack, everything, witness)


everything: list[str] = []


def broker_client(stack: Stack) -> Redis:
    return Redis(unix_socket_path=str(stack.socket), socket_timeout=5)


@pytest.mark.parametrize("wiped", [False, True], ids=["f6 data kept", "f7 data wiped"])
@pytest.mark.parametrize("pause", [0.1, 3.0, *([30.0] if THOROUGH else [])])
def test_jobs_outlive_a_killed_broker(stack: Stack, holds: list[str], wiped: bool, pause: float) -> None:
    workers = stack.worker().pid, stack.children["scheduler"].pid
    for _ in range(REPEATS):
        holds += [stack.submit(prompt="steps=20 pause=0.05", count=1) for _ in range(3)]
        stack.wait_state(holds[-3], "running")
        stack.kill("broker")
        if wiped:
            stack.wipe_broker()
        holds += [stack.submit(prompt="while it is down", count=1) for _ in range(3)]
        time.sleep(pause)
        stack.start_broker()
        holds += [stack.submit("verse", prompt="after") for _ in range(2)]
        rows = stack.wait_final(*holds, timeout=SETTLED_SECONDS)
        assert {row["state"] for row in rows} == {"succeeded"}
    assert stack.worker().alive
    assert stack.children["scheduler"].alive
    assert workers == (stack.worker().pid, stack.children["scheduler"].pid)
    # It is heard again at once, not by the sweep alone.
    soon = stack.submit(prompt="steps=1")
    holds.append(soon)
    stack.wait_state(soon, "succeeded", timeout=NOTIFY_AGAIN_SECONDS / 2)


PAGES = ("/", "/studio/paint/", "/jobs/", "/works/", "/healthz")


def test_f8_pages_load_while_the_broker_hangs(stack: Stack, ana: Visitor, holds: list[str]) -> None:
    holds.append(ana.submit(prompt="before"))
    broker = stack.children["broker"]
    times: list[float] = []
    broker.freeze()
    try:
        ends = time.monotonic() + (20 if THOROUGH else 6)
        while time.monotonic() < ends:
            for page in (*PAGES, f"/jobs/{holds[0]}/", f"/jobs/{holds[0]}.json"):
                began = time.monotonic()
                answer = ana.get(page)
                times.append(time.monotonic() - began)
                assert answer.status_code == 200, page
        began = time.monotonic()
        holds.append(ana.submit(prompt="while it hangs"))
        times.append(time.monotonic() - began)
    finally:
        broker.thaw()
    late = sorted(times)
    assert late[int(0.99 * (len(late) - 1))] < 1.0, late[-5:]


def test_f9_a_full_broker_refuses_nobody(stack: Stack, ana: Visitor, holds: list[str]) -> None:
    worker = stack.worker().pid
    with closing(broker_client(stack)) as client:
        client.config_set("maxmemory", "1mb")
        with pytest.raises(OutOfMemoryError):
            client.set("more", "x" * 1000)
        holds += [ana.submit(prompt=f"steps=3 {n}") for n in range(3)]
        assert ana.get(f"/jobs/{holds[0]}/").status_code == 200
        time.sleep(3)
        client.config_set("maxmemory", "0")
    stack.wait_final(*holds, timeout=SETTLED_SECONDS)
    assert stack.worker().pid == worker
    assert stack.worker().alive


def test_f10_a_web_server_killed_after_the_commit_has_accepted_the_job(
    stack: Stack, holds: list[str]
) -> None:
    port = int(stack.url.rpartition(":")[2])
    for _ in range(REPEATS):
        stack.kill("web")
        stack.start_web(port=port, env={"ARTSITE_FAILPOINTS": "submitted:kill"})
        with Visitor(stack.url, stack.cookie("ana")) as visitor:
            fields = {**visitor.form(), "prompt": "steps=2"}
            with pytest.raises(httpx.TransportError):
                visitor.send("paint", fields)
            assert stack.children["web"].wait(10) == -signal.SIGKILL
            stack.start_web(port=port)
            # The person sends the same page again.
            holds.append(job_of(visitor.send("paint", fields)))
        stack.wait_state(holds[-1], "succeeded", timeout=SETTLED_SECONDS)


def test_f11_a_double_click_makes_one_job(stack: Stack, ana: Visitor, holds: list[str]) -> None:
    gate = threading.Barrier(8)

    def click(fields: dict[str, str], cookie: dict[str, str]) -> str:
        with Visitor(stack.url, cookie) as visitor:
            gate.wait(10)
            return job_of(visitor.send("paint", fields))

    for _ in range(100 if THOROUGH else 5):
        fields = {**ana.form(), "prompt": "steps=1"}
        cookie = dict(ana.client.cookies)
        with ThreadPoolExecutor(8) as hands:
            jobs = {hand.result() for hand in [hands.submit(click, fields, cookie) for _ in range(8)]}
        assert len(jobs) == 1
        holds += jobs


def test_f13_pages_wait_for_a_locked_database(stack: Stack, ana: Visitor, holds: list[str]) -> None:
    before = ana.submit(prompt="steps=40 pause=0.1")
    stack.wait_state(before, "running")
    answers: list[httpx.Response] = []

    def visit() -> None:
        with Visitor(stack.url, stack.cookie("ana"), timeout=60) as visitor:
            answers.extend(visitor.get(page) for page in PAGES)
            answers.append(visitor.send("paint", {**visitor.form(), "prompt": "steps=2"}))

    cookie = stack.cookie("ana")
    stack.cookie = lambda *_, **__: cookie  # type: ignore[method-assign]  # making one would wait for the lock
    try:
        with closing(sqlite3.connect(stack.data / "artsite.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            try:
                with ThreadPoolExecutor(4) as people:
                    visits = [people.submit(visit) for _ in range(4)]
                    time.sleep(10 if THOROUGH else 5)
                    other.execute("COMMIT")
                    for one in visits:
                        one.result()
            finally:
                if other.in_transaction:
                    other.execute("ROLLBACK")
    finally:
        del stack.cookie
    assert {answer.status_code for answer in answers} <= {200, 302}
    holds += [before, *(job_of(answer) for answer in answers if answer.status_code == 302)]
    assert len(holds) == 5


def test_f16_a_damaged_result_is_never_served(stack: Stack, ana: Visitor, holds: list[str]) -> None:
    holds.append(ana.submit(prompt="steps=1", count="1"))
    (work,) = stack.wait_state(holds[0], "succeeded")["artworks"]
    path = f"/media/artworks/{work}/picture"
    assert ana.get(path).status_code == 200
    file = stack.data / "media" / stack.ask("Artwork.objects.get(pk=work).file.name", work=work)
    good = file.read_bytes()
    file.write_bytes(bytes([*good[:50], good[50] ^ 1, *good[51:]]))
    assert ana.get(path).status_code >= 400
    file.write_bytes(good)
    assert ana.get(path).status_code == 200


def test_f16_damaged_weights_fail_their_jobs_readably_and_no_others(
    stack: Stack, holds: list[str], tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "workers" / "weights" / "verse", tmp_path / "verse")
    model = tmp_path / "verse" / "model.safetensors"
    good = model.read_bytes()
    model.write_bytes(bytes([*good[:100_000], good[100_000] ^ 1]) + good[100_001:])
    stack.kill("worker")
    toys = {"ARTSITE_ENGINES": toy_engines.ALL.rpartition(",")[0]}
    stack.start_worker(env={**toys, "ARTSITE_MODELS_DIR": str(tmp_path)})
    bad, other = stack.submit("verse"), stack.submit("paint", prompt="steps=1")
    holds += [bad, other]
    row = stack.wait_state(bad, "failed")
    assert row["error_code"] == "engine_unavailable"
    assert str(model) in row["error_operator"]
    assert "sha256" in row["error_operator"]
    assert str(tmp_path) not in row["error_visitor"]
    stack.wait_state(other, "succeeded")
    # The weights are repaired: no restart is needed.
    model.write_bytes(good)
    holds.append(stack.submit("verse", form="5jueju"))
    stack.wait_state(holds[-1], "succeeded")
    stack.kill("worker")
    stack.start_worker()


@pytest.mark.parametrize("phase", ["queued", "running"])
def test_f21_cancel_on_the_page_holds(stack: Stack, ana: Visitor, holds: list[str], phase: str) -> None:
    first = ana.submit(prompt="steps=400 pause=0.1")
    stack.wait_state(first, "running")
    job = first if phase == "running" else ana.submit("verse", prompt="waits")
    holds += {first, job}
    assert ana.get(f"/jobs/{job}.json").json()["state"] == phase
    began = time.monotonic()
    assert ana.cancel(job).status_code == 302
    row = stack.wait_state(job, "canceled", timeout=5)
    # A step takes 0.1 s here.
    assert time.monotonic() - began < 2.5
    assert row["artworks"] == []
    assert ana.get(f"/jobs/{job}/").status_code == 200
    if job != first:
        ana.cancel(first)


def test_f19_every_page_ends_in_the_final_state_although_the_server_is_killed(
    stack: Stack, holds: list[str]
) -> None:
    """50 sockets of five people. A page opens its socket again until it works."""
    people = [f"p{number}" for number in range(5)]
    cookies = {name: stack.cookie(name) for name in people}
    jobs = {name: stack.submit(owner=name, prompt="steps=60 pause=0.1", count=1) for name in people}
    holds += jobs.values()
    stack.wait_state(jobs["p0"], "running")
    url, port = stack.url, int(stack.url.rpartition(":")[2])
    opened = asyncio.Event()
    drops: list[Exception] = []
    watching = 0

    async def page(name: str) -> str:
        nonlocal watching
        cookie = "; ".join(f"{key}={value}" for key, value in cookies[name].items())
        first = True
        while True:
            try:
                async with live_socket(url, cookie, jobs[name], open_timeout=20) as socket:
                    state = await hear(socket, "job.state")
                    watching += first
                    first = False
                    if watching == 50:
                        opened.set()
                    while not state["data"]["final"]:
                        state = await hear(socket, "job.state")
                    return str(state["data"]["state"])
            except (OSError, ConnectionError, TimeoutError) as problem:
                drops.append(problem)
            except Exception as problem:  # the handshake of a server that is not there yet
                if "websockets" not in type(problem).__module__:
                    raise
                drops.append(problem)
            await asyncio.sleep(0.3)

    async def everybody() -> list[str]:
        pages = [asyncio.create_task(page(name)) for name in people for _ in range(10)]
        await asyncio.wait_for(opened.wait(), READY_SECONDS)
        await asyncio.to_thread(stack.kill, "web")
        await asyncio.to_thread(stack.start_web, port=port)
        return await asyncio.wait_for(asyncio.gather(*pages), READY_SECONDS)

    assert asyncio.run(everybody()) == ["succeeded"] * 50
    assert len(drops) >= 50


def test_f20_a_reader_that_never_reads_slows_nobody(stack: Stack, holds: list[str]) -> None:
    """One socket is left unread while twenty others follow the same job."""
    job = stack.submit(prompt="steps=300 pause=0.1", count=1)
    holds.append(job)
    stack.wait_state(job, "running")
    names = ["ana", "otto", "olga"]
    cookies = [
        "; ".join(f"{key}={value}" for key, value in cookie.items())
        for cookie in (stack.cookie(name, [] if name == "ana" else ["operate_workers"]) for name in names)
    ]
    web = psutil.Process(stack.children["web"].pid)
    memory = web.memory_info().rss
    delays: list[float] = []
    done = threading.Event()

    def publish_previews() -> None:
        console = stack.start_console()
        console.call(
            "evaluate",
            expression="import_module('tests.live.console_actions').publish_previews(job, rounds, pause)",
            job=job,
            rounds=150,
            pause=0.05,
        )
        done.set()

    async def follow(cookie: str) -> None:
        async with live_socket(stack.url, cookie, job, compression=None) as socket:
            while not done.is_set():
                try:
                    message = await asyncio.wait_for(hear(socket, "job.preview"), 1)
                except TimeoutError:
                    continue
                delays.append(time.time() - message["ts"])

    async def everybody() -> None:
        # The operating system keeps little for it, and it never asks for more.
        async with live_socket(stack.url, cookies[0], job, compression=None, max_queue=1) as unread:
            unread.transport.pause_reading()
            readers = [asyncio.create_task(follow(cookies[n % 3])) for n in range(20)]
            await asyncio.to_thread(publish_previews)
            await asyncio.gather(*readers)

    asyncio.run(everybody())
    stack.cancel(job)
    assert len(delays) > 1000
    late = sorted(delays)[int(0.99 * len(delays))]
    assert late < 0.2, f"p99 {late:.3f} s of {len(delays)}"
    assert web.memory_info().rss - memory < 30 * 2**20


def test_f26_everything_is_killed_and_started_again(stack: Stack, holds: list[str]) -> None:
    done = stack.submit(prompt="steps=1")
    stack.wait_state(done, "succeeded")
    before = stack.job(done)
    holds += [done, *(stack.submit(prompt="steps=15 pause=0.1", count=1) for _ in range(4))]
    stack.wait_state(holds[1], "running")
    for child in stack.children.values():
        os.killpg(child.pid, signal.SIGKILL)
    stack.kill()
    began = time.monotonic()
    stack.start_all()
    assert time.monotonic() - began < READY_SECONDS
    rows = stack.wait_final(*holds, timeout=SETTLED_SECONDS)
    assert {row["state"] for row in rows} == {"succeeded"}
    assert stack.job(done) == before
