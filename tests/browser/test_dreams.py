"""What to dream of, chosen on the sheet: by mouse, by finger, by keyboard, and as text without scripts."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MS, MakeContext
from tests.browser.test_children import fits
from tests.live.stack import Stack

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
JOB = re.compile(r"/jobs/[0-9a-f-]{36}/$")
TILE, COLUMNS = 96, 10
WORDS = [("sea", "大海"), ("portrait", "肖像"), ("forest", "森林"), ("blue", "蓝色"), ("Monet", "莫奈")]
expect.set_options(timeout=WAIT_MS)


def write_sheet(folder: Path) -> None:
    """Thirty features of two layers, drawn as stripes."""
    rows = [
        {
            "stage": "s3" if number < 18 else "s2",
            "channel": 2 * number,
            "en": WORDS[number % 5][0] + (f" {number // 5 + 1}" if number >= 5 else ""),
            "zh": WORDS[number % 5][1] + (f" {number // 5 + 1}" if number >= 5 else ""),
        }
        for number in range(30)
    ]
    sheet = Image.new("RGB", (COLUMNS * TILE, 3 * TILE))
    for number in range(30):
        wave = Image.linear_gradient("L").resize((TILE, TILE)).rotate(12 * number)
        tile = Image.merge("RGB", (wave, wave.rotate(90), wave.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
        sheet.paste(tile, (number % COLUMNS * TILE, number // COLUMNS * TILE))
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / "sheet.webp", "WEBP")
    listed = {
        "format": 1,
        "digest": "00" * 32,
        "channels": {"s0": 32, "s1": 64, "s2": 160, "s3": 384},
        "tile": TILE,
        "columns": COLUMNS,
        "features": rows,
    }
    (folder / "features.json").write_text(json.dumps(listed), "utf-8")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, migrated: Path, collected: Path) -> Iterator[Stack]:
    """A studio whose collected static files hold a sheet of features."""
    static = tmp_path_factory.mktemp("sheet") / "static"
    shutil.copytree(collected, static)
    write_sheet(static / "gallery" / "features")
    manifest = static / "staticfiles.json"
    known = json.loads(manifest.read_text("utf-8"))
    known["paths"]["gallery/features/sheet.webp"] = "gallery/features/sheet.webp"
    manifest.write_text(json.dumps(known), "utf-8")
    folder = tmp_path_factory.mktemp("studio") / "s"
    with Stack(folder, template=migrated, env={"ARTSITE_STATIC": str(static)}) as stack:
        stack.start_all()
        yield stack


def plate(page: Page, name: str) -> str:
    return f'.feature[data-name="{name}"] button'


def be_done(page: Page) -> None:
    expect(page.locator("#job[data-final]")).to_have_count(1)
    expect(page.locator("#job")).to_have_attribute("data-state", "succeeded")


def test_features_are_pressed_weighed_and_taken_away(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("dreamer").new_page()
    page.goto("/studio/dream/")
    text = page.get_by_label("As text")
    rows = page.locator("[data-wanted] li")
    expect(text).to_have_value("s3")
    expect(rows).to_have_count(1)
    page.locator(plate(page, "sea")).click()
    page.locator(plate(page, "forest")).click()
    expect(text).to_have_value("s3, s3:0, s3:4")
    page.get_by_role("slider", name="Weight of sea").fill("150")
    expect(text).to_have_value("s3, s3:0*1.5, s3:4")
    page.get_by_role("button", name="Take away Motifs").click()
    expect(text).to_have_value("s3:0*1.5, s3:4")
    expect(page.locator(plate(page, "sea"))).to_have_attribute("aria-pressed", "true")
    # The text is the field: what is written there is what is pressed.
    text.fill("portrait*0.3, s2")
    expect(page.locator(plate(page, "sea"))).to_have_attribute("aria-pressed", "false")
    expect(page.locator(plate(page, "portrait"))).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("slider", name="Weight of portrait")).to_have_value("30")
    page.locator("[name=zoom]").check()
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)
    be_done(page)
    expect(page.locator("h1")).to_have_text("A dream of portrait, Textures")
    parameters = studio.job(page.url.rstrip("/").rpartition("/")[2])["parameters"]
    assert parameters["features"] == "s3:2*0.3, s2"
    page.wait_for_function("() => [...document.querySelectorAll('video')].some((one) => one.currentTime > 0)")


def test_pictures_of_the_sheet_are_seen(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("looker").new_page()
    with page.expect_response("**/sheet.webp") as answer:
        page.goto("/studio/dream/")
    assert answer.value.ok
    expect(page.locator(".feature")).to_have_count(34)
    box = page.locator(plate(page, "sea") + " svg").bounding_box()
    assert box
    assert box["width"] == pytest.approx(box["height"], abs=1)


def test_eight_are_the_most(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("greedy").new_page()
    page.goto("/studio/dream/")
    for number in range(1, 10):
        page.locator(".feature:not(.whole) button").nth(number).click()
    expect(page.locator("[data-wanted] li")).to_have_count(8)
    expect(page.locator("[data-features-say]")).to_be_visible()


def test_the_sheet_is_walked_by_keyboard(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("typist").new_page()
    page.goto("/studio/dream/")
    page.locator('.feature[data-code="s3"] button').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_label("As text")).to_have_value("s3, s3:0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    below = page.evaluate("document.activeElement.closest('[data-code]').dataset.code")
    assert below not in ("s3", "s3:0")
    expect(page.get_by_label("As text")).to_have_value(f"s3, s3:0, {below}")
    # One stop of the Tab key for each layer.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('[data-code]').dataset.code") == "s2"


def test_without_scripts_features_are_written(visitor: MakeContext, studio: Stack) -> None:
    page = visitor("plain", java_script_enabled=False).new_page()
    page.goto("/studio/dream/")
    expect(page.locator(".feature-code").nth(1)).to_be_visible()
    expect(page.locator("[data-features] button")).to_have_count(0)
    page.get_by_label("As text").fill("sea*0.5, nothing")
    page.locator("[data-submit]").click()
    expect(page.locator("#id_features_error")).to_contain_text("nothing")
    page.get_by_label("As text").fill("sea*0.5")
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_page_fits_a_phone(visitor: MakeContext, studio: Stack, scheme: str, language: str) -> None:
    page = visitor("walker", color_scheme=scheme, locale=language, **PHONE).new_page()
    page.goto("/studio/dream/")
    page.locator(".feature:not(.whole) button").first.tap()
    expect(page.locator("[data-wanted] li")).to_have_count(2)
    assert fits(page)
    assert page.locator("[data-wanted]").evaluate("one => one.scrollWidth <= one.clientWidth")


@pytest.mark.parametrize("language", ["en", "zh-Hans"])
def test_the_page_is_looked_at(visitor: MakeContext, studio: Stack, language: str) -> None:
    page = visitor("curator", color_scheme="dark", locale=language).new_page()
    page.goto("/studio/dream/")
    for number in (2, 5, 7):
        page.locator(".feature:not(.whole) button").nth(number).click()
    expect(page.locator("[data-wanted] li")).to_have_count(4)
    assert fits(page)
