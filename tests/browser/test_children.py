"""Works that have children: bred, steered while one looks, bridged, enlarged, and walked through."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, MakeContext
from tests.live.stack import Stack

pytestmark = pytest.mark.browser

Paint = Callable[..., None]
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
JOB = re.compile(r"/jobs/[0-9a-f-]{36}/$")
expect.set_options(timeout=WAIT_MS)


def be_done(page: Page) -> None:
    expect(page.locator("#job[data-final]")).to_have_count(1)
    expect(page.locator("#job")).to_have_attribute("data-state", "succeeded")


def job_of(page: Page) -> str:
    return page.url.rstrip("/").rpartition("/")[2]


def fits(page: Page) -> bool:
    """Whether nothing sticks out. A phone's ``innerWidth`` grows with the page: its screen does not."""
    size = page.viewport_size
    assert size is not None
    return bool(page.evaluate("width => document.documentElement.scrollWidth <= width", size["width"]))


def choose(page: Page, count: int) -> None:
    """Open the mixer and take ``count`` of one's own works."""
    page.goto("/studio/blend/")
    for number in range(count):
        page.locator("[data-add]").nth(number).click()
    expect(page.locator(".parent:not(.vacant)")).to_have_count(count)


def breed(page: Page, count: int = 2) -> None:
    choose(page, count)
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)
    be_done(page)


def test_a_prompt_shows_which_words_were_understood(visitor: MakeContext, paint: Paint) -> None:
    page = visitor("reader").new_page()
    paint(page, "dusk over the xyzzy steps=12 pause=0.2")
    # While the work goes on, and not only afterwards.
    expect(page.locator("h1 .understood")).to_have_text("dusk")
    expect(page.locator("#job")).to_have_attribute("data-state", "running")
    expect(page.locator("h1 .understood")).to_have_attribute("title", "understood: sunset")
    unknown = page.locator("h1 .unknown")
    expect(unknown).to_have_text("xyzzy")
    # Asked again when the heading is replaced in between: a node that was taken out has no style.
    expect(unknown).to_have_css("text-decoration-style", "dotted")
    expect(page.locator("h1")).to_contain_text("nearest: sunset")
    be_done(page)
    page.locator("#job-results .card a").first.click()
    page.wait_for_url("**/works/**")
    expect(page.locator(".prompt-text .unknown")).to_have_text("xyzzy")


