"""A whole studio of real processes, and a real Chromium that looks at it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.live.conftest import collected, migrated
from tests.live.stack import ROOT, Stack

__all__ = ["collected", "migrated"]

ARTEFACTS = ROOT / "test-results" / "browser"
WAIT_MS = 45_000
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

MakeContext = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, migrated: Path, collected: Path) -> Iterator[Stack]:
    """Broker, worker (toy engines), scheduler and web."""
    folder = tmp_path_factory.mktemp("studio") / "s"
    with Stack(folder, template=migrated, env={"ARTSITE_STATIC": str(collected)}) as stack:
        stack.start_all()
        yield stack


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for the tests of a module; each test has contexts of its own."""
    # Playwright's own event loop runs in this thread; Django would take its reads for asynchronous ones.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield opened
        opened.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def visitor(browser: Browser, studio: Stack, request: pytest.FixtureRequest) -> Iterator[MakeContext]:
    """``visitor("ana", permissions=[...])``: a browser of somebody who is signed in; no name: a stranger.

    Afterwards every page is photographed into ``test-results/browser`` and must not have logged an error:
    a refused script, a missing file and a broken module are all told there.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def hear(kind: str, text: str) -> None:
        # A form that was refused is an answer like any other, although a browser logs it.
        if kind == "error" and "status of 422" not in text:
            complaints.append(text)

    def make(name: str = "", permissions: tuple[str, ...] = (), **options: Any) -> BrowserContext:
        context = browser.new_context(
            base_url=studio.url, **{"viewport": {"width": 1280, "height": 900}} | options
        )
        context.set_default_timeout(WAIT_MS)
        context.on("console", lambda said: hear(said.type, said.text))
        context.on("weberror", lambda problem: hear("error", str(problem.error)))
        if name:
            cookies = studio.cookie(name, permissions)
            context.add_cookies([{"name": k, "value": v, "url": studio.url} for k, v in cookies.items()])
        contexts.append(context)
        return context

    yield make
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    test = re.sub(r"[^\w-]+", "-", request.node.name)
    for number, page in enumerate(page for context in contexts for page in context.pages):
        page.screenshot(path=ARTEFACTS / f"{test}-{number}.png", full_page=True)
    for context in contexts:
        context.close()
    # A test that takes the server away on purpose says so.
    if request.node.get_closest_marker("outage") is None:
        assert complaints == []


@pytest.fixture
def paint(studio: Stack) -> Callable[..., None]:
    """Write a prompt on the studio page and send it with Ctrl+Enter; the page is the job's afterwards."""

    def submit(page: Page, prompt: str, count: int = 1, publish_as: str = "private") -> None:
        page.goto("/studio/paint/")
        page.locator("[data-prompt]").fill(prompt)
        page.locator("[name=count]").fill(str(count))
        page.locator(f"[name=publish_as][value={publish_as}]").check()
        page.locator("[data-prompt]").press("Control+Enter")
        page.wait_for_url(re.compile(r"/jobs/[0-9a-f-]{36}/$"))

    return submit
