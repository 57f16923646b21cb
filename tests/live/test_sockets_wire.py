"""The live socket over real connections: Redis dies or freezes, frames are too large, readers too slow."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.live.stack import Stack

MESSAGES, PUBLISHER = (
    f"__import__('gallery.live.{name}', fromlist=['x'])" for name in ("messages", "publisher")
)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Stack]:
    """Broker and web server, no worker: what happens to a job is what the test does to it."""
    with Stack(tmp_path_factory.mktemp("wire"), template=migrated) as stack:
        stack.manage("collectstatic", "--noinput", "--verbosity", "0")
        stack.start_broker()
        stack.start_web()
        yield stack


def opened(stack: Stack, name: str = "ana", *, origin: str | None = None, **options: Any) -> Any:
    """A connection to be entered, as somebody's browser makes it."""
    cookie = "; ".join(f"{key}={value}" for key, value in stack.cookie(name).items())
    return connect(
        stack.url.replace("http", "ws") + "/ws/",
        origin=origin or stack.url,  # type: ignore[arg-type]
        additional_headers={"Cookie": cookie},
        max_size=None,
        **options,
    )


async def hear(page: ClientConnection, kind: str, timeout: float = 20) -> dict[str, Any]:
    """The next message of that type."""
    async with asyncio.timeout(timeout):
        while True:
            message: dict[str, Any] = json.loads(await page.recv())
            if message["type"] == kind:
                return message


async def watch(page: ClientConnection, job: str) -> dict[str, Any]:
    await page.send(json.dumps({"type": "subscribe", "job": job}))
    return await hear(page, "job.state")


async def told(stack: Stack, expression: str, **names: Any) -> Any:
    return await asyncio.to_thread(stack.ask, expression, **names)


async def publish_text(stack: Stack, job: str, text: str) -> None:
    await told(
        stack,
        "(lambda m, p: p.publish(m.job_text(Job.objects.get(pk=job), 0, text)) or p.flush(10))"
        f"({MESSAGES}, {PUBLISHER})",
        job=job,
        text=text,
    )


async def at_work(stack: Stack) -> str:
    """A job that is running."""
    job = await asyncio.to_thread(stack.submit, "verse", prompt="秋")
    await told(stack, "Job.objects.filter(pk=job).update(state='running', seq=5)", job=job)
    return job


async def restart_broker(stack: Stack, *, wipe: bool) -> None:
    def restart() -> None:
        stack.kill("broker")
        if wipe:
            stack.wipe_broker()
        stack.start_broker()

    await asyncio.to_thread(restart)


@pytest.mark.parametrize("wipe", [False, True], ids=["data kept", "wiped"])
async def test_a_socket_outlives_redis(studio: Stack, wipe: bool) -> None:
    job = await at_work(studio)
    async with opened(studio) as page:
        await watch(page, job)
        await publish_text(studio, job, "before")
        assert (await hear(page, "job.text"))["data"]["text"] == "before"
        await asyncio.to_thread(studio.kill, "broker")
        # While it is away, what happens to the job still arrives: from the row.
        await told(studio, "Job.objects.filter(pk=job).update(phase='painting', seq=6)", job=job)
        assert (await hear(page, "job.state"))["data"]["phase"] == "painting"
        await restart_broker(studio, wipe=wipe)
        # The layer joins again by itself; until then texts are lost, as hints may be.
        heard = asyncio.create_task(hear(page, "job.text", 30))
        for number in range(60):
            await publish_text(studio, job, f"after {number}")
            done, _ = await asyncio.wait({heard}, timeout=0.5)
            if done:
                break
        assert (await heard)["data"]["text"].startswith("after")


async def test_a_frozen_redis_blocks_nobody_who_publishes(studio: Stack) -> None:
    job = await at_work(studio)
    async with opened(studio) as page:
        await watch(page, job)
        studio.children["broker"].freeze()
        try:
            seconds = await told(
                studio,
                "(lambda m, p, clock: (lambda row, began: ["
                "p.publish(m.job_text(row, 0, 'x' * 1000)) for _ in range(200)] and clock() - began)"
                "(Job.objects.get(pk=job), clock()))"
                f"({MESSAGES}, {PUBLISHER}, __import__('time').perf_counter)",
                job=job,
            )
            assert seconds < 0.5
        finally:
            studio.children["broker"].thaw()
        await publish_text(studio, job, "thawed")
        async with asyncio.timeout(20):
            while (await hear(page, "job.text"))["data"]["text"] != "thawed":
                pass


async def test_without_redis_a_page_is_told_to_poll(studio: Stack) -> None:
    await asyncio.to_thread(studio.kill, "broker")
    try:
        async with opened(studio) as page:
            with pytest.raises(ConnectionClosed) as closed:
                await asyncio.wait_for(page.recv(), 15)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1013
    finally:
        await asyncio.to_thread(studio.start_broker)


async def test_a_ten_megabyte_frame_ends_its_socket_alone(studio: Stack) -> None:
    job = await at_work(studio)
    async with opened(studio) as page, opened(studio) as other:

        async def send_too_much() -> None:
            # The server refuses at the frame's head, so already the sending may be cut off.
            await page.send("x" * 10_000_000)
            await asyncio.wait_for(page.recv(), 15)

        with pytest.raises(ConnectionClosed) as closed:
            await send_too_much()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
        assert (await watch(other, job))["data"]["state"] == "running"


async def test_another_origin_is_refused(studio: Stack) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with opened(studio, origin="http://evil.example"):
            pass
    assert refusal.value.response.status_code == 403


async def test_a_page_that_never_reads_does_not_slow_the_others(studio: Stack) -> None:
    """F20: large previews for a page that stopped reading, and for one that reads."""
    job = await at_work(studio)
    address = urlsplit(studio.url)
    not_reading = socket.socket()
    not_reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    not_reading.setblocking(False)
    await asyncio.get_running_loop().sock_connect(not_reading, (address.hostname, address.port))
    waits: list[float] = []
    async with opened(studio) as page:
        stuck = await opened(studio, sock=not_reading, max_queue=1)
        try:
            await stuck.send(json.dumps({"type": "subscribe", "job": job}))
            await watch(page, job)
            for index in range(60):
                began = time.perf_counter()
                await told(
                    studio,
                    "(lambda m, p: p.publish("
                    "m.job_preview(Job.objects.get(pk=job), i, bytes(150_000), 8, 8)))"
                    f"({MESSAGES}, {PUBLISHER})",
                    job=job,
                    i=index % 4,
                )
                await hear(page, "job.preview")
                waits.append(time.perf_counter() - began)
        finally:
            stuck.transport.abort()
    waits.sort()
    assert waits[int(len(waits) * 0.95)] < 0.5
