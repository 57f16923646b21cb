"""A poem for a picture, set on it, sealed, and taken away as a file; and a card of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import MakeContext
from tests.browser.test_children import JOB, PHONE, be_done, fits

pytestmark = pytest.mark.browser
MARK = "digitalsourcetype/trainedAlgorithmicMedia"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A picture that is restless at the left and calm, dark and blue at the right."""
    image = Image.new("RGB", (600, 400), "#1c2a4a")
    draw = ImageDraw.Draw(image)
    for y in range(0, 400, 16):
        for x in range(0, 300, 16):
            draw.rectangle((x, y, x + 7, y + 7), fill="#e8d9ae")
    image.save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def write(page: Page, photo: Path, form: str = "5jueju") -> None:
    """Ask for a poem on a picture, as far as the page where it is set."""
    page.goto("/studio/verse/")
    page.locator(f"[name=form][value='{form}']").check()
    page.set_input_files("[name=picture_image]", photo)
    page.get_by_role("button", name="Write it").click()
    page.wait_for_url(JOB)
    be_done(page)
    page.get_by_role("link", name="Set it on the picture").click()
    page.wait_for_url("**/inscribe/")
    expect(page.locator("[data-canvas]")).to_be_visible()


def kept(page: Page, button: Locator, tmp_path: Path) -> Image.Image:
    with page.expect_download() as offered:
        button.click()
    assert re.fullmatch(r"artsite-\w{12}-(inscribed|card)\.png", offered.value.suggested_filename)
    path = tmp_path / "kept.png"
    offered.value.save_as(path)
    image: Any = Image.open(BytesIO(path.read_bytes()))
    image.load()
    assert image.format == "PNG"
    assert MARK in image.text["XML:com.adobe.xmp"]
    return image.convert("RGB")  # type: ignore[no-any-return]


def box_of(image: Image.Image, is_ink: Callable[[tuple[int, ...]], bool]) -> tuple[int, int, int, int] | None:
    """Where pixels are that ``is_ink`` says so of."""
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.NEAREST)
    data: Any = small.get_flattened_data()
    mask = Image.new("1", small.size)
    mask.putdata([int(is_ink(pixel)) for pixel in data])
    return mask.getbbox()


def is_red(pixel: tuple[int, ...]) -> bool:
    return pixel[0] > 140 and pixel[1] < 80 and pixel[2] < 80


def is_white(pixel: tuple[int, ...]) -> bool:
    return min(pixel) > 235


def test_a_poem_is_set_in_the_calm_half_in_white_and_sealed(
    visitor: MakeContext, photo: Path, tmp_path: Path
) -> None:
    page = visitor("poet").new_page()
    write(page, photo)
    image = kept(page, page.locator("[data-download]"), tmp_path)
    assert image.size == (1200, 800)
    white, red = box_of(image, is_white), box_of(image, is_red)
    assert white is not None
    assert red is not None
    # In halves of pixels: everything stands in the right half, which is calm, and the seal ends it.
    assert white[0] >= 300
    assert red[0] >= 300
    assert red[0] < white[2] - 60

    # Moved with the keys, it is where it was put; black where it was white.
    page.locator("[data-canvas]").focus()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowLeft")
    expect(page.get_by_label("Where I put it")).to_be_checked()
    moved = kept(page, page.locator("[data-download]"), tmp_path)
    assert (box_of(moved, is_red) or (999,))[0] < red[0]
    page.get_by_label("None").check()
    assert box_of(kept(page, page.locator("[data-download]"), tmp_path), is_red) is None


def test_a_poem_is_dragged(visitor: MakeContext, photo: Path) -> None:
    page = visitor("mover").new_page()
    write(page, photo)
    canvas = page.locator("[data-canvas]")
    before = canvas.screenshot()
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.85 * box["width"], box["y"] + 0.3 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"], steps=4)
    page.mouse.up()
    expect(page.get_by_label("Where I put it")).to_be_checked()
    after = canvas.screenshot()
    assert ImageChops.difference(Image.open(BytesIO(before)), Image.open(BytesIO(after))).getbbox()


