"""The sheet of prompts, and labels in both languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from workers.training.common.feature_metrics import SIZE
from workers.training.generator.evaluation.sampling import Pictures

CHINESE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "PingFang.ttc",
    "msyh.ttc",
)
"""Looked for among the system's fonts, in this order."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def chinese_font(size: int) -> ImageFont.FreeTypeFont | None:
    """A font of the system with Chinese characters, or None."""
    for name in CHINESE_FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None


def draw_sheet(
    rows: Sequence[tuple[str, Sequence[Image.Image]]],
    words_of: Callable[[str], Sequence[str]],
    side: int = 150,
    per_row: int = 3,
) -> Image.Image:
    """Prompts with their pictures, ``per_row`` prompts to a row, the words of each below.

    Without a Chinese font a Chinese prompt is shown by the words that were understood (``words_of``).
    """
    label, gap = 20, 3
    seeds = max(len(pictures) for _, pictures in rows)
    block = seeds * (side + gap) + 10
    lines = -(-len(rows) // per_row)
    page = Image.new("RGB", (per_row * block, lines * (side + label + gap)), "white")
    pen = ImageDraw.Draw(page)
    plain: Font = ImageFont.load_default(13)
    chinese = chinese_font(13)
    for number, (prompt, pictures) in enumerate(rows):
        left, top = (number % per_row) * block, (number // per_row) * (side + label + gap)
        for k, picture in enumerate(pictures):
            small = picture.resize((side, side), Image.Resampling.LANCZOS)
            page.paste(small, (left + k * (side + gap), top))
        if prompt.isascii() or chinese is not None:
            text = prompt
        else:
            text = "zh: " + ", ".join(words_of(prompt))
        font = plain if text.isascii() or chinese is None else chinese
        pen.text((left + 2, top + side + 1), text, fill="black", font=font)
    return page


def as_pictures(pictures: Sequence[Image.Image]) -> Pictures:
    """Images -> uint8 (N, 128, 128, 3), reduced by area."""
    return np.stack([np.asarray(one.resize((SIZE, SIZE), Image.Resampling.BOX)) for one in pictures])
