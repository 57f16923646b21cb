"""Shapes of pictures and poems as classes of ratios.css: the security policy allows no style attributes."""

from __future__ import annotations

from gallery.models import Artwork, Upload

LOWEST_RATIO, HIGHEST_RATIO = 25, 400
"""Width to height in percent: flatter and taller pictures get the class of the limit."""


def ratio(shape: Artwork | Upload | None) -> str:
    """The class for width to height of a picture, or of the sheet that a poem is written on."""
    if shape is None:
        return "r100"
    if isinstance(shape, Artwork) and not shape.file:
        return poem_ratio(len(shape.lines), across=not is_chinese(shape.text))
    return size_ratio(shape.width, shape.height)


def size_ratio(width: int, height: int) -> str:
    """``r150`` for 3:2, between 1:4 and 4:1."""
    percent = round(100 * width / height) if width and height else 100
    return f"r{min(HIGHEST_RATIO, max(LOWEST_RATIO, percent))}"


def poem_ratio(lines: int, *, across: bool = False) -> str:
    """Four columns stand on a tall sheet, eight on a broad one; of lines ``across``, a few on a broad one."""
    if across:
        return "r150" if lines <= 5 else "r125" if lines <= 8 else "r95"
    return "r125" if lines > 4 else "r80"


def thumbnail_size(artwork: Artwork) -> dict[str, int]:
    """Width and height that the thumbnail is drawn at: the long side is at most 512 px."""
    longest = max(artwork.width, artwork.height, 1)
    scale = min(1.0, 512 / longest)
    return {"width": max(1, round(artwork.width * scale)), "height": max(1, round(artwork.height * scale))}


def is_chinese(text: str) -> bool:
    """Whether the text has Chinese characters, which may be set vertically."""
    return any("\u3400" <= char <= "\u9fff" for char in text)