def test_on_a_phone_it_is_mounted_on_paper(visitor: MakeContext, photo: Path, tmp_path: Path) -> None:
    page = visitor("walker", locale="zh-CN", **PHONE).new_page()
    page.goto("/studio/verse/")
    page.set_input_files("[name=picture_image]", photo)
    page.locator("[data-submit]").click()
    page.wait_for_url(JOB)
    be_done(page)
    page.get_by_role("link", name="题到画上").click()
    page.wait_for_url("**/inscribe/")
    expect(page.locator("[data-canvas]")).to_be_visible()
    assert fits(page)
    page.get_by_label("画上诗塘").check()
    page.get_by_label("白文").check()
    image = kept(page, page.get_by_role("button", name="下载 PNG"), tmp_path)
    # The paper with the poem stands above the picture, which is not written on.
    assert image.height > 1200
    red = box_of(image, is_red)
    assert red is not None
    assert 2 * red[3] < image.height - 800


def test_the_author_signs_with_another_name(visitor: MakeContext, photo: Path, tmp_path: Path) -> None:
    page = visitor("signer").new_page()
    write(page, photo)
    page.get_by_label("On paper above").check()
    first = kept(page, page.locator("[data-download]"), tmp_path)
    page.get_by_label("Signature").fill("王维")
    second = kept(page, page.locator("[data-download]"), tmp_path)
    assert first.size != second.size or ImageChops.difference(first, second).getbbox()


@pytest.mark.parametrize("form", ["haiku", "limerick", "sonnet"])
def test_english_lines_stand_on_a_plate_beneath(
    visitor: MakeContext, photo: Path, tmp_path: Path, form: str
) -> None:
    page = visitor("lyricist", **PHONE).new_page()
    write(page, photo, form)
    assert fits(page)
    image = kept(page, page.get_by_role("button", name="Download as PNG"), tmp_path)
    red = box_of(image, is_red)
    assert red is not None
    # The seal stands below the picture, which is not written on: in halves of pixels, 400 and its margin.
    assert red[1] > 400
    # Fourteen lines with room between stanzas make a taller sheet than three, and no wider one.
    assert (image.height > 1500) is (form == "sonnet")
    page.get_by_role("link", name="Back to the poem").click()
    page.wait_for_url("**/works/**")
    assert fits(page)
    page.get_by_role("button", name="Share as a card").click()
    expect(page.get_by_role("img", name="The poem on a card")).to_be_visible()
    assert kept(page, page.locator("[data-card-keep]"), tmp_path).width == 1080


def test_every_poem_becomes_a_card(visitor: MakeContext, photo: Path, tmp_path: Path) -> None:
    page = visitor("carder").new_page()
    write(page, photo)
    page.get_by_role("link", name="Back to the poem").click()
    page.wait_for_url("**/works/**")
    page.get_by_role("button", name="Share as a card").click()
    expect(page.get_by_role("img", name="The poem on a card")).to_be_visible()
    image = kept(page, page.locator("[data-card-keep]"), tmp_path)
    assert image.width == 1080
    assert box_of(image, is_red)
    page.keyboard.press("Escape")
    expect(page.locator("[data-card]")).to_be_hidden()


def test_without_scripts_picture_and_poem_stand_side_by_side(visitor: MakeContext, photo: Path) -> None:
    page = visitor("plain").new_page()
    write(page, photo)
    bare = visitor("plain", java_script_enabled=False).new_page()
    bare.goto(page.url)
    picture = bare.locator("[data-picture]").bounding_box()
    poem = bare.locator("[data-poem]").bounding_box()
    assert picture is not None
    assert poem is not None
    assert picture["x"] + picture["width"] <= poem["x"]
    expect(bare.locator("[data-canvas]")).to_be_hidden()
    expect(bare.locator("[data-options]")).to_be_hidden()
