"""A poem is written, opened place by place, and led on: by mouse, by keyboard, without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import ARTEFACTS, MakeContext
from tests.browser.test_children import JOB, PHONE, be_done, fits

pytestmark = pytest.mark.browser


def write(page: Page, form: str = "5jueju", prompt: str = "春") -> None:
    """Ask for a poem, as far as its making."""
    page.goto("/studio/verse/")
    page.locator(f"[name=form][value='{form}']").check()
    page.locator("[data-prompt]").fill(prompt)
    page.get_by_role("button", name="Write it").click()
    page.wait_for_url(JOB)
    be_done(page)
    expect(page.locator("[data-annotations]")).to_be_visible()


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


def test_what_does_not_go_with_a_form_is_not_there(visitor: MakeContext) -> None:
    page = visitor("chooser").new_page()
    page.goto("/studio/verse/")
    page.locator("summary", has_text="Advanced").click()
    dynasty, poet = page.locator("[name=dynasty]").first, page.locator("[name=english_poet]")
    draft = page.get_by_label("First line, or a draft")
    expect(page.locator("[name=form][value=quatrain]")).to_be_checked()
    expect(dynasty).to_be_hidden()
    expect(poet).to_be_visible()
    draft_shown = "The moon is bright above the sea / _ upon the silver sand"
    expect(draft).to_have_attribute("placeholder", draft_shown)
    page.locator("[name=form][value='5jueju']").check()
    expect(dynasty).to_be_visible()
    expect(poet).to_be_hidden()
    expect(draft).to_have_attribute("placeholder", "白日依山尽 / □□□□流")
    expect(page.get_by_text("Letters that begin the lines")).to_be_hidden()
    # A wish for the one language does not spoil a poem in the other.
    page.locator("[name=dynasty][value=song]").check()
    page.locator("[name=form][value=haiku]").check()
    page.locator("[name=english_poet]").select_option("Emily Dickinson")
    page.get_by_role("button", name="Write it").click()
    page.wait_for_url(JOB)
    be_done(page)
    expect(page.get_by_text("in the manner of Emily Dickinson")).to_be_visible()
    page.get_by_role("link", name="Change the recipe").click()
    page.wait_for_url("**/studio/verse/**")
    expect(page.locator("[name=form][value=haiku]")).to_be_checked()
    expect(page.locator("[name=english_poet]")).to_have_value("Emily Dickinson")


def test_an_english_poem_arrives_line_by_line_and_is_led_on(visitor: MakeContext) -> None:
    page = visitor("lyricist").new_page()
    page.goto("/studio/verse/")
    page.locator("[name=form][value=sonnet]").check()
    page.locator("[data-prompt]").fill("The Sea steps=28 pause=0.25")
    page.locator("[data-prompt]").press("Enter")
    page.wait_for_url(JOB)
    # The places of all lines are there from the start, with room between the stanzas.
    lines = page.locator("[data-poem] .line")
    expect(lines).to_have_count(14)
    expect(lines.nth(2)).to_have_text("It will not come again to me")
    assert page.locator("#job").get_attribute("data-state") == "running"
    be_done(page)
    expect(page.locator("#job-results .poem .line.opens")).to_have_count(3)
    expect(page.get_by_text("rhyme scheme ABABCDCDEFEFGG")).to_be_visible()

    places = page.locator(".place > summary")
    expect(page.locator(".annotation-line").nth(13).locator(".rhyme")).to_have_text(re.compile("G$"))
    places.nth(1).click()
    expect(page.locator(".place[open]").get_by_text("Lines are written from their last")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(places.nth(2)).to_be_focused()
    expect(page.locator(".place[open]")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="star 31%")).to_be_visible()
    page.screenshot(path=ARTEFACTS / "english-making.png", full_page=True)
    page.keyboard.press("Escape")
    expect(places.nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    first = page.url
    page.get_by_role("button", name="star 31%").click()
    page.wait_for_url(lambda url: url != first)
    be_done(page)
    expect(page.locator("#job-results .poem .line").first).to_have_text("And so star bright above the sea")


def test_english_lines_are_kept_without_scripts_and_on_a_phone(visitor: MakeContext) -> None:
    page = visitor("rhymer", **PHONE).new_page()
    write(page, "ballad", "the old sea")
    assert fits(page)
    page.locator(".place > summary").last.click()
    assert fits(page)
    page.get_by_role("link", name="the old sea").first.click()
    page.wait_for_url("**/works/**")
    assert fits(page)
    plain = visitor("rhymer", java_script_enabled=False, **PHONE).new_page()
    plain.goto(page.url)
    plain.locator(".place > summary").nth(4).click()
    expect(plain.get_by_role("button", name="star 31%").first).to_be_visible()
    plain.locator(".place > summary").nth(4).click()
    plain.get_by_label("Keep line 2").check()
    plain.get_by_label("Keep line 5").check()
    plain.get_by_role("button", name="Keep the ticked lines").click()
    plain.wait_for_url(JOB)
    expect(plain.get_by_text("/And silver on the sleeping town,///And silver")).to_be_visible()
    # All that may be asked for is there, and the server says what does not go together.
    plain.goto("/studio/verse/")
    plain.locator("summary", has_text="Advanced").click()
    plain.locator("[name=dynasty][value=song]").check()
    plain.get_by_role("button", name="Write it").click()
    expect(plain.get_by_text("This does not go with “Quatrain”.")).to_be_visible()