def test_children_are_mixed_again_beside_the_mixer(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(3):
        studio.picture("breeder")
    page = visitor("breeder").new_page()
    breed(page)
    expect(page.locator("#job-results .card")).to_have_count(4)
    first = job_of(page)
    before = page.locator("#job-results img").first.get_attribute("src")
    page.evaluate("window.stayed = true")

    page.locator("#id_weight_1").fill("90")
    expect(page.locator("output[for=id_weight_1]")).to_have_text("90 %")
    page.get_by_role("button", name="Mix again").click()
    expect(page.locator("#job-results .card img").first).not_to_have_attribute("src", str(before))
    be_done(page)
    second = job_of(page)
    assert second != first
    assert page.evaluate("window.stayed") is True
    parameters = studio.job(second)["parameters"]
    assert (parameters["weight_1"], parameters["weight_2"]) == (0.9, 0.5)
    # The seed stayed, so that only what was moved has changed.
    assert studio.job(second)["seed"] == studio.job(first)["seed"]

    # Live: to let a slider go is enough; by keyboard too.
    page.locator("[data-live]").check()
    page.locator("#id_weight_2").press("End")
    expect(page).not_to_have_url(re.compile(second))
    be_done(page)
    third = job_of(page)
    assert studio.job(third)["parameters"]["weight_2"] == 1.0

    # A child becomes a parent with one press.
    page.locator("[data-live]").uncheck()
    page.locator("[data-breed]").first.click()
    expect(page.locator(".parent:not(.vacant)")).to_have_count(3)
    page.get_by_role("button", name="Mix again").click()
    expect(page).not_to_have_url(re.compile(third))
    be_done(page)
    assert len(studio.job(job_of(page))["artworks"]) == 4
    page.reload()
    expect(page.locator(".parent:not(.vacant)")).to_have_count(3)


def test_what_the_mixer_is_refused_is_told_where_it_was_asked(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(2):
        studio.picture("refused")
    page = visitor("refused").new_page()
    breed(page)
    address = page.url
    page.locator("#id_weight_1").fill("0")
    page.locator("#id_weight_2").fill("0")
    page.get_by_role("button", name="Mix again").click()
    expect(page.locator(".mixer-side .error-text").first).to_be_visible()
    assert page.url == address
    expect(page.locator("#job-results .card")).to_have_count(4)
    # And the mixer still works.
    page.locator("#id_weight_1").fill("40")
    expect(page.locator("output[for=id_weight_1]")).to_have_text("40 %")
    page.get_by_role("button", name="Mix again").click()
    expect(page).not_to_have_url(address)
    be_done(page)


def test_only_what_matters_for_the_mode_is_there(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(2):
        studio.picture("moody")
    page = visitor("moody").new_page()
    choose(page, 2)
    expect(page.locator(".depths")).to_be_visible()
    expect(page.locator("[name=frames]")).to_be_hidden()
    page.locator("[name=mode][value=mutate]").check(force=True)
    expect(page.locator(".parent:visible")).to_have_count(1)
    expect(page.locator("[name=mutation]")).to_have_value("40")
    expect(page.locator(".depths")).to_be_hidden()
    page.locator("[name=size][value='1024']").check()
    page.locator("[name=mode][value=bridge]").check(force=True)
    expect(page.locator("[name=frames]")).to_be_visible()
    expect(page.locator("[name=mutation]")).to_be_hidden()
    expect(page.locator(".weight:visible")).to_have_count(0)
    expect(page.locator("[name=size][value='1024']")).to_be_hidden()
    expect(page.locator("[name=size][value='512']")).to_be_checked()
    # Whoever leaves takes along what was to come from them.
    page.locator("[name=mode][value=mix]").check(force=True)
    expect(page.locator("[name=size][value='1024']")).to_be_checked()
    page.locator("[name=layout_from][value='2']").check(force=True)
    page.get_by_role("button", name="Remove parent 1").click()
    expect(page.locator("[name=layout_from][value='1']")).to_be_checked()
    page.get_by_role("button", name="Remove parent 1").click()
    expect(page.locator("[name=layout_from][value=mix]")).to_be_checked()


def test_a_bridge_plays(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(2):
        studio.picture("walker")
    page = visitor("walker").new_page()
    choose(page, 2)
    page.locator("[name=mode][value=bridge]").check(force=True)
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)
    be_done(page)
    moving = (
        "() => [...document.querySelectorAll('video')].some((one) => !one.paused && one.currentTime > 0.1)"
    )
    page.wait_for_function(moving)
    page.get_by_role("link", name="Open the work").click()
    page.wait_for_url("**/works/**")
    page.wait_for_function(moving)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download MP4").click()
    assert download.value.suggested_filename.endswith(".mp4")
    page.goto("/works/")
    expect(page.locator(".loop-badge")).to_have_count(1)


def test_who_wants_stillness_gets_a_film_that_stands(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(2):
        studio.picture("still")
    page = visitor("still", reduced_motion="reduce").new_page()
    choose(page, 2)
    page.locator("[name=mode][value=bridge]").check(force=True)
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)
    be_done(page)
    page.wait_for_function("() => document.querySelector('video').readyState >= 1")
    assert page.evaluate("document.querySelector('video').paused") is True


def test_a_family_is_walked_up_and_down(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(2):
        studio.picture("heir")
    page = visitor("heir").new_page()
    breed(page)
    page.locator("#job-results .card a").first.click()
    page.wait_for_url("**/works/**")
    child = page.url
    parent = page.locator("a.family-work[aria-label^=Ancestor]").first
    expect(parent).to_be_visible()
    assert "50%" in str(parent.get_attribute("aria-label"))
    # By keyboard, as links are.
    address = parent.get_attribute("href")
    parent.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{address}")
    expect(page.locator("a.family-work[aria-label^=Descendant]")).to_have_count(4)
    page.locator(f'a.family-work[href="{urlsplit(child).path}"]').click()
    page.wait_for_url(child)
    page.get_by_role("link", name="Open the whole tree").click()
    expect(page.locator("[data-here]")).to_have_count(1)


def test_before_and_after_by_keyboard(visitor: MakeContext, studio: Stack) -> None:
    work = studio.picture("large")
    page = visitor("large").new_page()
    page.goto(f"/studio/upscale/?image={work}")
    page.get_by_role("button", name="Enlarge it").click()
    page.wait_for_url(JOB)
    be_done(page)
    expect(page.locator("#job-results [data-compare]")).to_be_visible()
    page.get_by_role("link", name="Open the work").click()
    page.wait_for_url("**/works/**")
    slider = page.get_by_role("slider", name="How much of the picture before")
    slider.focus()
    page.keyboard.press("Home")
    cut = "document.querySelector('.compare-stage').style.getPropertyValue('--cut')"
    assert page.evaluate(cut) == "0%"
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert page.evaluate(cut) == "3%"
    page.get_by_role("button", name="Actual size").click()
    expect(page.locator(".compare.actual")).to_have_count(1)


def test_before_and_after_stand_in_full_without_scripts(visitor: MakeContext, studio: Stack) -> None:
    work = studio.picture("plainlarge")
    page = visitor("plainlarge", java_script_enabled=False).new_page()
    page.goto(f"/studio/upscale/?image={work}")
    page.get_by_role("button", name="Enlarge it").click()
    page.wait_for_url(JOB)
    sides = page.locator(".compare-side img")
    expect(sides).to_have_count(2)
    boxes = [side.bounding_box() for side in sides.all()]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]


def test_parents_come_and_go_without_scripts(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(2):
        studio.picture("plainmix")
    page = visitor("plainmix", java_script_enabled=False).new_page()
    page.goto("/studio/blend/")
    for number in (0, 1):
        page.locator("[name=add]").nth(number).click()
        expect(page.locator(".parent:not(.vacant)")).to_have_count(number + 1)
    page.get_by_role("button", name="Blend them").last.click()
    page.wait_for_url(JOB)
    expect(page.locator("#job-results .card img")).to_have_count(4)
    first = page.url
    page.locator("#id_weight_1").fill("10")
    page.get_by_role("button", name="Mix again").last.click()
    page.wait_for_url(lambda address: bool(JOB.search(address)) and address != first)
    expect(page.locator("#id_weight_1")).to_have_value("10")


def test_new_rooms_fit_a_phone(visitor: MakeContext, studio: Stack) -> None:
    for _ in range(2):
        studio.picture("pocket")
    page = visitor("pocket", **PHONE).new_page()
    choose(page, 2)
    assert fits(page)
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)
    be_done(page)
    assert fits(page)
    # The mixer begins where one sees it beside the children.
    box = page.get_by_role("heading", name="Mixer").bounding_box()
    assert box is not None
    assert box["y"] < 844
    page.locator("#job-results .card a").first.click()
    page.wait_for_url("**/works/**")
    assert fits(page)
    page.get_by_role("link", name="Open the whole tree").click()
    page.wait_for_url("**/family/")
    assert fits(page)
