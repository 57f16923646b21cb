"""Request bodies are cut off before Django reads them: a real server, and raw connections to it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from artsite import limits
from artsite.limits import BodyLimit
from tests.live.stack import Stack

MIB = 2**20


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> Iterator[Stack]:
    """A web server whose largest upload is 1 MiB."""
    folder = tmp_path_factory.mktemp("limits")
    with Stack(folder, template=migrated, env={"ARTSITE_MAX_UPLOAD_MB": "1"}) as stack:
        stack.manage("collectstatic", "--noinput", "--verbosity", "0")
        stack.start_broker()
        stack.start_web()
        yield stack


class Connection:
    """One raw HTTP connection."""

    def __init__(self, stack: Stack) -> None:
        address = urlsplit(stack.url)
        assert address.hostname is not None
        assert address.port is not None
        self.host = f"{address.hostname}:{address.port}"
        self.socket = socket.create_connection((address.hostname, address.port), timeout=15)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def head(self, method: str, path: str, **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())

    def answer(self) -> tuple[int, str, str]:
        """(status, headers, body) of the response; the connection is read to its declared end."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.socket.recv(65536)
            assert more, f"the connection ended in the middle of {data!r}"
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        status, headers = int(head.split()[1]), head.decode().lower()
        length = next(
            int(line.split(":")[1]) for line in headers.split("\r\n") if line.startswith("content-length")
        )
        while len(body) < length:
            body += self.socket.recv(65536)
        return status, headers, body.decode()


def memory(stack: Stack) -> int:
    return int(psutil.Process(stack.children["web"].pid).memory_info().rss)


def spooled(stack: Stack) -> int:
    """Bytes that the web server holds in files without a name."""
    folder = Path(f"/proc/{stack.children['web'].pid}/fd")
    total = 0
    for entry in folder.iterdir():
        try:
            if "(deleted)" in os.readlink(entry):
                total += entry.stat().st_size
        except FileNotFoundError:
            continue
    return total


