"""What people do, in a real browser against real processes."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, MakeContext
from tests.live.stack import Stack

pytestmark = pytest.mark.browser

Paint = Callable[..., None]
SLOW = "steps=40 pause=0.15"
expect.set_options(timeout=WAIT_MS)


def job_id(page: Page) -> str:
    found = re.search(r"/jobs/([0-9a-f-]{36})/", page.url)
    assert found is not None
    return found[1]


def be_done(page: Page) -> None:
    expect(page.locator("#job[data-final]")).to_have_count(1)


def test_from_sign_up_to_the_gallery(visitor: MakeContext, studio: Stack, paint: Paint) -> None:
    page = visitor().new_page()
    page.goto("/accounts/signup/")
    page.locator("[name=username]").fill("wang")
    for field in ("password1", "password2"):
        page.locator(f"[name={field}]").fill("Zinnober-77x")
    page.locator("[name=password2]").press("Enter")
    page.wait_for_url("**/studio/**")

    paint(page, "steps=50 pause=0.15 evening river", count=2)
    expect(page.locator("[data-preview]").first).to_be_visible()
    expect(page.locator("progress[data-progress]")).to_have_attribute("value", re.compile(r"0\.\d+"))
    be_done(page)
    expect(page.locator("#job-results .card img")).to_have_count(2)

    page.locator("#job-results .card a").first.click()
    page.wait_for_url("**/works/**")
    work = page.url
    stranger = visitor().new_page()
    assert (answer := stranger.request.get(work)).status == 404, answer.status
    page.locator("#edit summary").click()
    page.locator("[name=title]").fill("River in the evening")
    page.locator("[name=visibility][value=public]").check()
    page.locator("#edit button").first.click()
    expect(page.locator(".standing")).to_contain_text("waiting for a moderator")
    stranger.goto("/")
    expect(stranger.get_by_text("River in the evening")).to_have_count(0)

    moderator = visitor("mo", ("moderate_artworks",)).new_page()
    moderator.goto("/moderation/")
    card = moderator.locator("[data-card]", has_text="River in the evening")
    card.get_by_role("button", name="Approve").click()
    # Events and the page both lag behind the click; the row tells when it is decided.
    studio.wait_for(
        lambda: studio.ask(
            "Artwork.objects.filter(title=title, moderation='approved').exists()",
            title="River in the evening",
        )
    )

    stranger.goto("/")
    expect(stranger.get_by_text("River in the evening")).to_be_visible()
    stranger.get_by_text("River in the evening").click()
    picture = stranger.locator("article.artwork .stage img")
    expect(picture).to_be_visible()
    expect(picture).to_have_js_property("complete", True)
    assert picture.evaluate("image => image.naturalWidth") > 0


def test_one_job_on_two_pages_and_after_a_reload(visitor: MakeContext, paint: Paint) -> None:
    context = visitor("ana")
    first = context.new_page()
    paint(first, SLOW)
    expect(first.locator("[data-preview]").first).to_be_visible()
    second = visitor("ana").new_page()
    second.goto(first.url)
    # Who comes late finds the newest preview and the progress at once.
    expect(second.locator("[data-preview]").first).to_be_visible()
    first.reload()
    expect(first.locator("[data-preview]").first).to_be_visible()
    for page in (first, second):
        be_done(page)
        expect(page.locator("#job-results .card img")).to_have_count(1)
        expect(page.locator("#job")).to_have_attribute("data-state", "succeeded")


def test_cancel(visitor: MakeContext, studio: Stack, paint: Paint) -> None:
    page = visitor("ana").new_page()
    paint(page, "steps=400 pause=0.15")
    expect(page.locator("#job")).to_have_attribute("data-state", "running")
    page.locator("[data-cancel]").click()
    be_done(page)
    expect(page.locator("#job")).to_have_attribute("data-state", "canceled")
    assert studio.job(job_id(page))["artworks"] == []


def test_a_failure_is_one_clear_line_and_can_be_tried_again(visitor: MakeContext, paint: Paint) -> None:
    page = visitor("ana").new_page()
    paint(page, "invalid at=1")
    be_done(page)
    expect(page.locator(".notice.error")).to_contain_text("cannot be made")
    assert "Traceback" not in page.content()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url(re.compile(r"/jobs/"))
    be_done(page)


def test_a_poem_appears_character_by_character(visitor: MakeContext) -> None:
    page = visitor("ana").new_page()
    page.goto("/studio/verse/")
    page.locator("[data-prompt]").fill("steps=20 pause=0.1")
    page.get_by_role("button", name="Write it").click()
    page.wait_for_url("**/jobs/**")
    expect(page.locator("[data-poem]")).not_to_have_text("")
    be_done(page)
    expect(page.locator("#job-results .poem .line").first).not_to_have_text("")


def test_restyle_an_upload_in_a_ready_style(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("ana").new_page()
    page.goto("/studio/restyle/")
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "teal").save(buffer, "PNG")
    page.locator("[data-picture] input[type=file]").first.set_input_files(
        {"name": "lake.png", "mimeType": "image/png", "buffer": buffer.getvalue()}
    )
    expect(page.locator("[data-picture] [data-preview]").first).to_be_visible()
    page.locator(".style input").first.check(force=True)
    page.get_by_role("button", name="Repaint it").click()
    page.wait_for_url("**/jobs/**")
    be_done(page)
    expect(page.locator("#job-results .card img")).to_have_count(1)
    assert len(studio.job(job_id(page))["artworks"]) == 1


def test_what_is_no_picture_is_refused_beside_its_field(visitor: MakeContext) -> None:
    page = visitor("ana").new_page()
    page.goto("/studio/restyle/")
    page.locator("[data-picture] input[type=file]").first.set_input_files(
        {"name": "photo.png", "mimeType": "image/png", "buffer": b"<svg onload=alert(1)></svg>"}
    )
    page.locator(".style input").first.check(force=True)
    page.get_by_role("button", name="Repaint it").click()
    expect(page.locator("[data-picture] [id$=_error]").first).to_be_visible()
    expect(page.locator(".style input:checked")).to_have_count(1)


@pytest.mark.outage
def test_a_page_outlives_the_server(visitor: MakeContext, studio: Stack, paint: Paint) -> None:
    page = visitor("ana").new_page()
    paint(page, SLOW)
    expect(page.locator("#job")).to_have_attribute("data-state", "running")
    port = int(studio.url.rpartition(":")[2])
    studio.kill("web")
    expect(page.locator("#job-lost")).to_be_visible()
    studio.start_web(port=port)
    be_done(page)
    expect(page.locator("#job")).to_have_attribute("data-state", "succeeded")
    expect(page.locator("#job-lost")).to_be_hidden()


def test_two_quick_clicks_are_one_job(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("double").new_page()
    page.goto("/studio/paint/")
    page.locator("[data-prompt]").fill("steps=1")
    page.locator("[data-submit]").dblclick()
    page.wait_for_url("**/jobs/**")
    be_done(page)
    assert studio.ask("Job.objects.filter(owner__username='double').count()") == 1


def compose(page: Page, text: str) -> Any:
    """Begin a composition in the focused field, as an input method does."""
    session = page.context.new_cdp_session(page)
    session.send(
        "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
    )
    return session


@pytest.mark.parametrize(("kind", "modifiers"), [("verse", 0), ("paint", 2)], ids=["enter", "ctrl-enter"])
def test_enter_that_confirms_a_pinyin_candidate_does_not_submit(
    visitor: MakeContext, studio: Stack, kind: str, modifiers: int
) -> None:
    name = f"pinyin-{kind}"
    page = visitor(name).new_page()
    page.goto(f"/studio/{kind}/")
    page.locator("[data-prompt]").focus()
    session = compose(page, "qiuyue")
    page.evaluate("addEventListener('keydown', event => { window.composed = event.isComposing }, true)")
    enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "modifiers": modifiers}
    session.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": "\r", **enter})
    session.send("Input.dispatchKeyEvent", {"type": "keyUp", **enter})
    assert page.evaluate("window.composed") is True
    session.send("Input.insertText", {"text": "秋月"})
    expect(page.locator("[data-prompt]")).to_have_value("秋月")
    assert page.url.endswith(f"/studio/{kind}/")
    assert studio.ask("Job.objects.filter(owner__username=name).count()", name=name) == 0

    # And the Enter after it, when nothing is composed, does submit.
    page.locator("[data-prompt]").press("Control+Enter" if modifiers else "Enter")
    page.wait_for_url("**/jobs/**")


def test_everything_but_liveness_works_without_scripts(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("plain", java_script_enabled=False).new_page()
    page.goto("/studio/paint/")
    page.locator("[data-prompt]").fill("steps=2")
    page.get_by_role("button", name="Paint it").click()
    page.wait_for_url("**/jobs/**")
    # The page asks again by itself.
    expect(page.locator("#job-results .card img").first).to_be_visible()
    page.locator("#job-results .card a").first.click()
    page.wait_for_url("**/works/**")
    page.get_by_text("Title and visibility").click()
    page.locator("[name=visibility][value=unlisted]").check()
    page.locator("#edit button").first.click()
    expect(page.locator(".standing")).to_contain_text("Unlisted")
