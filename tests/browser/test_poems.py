"""A poem is written, opened character by character, and led on: by mouse, by keyboard, without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ARTEFACTS, MakeContext
from tests.browser.test_children import JOB, PHONE, be_done, fits

pytestmark = pytest.mark.browser


def write(page: Page) -> None:
    """Ask for a poem, as far as its making."""
    page.goto("/studio/verse/")
    page.locator("[data-prompt]").fill("春")
    page.get_by_role("button", name="Write it").click()
    page.wait_for_url(JOB)
    be_done(page)
    expect(page.locator("[data-craft]")).to_be_visible()


def test_a_character_is_opened_and_another_is_taken(visitor: MakeContext) -> None:
    page = visitor("poet").new_page()
    write(page)
    places = page.locator(".place > summary")
    expect(places).to_have_count(20)
    places.nth(2).click()
    expect(page.get_by_text("不: the tone breaks the pattern.")).to_be_visible()
    # One at a time; the arrows go on, Escape closes and leaves the keyboard where it was.
    page.keyboard.press("ArrowRight")
    expect(places.nth(3)).to_be_focused()
    expect(page.locator(".place[open]")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="山 41%")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".place[open]")).to_have_count(0)
    expect(places.nth(3)).to_be_focused()
    expect(page.get_by_text("chūn")).to_be_hidden()
    page.get_by_label("Pinyin").check()
    expect(page.get_by_text("chūn")).to_be_visible()
    page.keyboard.press("Tab")
    places.nth(3).click()
    page.screenshot(path=ARTEFACTS / "poem-making.png", full_page=True)
    first = page.url
    page.get_by_role("button", name="山 41%").click()
    page.wait_for_url(lambda url: url != first)
    expect(page.get_by_text("春眠不山")).to_be_visible()
    be_done(page)


def test_lines_are_kept_without_scripts_and_on_a_phone(visitor: MakeContext) -> None:
    page = visitor("keeper", **PHONE).new_page()
    write(page)
    assert fits(page)
    page.locator(".place > summary").nth(19).click()
    assert fits(page)
    page.get_by_role("link", name="春晓").first.click()
    page.wait_for_url("**/works/**")
    assert fits(page)
    plain = visitor("keeper", java_script_enabled=False, **PHONE).new_page()
    plain.goto(page.url)
    plain.locator(".place > summary").nth(4).click()
    expect(plain.get_by_role("button", name="风 20%").first).to_be_visible()
    plain.locator(".place > summary").nth(4).click()
    plain.get_by_label("Keep line 2").check()
    plain.get_by_role("button", name="Keep the ticked lines").click()
    plain.wait_for_url(JOB)
    expect(plain.get_by_text("□□□□□/处处闻啼鸟")).to_be_visible()
