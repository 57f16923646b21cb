"""A picture is looked at: its classes pressed, its heat drawn, all of it kept as a file; its like found."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.test_children import JOB, PHONE, be_done, fits
from tests.live.stack import Stack

pytestmark = pytest.mark.browser
HEAT = """() => {
  const canvas = document.querySelector('canvas[data-heat]');
  const { width, height } = canvas;
  const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
  let [total, across, down, most] = [0, 0, 0, 0];
  for (let n = 0; n < width * height; n += 1) {
    const alpha = data[4 * n + 3];
    total += alpha; across += alpha * (n % width); down += alpha * Math.floor(n / width);
    most = Math.max(most, alpha);
  }
  return { most, total, x: across / total / width, y: down / total / height, width, height };
}"""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photograph to look at."""
    image = Image.new("RGB", (480, 320), "#86b5e0")
    ImageDraw.Draw(image).rectangle((0, 130, 480, 320), fill="#3d8b32")
    image.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def look(page: Page, photo: Path) -> None:
    """Search by a picture, as far as the page of what was seen."""
    page.goto("/")
    page.get_by_role("link", name="Search by picture").click()
    page.wait_for_url("**/search/")
    page.set_input_files("[name=picture_image]", photo)
    page.get_by_role("button", name="Look and find").click()
    page.wait_for_url(JOB)
    be_done(page)
    expect(page.locator("analysis-view")).to_be_visible()


def test_a_picture_is_looked_at_and_its_like_is_found(
    visitor: MakeContext, studio: Stack, photo: Path
) -> None:
    page = visitor("seer").new_page()
    look(page, photo)
    # The analysis came by itself, and drew its first map.
    expect(page.locator("[data-shown]")).to_have_text("Impressionism · 63 %")
    assert page.evaluate(HEAT)["most"] > 100
    page.get_by_role("link", name="Open the work").click()
    page.wait_for_url("**/works/**")
    first = page.url
    expect(page.get_by_text("Looked at by a convolutional network")).to_be_visible()

    # The same picture once more: its copy is the first that is found.
    look(page, photo)
    copy = page.locator("section:has(#similar) .card a").first
    assert str(copy.get_attribute("href")) in first
    page.get_by_role("link", name="Find similar works").click()
    page.wait_for_url("**/similar/")
    expect(page.get_by_role("heading", name="Works like this")).to_be_visible()
    assert str(page.locator(".wall .card a").first.get_attribute("href")) in first


def test_classes_are_pressed_and_walked_by_keyboard(visitor: MakeContext, studio: Stack, photo: Path) -> None:
    page = visitor("presser").new_page()
    look(page, photo)
    heat = page.evaluate(HEAT)
    assert (heat["width"], heat["height"]) == (480, 320)
    assert heat["x"] < 0.4
    # Press one: its evidence lies elsewhere.
    page.locator(".bars label", has_text="cityscape").click()
    expect(page.locator("[data-shown]")).to_have_text("cityscape · 12 %")
    moved = page.evaluate(HEAT)
    assert moved["x"] > heat["x"] + 0.1
    assert moved["y"] > heat["y"] + 0.2
    # From class to class by arrow, from question to question too.
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-shown]")).to_have_text("landscape · 82 %")
    page.keyboard.press("ArrowUp")
    expect(page.locator("[data-shown]")).to_have_text("Camille Pissarro · 11 %")
    # The heat is strong, weak, and gone.
    slider = page.get_by_role("slider", name="Heat map")
    slider.press("End")
    strong = page.evaluate(HEAT)["most"]
    slider.press("ArrowLeft")
    assert page.evaluate(HEAT)["most"] < strong
    slider.press("Home")
    assert page.evaluate(HEAT)["most"] == 0
    # The horizon comes when it is asked for.
    line = page.locator("[data-horizon-line]")
    expect(line).to_be_hidden()
    page.get_by_label("Draw the horizon").check()
    expect(line).to_be_visible()
    page.get_by_label("Draw the horizon").uncheck()
    expect(line).to_be_hidden()


def test_what_is_shown_is_kept_as_one_picture(visitor: MakeContext, studio: Stack, photo: Path) -> None:
    page = visitor("keeper").new_page()
    look(page, photo)
    sheets = []
    for strength in ("Home", "End"):
        page.get_by_role("slider", name="Heat map").press(strength)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download as shown").click()
        assert re.fullmatch(r"artsite-[0-9a-f]{12}-analysis\.png", download.value.suggested_filename)
        sheets.append(Image.open(BytesIO(Path(download.value.path()).read_bytes())).convert("RGB"))
    plain, hot = sheets
    assert plain.size == hot.size
    # The picture stands on top in its colours, the legend below it; the heat is on one of them only.
    assert plain.getpixel((plain.width // 2, 60)) == (0x86, 0xB5, 0xE0)
    assert plain.height > plain.width * 2 / 3 + 60
    assert plain.tobytes() != hot.tobytes()
    colours = {colour for _, colour in plain.getcolors(2**24) or ()}
    assert (0x7A, 0x8C, 0x99) in colours


def test_an_analysis_is_read_without_scripts(visitor: MakeContext, studio: Stack, photo: Path) -> None:
    page = visitor("plainseer", java_script_enabled=False).new_page()
    page.goto("/search/")
    page.set_input_files("[name=picture_image]", photo)
    page.get_by_role("button", name="Look and find").click()
    page.wait_for_url(JOB)
    expect(page.locator(".bars").first).to_contain_text("Impressionism")
    expect(page.locator(".bars").first).to_contain_text("63 %")
    expect(page.locator(".palette")).to_contain_text("slate blue")
    expect(page.locator("[data-strength]")).to_be_hidden()
    expect(page.locator("[data-compose]")).to_be_hidden()
    bar = page.locator(".bar rect:not(.rest)").first.bounding_box()
    assert bar
    assert bar["width"] > 20


@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_an_analysis_fits_a_phone_and_its_picture_stays_in_sight(
    visitor: MakeContext, studio: Stack, photo: Path, locale: str
) -> None:
    name = f"pocketseer{locale[:2]}"
    english = visitor(name).new_page()
    look(english, photo)
    english.get_by_role("link", name="Open the work").click()
    english.wait_for_url("**/works/**")
    page = visitor(name, **PHONE, locale=locale).new_page()
    page.goto(english.url)
    assert fits(page)
    page.locator(".bars label").nth(7).tap()
    expect(page.locator("[data-shown]")).to_contain_text("12 %")
    box = page.locator(".look-stage").bounding_box()
    assert box
    assert 0 <= box["y"] < 400
    page.goto(f"{english.url}similar/")
    assert fits(page)
    page.goto("/search/")
    assert fits(page)