@pytest.mark.parametrize("path", ["/no/such/page", "/accounts/login/", "/studio/restyle/"])
@pytest.mark.parametrize("media_type", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_says_it_is_too_large_is_refused_at_once(web: Stack, path: str, media_type: str) -> None:
    with Connection(web) as connection:
        connection.head("POST", path, Content_Type=media_type, Content_Length=str(300 * MIB))
        began = time.monotonic()
        status, headers, body = connection.answer()
        assert status == 413
        assert "too large" in body
        assert "connection: close" in headers
        assert "nosniff" in headers
        assert time.monotonic() - began < 1


def test_programs_get_json(web: Stack) -> None:
    with Connection(web) as connection:
        connection.head("PUT", "/x", Accept="application/json", Content_Length=str(2 * MIB))
        _, headers, body = connection.answer()
    assert "content-type: application/json" in headers
    assert json.loads(body)["error"]["code"] == "too_large"


def test_three_hundred_megabytes_are_neither_kept_nor_spooled(web: Stack) -> None:
    """A client that sends everything before it reads gets its answer, and the server holds nothing."""
    before, most = memory(web), 0
    with Connection(web) as connection:
        connection.head("POST", "/no/such/page", Content_Length=str(300 * MIB))
        block = b"x" * MIB
        for _ in range(300):
            connection.socket.sendall(block)
            most = max(most, spooled(web))
        assert connection.answer()[0] == 413
    assert most == 0
    assert memory(web) - before < 20 * MIB


def send_chunked(connection: Connection, total: int) -> int:
    """Send a body without a declared length until the server has had enough; bytes that were sent."""
    sent, block = 0, b"x" * 65536
    try:
        while sent < total:
            connection.socket.sendall(b"%x\r\n%s\r\n" % (len(block), block))
            sent += len(block)
        connection.socket.sendall(b"0\r\n\r\n")
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent


@pytest.mark.parametrize(
    ("path", "media_type"),
    [("/accounts/login/", "text/plain"), ("/studio/restyle/", "multipart/form-data; boundary=x")],
)
def test_a_body_of_unknown_length_is_counted(web: Stack, path: str, media_type: str) -> None:
    with Connection(web) as connection:
        connection.head("POST", path, Content_Type=media_type, Transfer_Encoding="chunked")
        send_chunked(connection, 8 * MIB)
        status, _, body = connection.answer()
    assert status == 413
    assert "too large" in body


def test_what_is_within_the_limit_reaches_the_page(web: Stack) -> None:
    for path, media_type, size in (
        ("/accounts/login/", "application/x-www-form-urlencoded", MIB - 10),
        ("/studio/restyle/", "multipart/form-data; boundary=x", 2 * MIB),
    ):
        with Connection(web) as connection:
            connection.head("POST", path, Content_Type=media_type, Content_Length=str(size))
            connection.socket.sendall(b"a" * size)
            # Refused by the page (no CSRF token), not by the limit.
            assert connection.answer()[0] == 403


def test_an_upload_that_is_broken_off_leaves_nothing(web: Stack) -> None:
    for _ in range(20):
        with Connection(web) as connection:
            connection.head(
                "POST",
                "/studio/restyle/",
                Content_Type="multipart/form-data; boundary=x",
                Content_Length=str(2 * MIB),
            )
            connection.socket.sendall(b"a" * MIB)
    web.wait_for(lambda: spooled(web) == 0, 10)
    with Connection(web) as connection:
        connection.head("GET", "/healthz")
        assert connection.answer()[0] in (200, 503)


@pytest.mark.parametrize("length", ["-1", "1e9", "99999999999999999999999999", "0x10"])
def test_a_length_that_is_no_length_is_refused(web: Stack, length: str) -> None:
    with Connection(web) as connection:
        connection.head("POST", "/accounts/login/", Content_Length=length)
        assert connection.answer()[0] in (400, 413)


async def test_a_body_that_stalls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STALL_SECONDS", 0.05)
    monkeypatch.setattr(limits, "DRAIN_SECONDS", 0.05)
    heard: list[dict[str, Any]] = []
    sent: list[MutableMapping[str, Any]] = []
    parts = iter([{"type": "http.request", "body": b"half", "more_body": True}])

    async def receive() -> dict[str, Any]:
        for part in parts:
            return part
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        heard.extend([await receive(), await receive()])

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    await asyncio.wait_for(BodyLimit(application)(scope, receive, send), 5)
    assert [message["type"] for message in heard] == ["http.request", "http.disconnect"]
    assert sent[0]["status"] == 408


@pytest.mark.parametrize("path", ["/", "/studio/restyle/"])
async def test_a_body_that_trickles_is_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(limits, "PLAIN_SECONDS", 0.1)
    monkeypatch.setattr(limits, "UPLOAD_SECONDS", 0.1)
    monkeypatch.setattr(limits, "DRAIN_SECONDS", 0.05)
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def application(_scope: Any, receive: Any, _send: Any) -> None:
        while (await receive())["type"] == "http.request":
            pass

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(b"content-type", b"multipart/form-data"), (b"transfer-encoding", b"chunked")],
    }
    await asyncio.wait_for(BodyLimit(application)(scope, receive, send), 5)
    assert sent[0]["status"] == 408


def large_upload(web: Stack) -> Connection:
    connection = Connection(web)
    connection.head(
        "POST",
        "/studio/restyle/",
        Content_Type="multipart/form-data; boundary=x",
        Content_Length=str(2 * MIB),
    )
    connection.socket.sendall(b"a" * MIB)
    return connection


def test_one_address_may_send_a_few_large_bodies_at_once(web: Stack) -> None:
    held = [large_upload(web) for _ in range(limits.UPLOADS_EACH)]
    try:
        with large_upload(web) as refused:
            status, _, body = refused.answer()
            assert status == 429
            assert "Too many uploads" in body
        # Pages and small forms are not counted.
        with Connection(web) as page:
            page.head("GET", "/accounts/login/")
            assert page.answer()[0] == 200
    finally:
        for one in held:
            one.socket.close()

    def free() -> bool:
        with large_upload(web) as again:
            again.socket.sendall(b"a" * MIB)
            return again.answer()[0] == 403

    web.wait_for(free, 10)


def test_a_probe_is_answered_while_every_thread_is_busy(web: Stack) -> None:
    pages = [Connection(web) for _ in range(60)]
    try:
        for page in pages:
            page.head("GET", "/accounts/login/")
        began = time.monotonic()
        with Connection(web) as probe:
            probe.head("GET", "/healthz")
            assert probe.answer()[0] == 200
        assert time.monotonic() - began < 2
    finally:
        for page in pages:
            page.socket.close()
