"""How pages look where people see them: desktop and phone, light and dark, English and Chinese."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ARTEFACTS, MakeContext
from tests.browser.test_children import fits
from tests.live.stack import Stack

pytestmark = pytest.mark.browser

PAGES = {
    "gallery": "/",
    "paint": "/studio/paint/",
    "blend": "/studio/blend/",
    "upscale": "/studio/upscale/",
    "restyle": "/studio/restyle/",
    "analyse": "/studio/analyse/",
    "verse": "/studio/verse/",
    "search": "/search/",
    "works": "/works/",
    "jobs": "/jobs/",
    "moderation": "/moderation/",
    "log": "/moderation/log/",
    "workers": "/workers/",
    "password": "/accounts/password/change/",
}
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LOOKS = {
    "desktop": {**DESKTOP, "locale": "en-GB"},
    "phone": {**PHONE, "locale": "en-GB"},
    "dark": {**DESKTOP, "locale": "en-GB", "color_scheme": "dark"},
    "chinese": {**PHONE, "locale": "zh-CN"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_pages_fit_their_window(visitor: MakeContext, studio: Stack, look: str) -> None:
    page = visitor("looker", ("moderate_artworks", "operate_workers"), **LOOKS[look]).new_page()
    studio.picture("looker")
    works = studio.ask("str(Artwork.objects.filter(owner__username='looker').first().pk)")
    ARTEFACTS.mkdir(parents=True, exist_ok=True)
    for name, path in {**PAGES, "work": f"/works/{works}/"}.items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.ok, path
        page.screenshot(path=ARTEFACTS / f"look-{name}-{look}.png", full_page=True)
        assert fits(page), path
        assert page.locator("h1").count() == 1, path
        unnamed = page.locator("button:not([aria-label]):not([title])").filter(has_not_text=r"/\S/").all()
        assert [
            one.inner_text() for one in unnamed if not one.inner_text().strip() and one.is_visible()
        ] == []


def test_the_language_follows_the_choice(visitor: MakeContext) -> None:
    page = visitor(locale="en-GB").new_page()
    page.goto("/")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("link", name="画室")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="English")).to_be_visible()


def test_a_stranger_is_asked_to_sign_in_and_comes_back(visitor: MakeContext, studio: Stack) -> None:
    studio.cookie("returning")
    page = visitor().new_page()
    page.goto("/works/")
    page.locator("[name=login]").fill("returning")
    page.locator("[name=password]").fill("correct horse")
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/works/")
