"""Repainting where people do it: a region under the brush, styles in a mix, and enough is enough."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import WAIT_MS, MakeContext
from tests.browser.test_children import fits
from tests.live.stack import Stack

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}
JOB = re.compile(r"/jobs/[0-9a-f-]{36}/$")
expect.set_options(timeout=WAIT_MS)


def png(size: tuple[int, int], colour: str = "teal", name: str = "lake.png") -> FilePayload:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}


def begin(page: Page, size: tuple[int, int] = (600, 400)) -> None:
    page.goto("/studio/restyle/")
    page.locator("#id_picture_image").set_input_files(png(size))
    expect(page.locator("[data-region-open]")).to_be_enabled()


def board(page: Page) -> Locator:
    page.locator("[data-region-open]").click()
    canvas = page.locator("[data-region-canvas]")
    expect(canvas).to_be_visible()
    canvas.scroll_into_view_if_needed()
    return canvas


def drag(page: Page, canvas: Locator, way: list[tuple[float, float]]) -> None:
    """Paint with the mouse; places are shares of the canvas."""
    box = canvas.bounding_box()
    assert box is not None
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in way]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=6)
    page.mouse.up()


def region(page: Page, strokes: int) -> list[list[int]]:
    """The PNG in the file field as rows of grey values, once ``strokes`` changes have arrived in it."""
    expect(page.locator("[data-region]")).to_have_attribute("data-ready", str(strokes))
    return page.evaluate(  # type: ignore[no-any-return]
        """async () => {
          const [file] = document.querySelector('[data-region-file]').files;
          const bitmap = await createImageBitmap(file);
          const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
          const context = canvas.getContext('2d');
          context.drawImage(bitmap, 0, 0);
          const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
          return Array.from({ length: bitmap.height }, (_, y) =>
            Array.from({ length: bitmap.width }, (_, x) => data[4 * (y * bitmap.width + x)]));
        }"""
    )


def at(rows: list[list[int]], x: float, y: float) -> int:
    return rows[min(len(rows) - 1, int(y * len(rows)))][min(len(rows[0]) - 1, int(x * len(rows[0])))]


def test_a_region_is_painted_with_the_mouse(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("brusher", **DESKTOP).new_page()
    begin(page)
    expect(page.locator("[name=invert]")).to_be_hidden()
    canvas = board(page)
    drag(page, canvas, [(0.2, 0.5), (0.8, 0.5)])
    rows = region(page, 1)
    assert (len(rows[0]), len(rows)) == (512, 341)
    assert at(rows, 0.5, 0.5) == 255
    assert at(rows, 0.5, 0.1) == at(rows, 0.05, 0.9) == 0
    # Erased in the middle, taken back, and everything cleared.
    page.get_by_role("button", name="Erase").click()
    drag(page, canvas, [(0.5, 0.3), (0.5, 0.7)])
    assert at(region(page, 2), 0.5, 0.5) == 0
    page.get_by_role("button", name="Undo").click()
    assert at(region(page, 3), 0.5, 0.5) == 255
    page.get_by_role("button", name="Clear").click()
    assert page.evaluate("document.querySelector('[data-region-file]').files.length") == 0
    page.get_by_role("button", name="Undo").click()
    assert at(region(page, 5), 0.5, 0.5) == 255

    page.locator("[name=invert]").check()
    page.locator(".style").first.click()
    page.get_by_role("button", name="Repaint it").click()
    page.wait_for_url(JOB)
    job = studio.job(page.url.rstrip("/").rpartition("/")[2])
    assert job["parameters"]["invert"] is True
    roles = studio.ask(
        "sorted(JobInput.objects.filter(job=job).values_list('role', flat=True))", job=job["id"]
    )
    assert roles == ["image", "mask"]


def test_a_region_is_painted_with_a_finger(visitor: MakeContext) -> None:
    page = visitor("toucher", **PHONE).new_page()
    begin(page, (400, 600))
    canvas = board(page)
    box = canvas.bounding_box()
    assert box is not None
    assert box["width"] <= 390
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    before = page.evaluate("scrollY")
    touch = page.context.new_cdp_session(page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in range(1, 9):
        point = {"x": x, "y": y + step * box["height"] / 16}
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    rows = region(page, 1)
    assert at(rows, 0.5, 0.3) == at(rows, 0.5, 0.7) == 255
    assert at(rows, 0.1, 0.5) == 0
    # The page stays where it is under the finger, and as wide as the window.
    assert page.evaluate("scrollY") == before
    assert fits(page)


def test_a_region_is_painted_by_keyboard(visitor: MakeContext) -> None:
    page = visitor("typist", **DESKTOP).new_page()
    begin(page)
    canvas = board(page)
    expect(canvas).to_be_focused()
    page.keyboard.press("Space")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    rows = region(page, 6)
    assert at(rows, 0.5, 0.5) == at(rows, 0.85, 0.5) == 255
    assert at(rows, 0.2, 0.5) == at(rows, 0.9, 0.8) == 0


def test_another_picture_has_no_region_yet_and_a_refused_form_keeps_its_own(visitor: MakeContext) -> None:
    page = visitor("changer", **DESKTOP).new_page()
    begin(page)
    drag(page, board(page), [(0.3, 0.3), (0.6, 0.6)])
    region(page, 1)
    # No style was chosen: the form comes back with the picture and what was painted on it.
    page.get_by_role("button", name="Repaint it").click()
    expect(page.locator("[data-form-errors]")).to_be_visible()
    expect(page.locator("[data-region-canvas]")).to_be_visible()
    expect(page.locator("[data-region-clear]")).to_be_enabled()
    expect(page.locator("[data-region-kept]")).to_have_count(1)
    page.locator("#id_picture_image").set_input_files(png((300, 500)))
    expect(page.locator("[data-region-clear]")).to_be_disabled()
    expect(page.locator("[data-region-kept]")).to_have_count(0)


def test_styles_go_into_the_mix_and_out_of_it(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("mixer", **DESKTOP).new_page()
    begin(page)
    cards, places = page.locator(".style"), page.locator(".mix-place:not(.vacant)")
    cards.nth(0).click()
    expect(places).to_have_count(1)
    expect(page.locator(".mix-list .weight:visible")).to_have_count(0)
    cards.nth(3).click()
    cards.nth(5).click()
    expect(places).to_have_count(3)
    expect(page.locator(".mix-list .weight:visible")).to_have_count(3)
    page.locator("#id_picture_style_4").set_input_files(png((80, 80), "crimson", "mine.png"))
    expect(places).to_have_count(4)
    cards.nth(7).click()
    expect(page.locator("[data-mix-says]")).to_be_visible()
    expect(page.locator(".style input:checked")).to_have_count(3)
    # Out again by the card and by the cross; the others move up with their shares.
    page.locator("#id_weight_3").fill("80")
    cards.nth(0).click()
    expect(places).to_have_count(3)
    expect(page.locator("#id_weight_2")).to_have_value("80")
    page.get_by_role("button", name="Take style 1 away").click()
    expect(places).to_have_count(2)
    page.get_by_role("button", name="Repaint it").click()
    page.wait_for_url(JOB)
    job = studio.job(page.url.rstrip("/").rpartition("/")[2])
    assert job["parameters"]["style"]
    assert job["parameters"]["weight_1"] == 0.8
    roles = studio.ask(
        "sorted(JobInput.objects.filter(job=job).values_list('role', flat=True))", job=job["id"]
    )
    assert roles == ["image", "style_2"]


def test_slow_work_is_ended_and_kept(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("patient", **DESKTOP).new_page()
    begin(page)
    expect(page.locator("[name=steps]")).to_be_hidden()
    page.locator("[name=slow]").check()
    expect(page.locator("[name=steps]")).to_be_visible()
    page.locator("#id_steps").fill("400")
    page.locator(".style").first.click()
    page.get_by_role("button", name="Repaint it").click()
    page.wait_for_url(JOB)
    page.get_by_role("button", name="Enough, keep this").click()
    expect(page.locator("#job")).to_have_attribute("data-state", "succeeded")
    expect(page.locator("#job-results .card img")).to_have_count(1)


@pytest.mark.parametrize(
    ("look", "options"),
    {
        "desktop": {**DESKTOP, "locale": "en-GB"},
        "phone": {**PHONE, "locale": "en-GB"},
        "dark": {**DESKTOP, "locale": "en-GB", "color_scheme": "dark"},
        "chinese": {**PHONE, "locale": "zh-CN"},
    }.items(),
)
def test_everything_open_fits_its_window(visitor: MakeContext, look: str, options: dict[str, object]) -> None:
    page = visitor(f"looker-{look}", **options).new_page()
    begin(page)
    drag(page, board(page), [(0.2, 0.3), (0.5, 0.5), (0.8, 0.4)])
    for number in (0, 5, 12):
        page.locator(".style").nth(number).click()
    page.locator("[name=slow]").check()
    assert fits(page)
    page.locator("#id_picture_style_4").set_input_files(png((600, 400), "maroon", "leaves.png"))
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)
    expect(page.locator(".job-recipe .inputs img")).to_have_count(3)
    assert fits(page)


def test_without_scripts_a_region_and_a_mix_are_brought(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("plain", java_script_enabled=False).new_page()
    page.goto("/studio/restyle/")
    page.locator("#id_picture_image").set_input_files(png((600, 400)))
    page.locator(".style").first.click()
    page.locator("select[name=style_2]").select_option(index=3)
    page.locator("#id_weight_2").fill("100")
    page.locator("[data-region-fold] summary").click()
    page.locator("#id_picture_mask").set_input_files(png((300, 200), "white", "region.png"))
    page.get_by_role("button", name="Repaint it").last.click()
    page.wait_for_url(JOB)
    job = studio.job(page.url.rstrip("/").rpartition("/")[2])
    assert job["parameters"]["style"]
    assert job["parameters"]["style_2"]
    assert job["parameters"]["weight_2"] == 1.0
