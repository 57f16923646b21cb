"""Somebody with a browser, without the browser: pages and forms over HTTP, and a live socket."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

FIELD = re.compile(r'name="(csrfmiddlewaretoken|key)" value="([^"]*)"')
JOB = re.compile(r"/jobs/([0-9a-f-]{36})/")


class Visitor:
    """A signed-in person at one web server. A context manager."""

    def __init__(self, url: str, cookie: Mapping[str, str], *, timeout: float = 30.0) -> None:
        """``cookie``: of :meth:`tests.live.stack.Stack.cookie`."""
        self.client = httpx.Client(base_url=url, cookies=dict(cookie), timeout=timeout)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    def get(self, path: str) -> httpx.Response:
        """A page, whatever its status."""
        return self.client.get(path)

    def form(self, kind: str = "paint") -> dict[str, str]:
        """The hidden fields of a studio page: ``csrfmiddlewaretoken`` and ``key``."""
        page = self.client.get(f"/studio/{kind}/")
        page.raise_for_status()
        return dict(FIELD.findall(page.text))

    def send(self, kind: str, fields: Mapping[str, str]) -> httpx.Response:
        """Send a studio form once; the answer as it is."""
        return self.client.post(f"/studio/{kind}/", data=dict(fields), headers={"Referer": self.origin})

    def submit(self, kind: str = "paint", **fields: str) -> str:
        """Fill a fresh form in and send it: the id of the job."""
        return job_of(self.send(kind, {**self.form(kind), **fields}))

    def cancel(self, job: str) -> httpx.Response:
        """Press cancel on the job's page."""
        page = self.client.get(f"/jobs/{job}/")
        page.raise_for_status()
        token = dict(FIELD.findall(page.text))["csrfmiddlewaretoken"]
        return self.client.post(
            f"/jobs/{job}/cancel/", data={"csrfmiddlewaretoken": token}, headers={"Referer": self.origin}
        )

    @property
    def origin(self) -> str:
        """The full origin."""
        return str(self.client.base_url).rstrip("/")

    @property
    def cookie(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.client.cookies.items())


def job_of(answer: httpx.Response) -> str:
    """The id of the job whose page the answer leads to."""
    found = JOB.search(answer.headers.get("location", ""))
    assert found is not None, f"{answer.status_code}: {answer.text[:2000]}"
    return found[1]


@asynccontextmanager
async def live_socket(url: str, cookie: str, *jobs: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A page's open socket that has subscribed to ``jobs``. ``options`` are those of ``connect``."""
    address = url.replace("http", "ws", 1) + "/ws/"
    async with connect(address, additional_headers={"Cookie": cookie}, origin=url, **options) as socket:  # type: ignore[arg-type]
        for job in jobs:
            await socket.send(json.dumps({"type": "subscribe", "job": job}))
        yield socket


async def hear(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of that type."""
    async for text in socket:
        message: dict[str, Any] = json.loads(text)
        if message["type"] == kind:
            return message
    raise ConnectionError("the socket was closed")
