"""The pattern page in a browser: every state of every page, wide, on a phone, and dark in Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from gallery.views.patterns.states import page_states
from tests.browser.conftest import ARTEFACTS
from tests.live.stack import Stack

pytestmark = pytest.mark.browser
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}, "locale": "en"},
    "phone": {"viewport": {"width": 390, "height": 844}, "locale": "en", "has_touch": True},
    "dark": {"viewport": {"width": 1280, "height": 900}, "locale": "zh-CN", "color_scheme": "dark"},
}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def debug_web(tmp_path_factory: pytest.TempPathFactory, migrated: Path, collected: Path) -> Iterator[Stack]:
    """A web server with debug pages; the broker keeps its cache."""
    folder = tmp_path_factory.mktemp("patterns") / "s"
    env = {"ARTSITE_STATIC": str(collected), "ARTSITE_DEBUG": "on"}
    with Stack(folder, template=migrated, env=env) as stack:
        stack.start_broker()
        stack.start_web()
        yield stack


@pytest.mark.parametrize("screen", SCREENS)
def test_no_state_of_a_page_overflows_or_logs_an_error(
    debug_web: Stack, browser: Browser, screen: str
) -> None:
    folder = ARTEFACTS / "patterns" / screen
    folder.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(base_url=debug_web.url, **SCREENS[screen])
    said: list[str] = []
    context.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    context.on("weberror", lambda problem: said.append(str(problem.error)))
    page = context.new_page()
    wrong: dict[str, list[str]] = {}
    for name in ["", *(f"{state.name}/" for state in page_states())]:
        response = page.goto(f"/patterns/{name}")
        assert response is not None
        assert response.ok, name
        page.screenshot(
            path=folder / f"{name.strip('/') or 'index'}.jpg", type="jpeg", quality=70, full_page=bool(name)
        )
        if (more := page.evaluate(OVERFLOW)) > 0:
            said.append(f"overflows by {more} px")
        if said:
            wrong[name or "index"] = list(said)
            said.clear()
    context.close()
    assert wrong == {}
