"""Pictures that are no paintings: noise, flat colours, screenshots, drawn by program (outlier exposure).

The classifier learns to say of these, and of photographs, that it knows nothing like them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

_WORDS = ("open", "file", "edit", "view", "insert", "total", "list", "save", "name", "date", "size", "help")


def outlier(draw: np.random.Generator, size: int) -> Image.Image:
    """One picture, ``size`` px square, of a random kind."""
    return (_noise, _screen, _page, _flat, _chart)[int(draw.integers(5))](draw, size)


def outliers(count: int, size: int, seed: int) -> npt.NDArray[np.uint8]:
    """``count`` pictures, uint8 (count, size, size, 3)."""
    draw = np.random.default_rng(seed)
    return np.stack([np.asarray(outlier(draw, size)) for _ in range(count)])


def _colour(draw: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = draw.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _noise(draw: np.random.Generator, size: int) -> Image.Image:
    cells = int(draw.choice([4, 8, 16, 32, 64, size]))
    if draw.random() < 0.5:
        values = draw.integers(0, 256, (cells, cells, 3))
    else:
        values = np.clip(
            draw.normal(draw.integers(60, 200), draw.integers(10, 80), (cells, cells, 3)), 0, 255
        )
        if draw.random() < 0.4:
            values = values.mean(2, keepdims=True).repeat(3, 2)
    how = Image.Resampling.NEAREST if draw.random() < 0.5 else Image.Resampling.BICUBIC
    image = Image.fromarray(values.astype(np.uint8)).resize((size, size), how)
    return image.filter(ImageFilter.GaussianBlur(float(draw.random() * 3))) if draw.random() < 0.3 else image


def _flat(draw: np.random.Generator, size: int) -> Image.Image:
    first, second = np.array(_colour(draw), float), np.array(_colour(draw), float)
    ramp = np.linspace(0, 1, size)
    angle = draw.random() * 2 * np.pi
    position = np.clip(ramp[None] * np.cos(angle) + ramp[:, None] * np.sin(angle), 0, 1)[..., None]
    values = first + (second - first) * position * draw.integers(0, 2)
    return Image.fromarray(values.astype(np.uint8))


def _text(draw: np.random.Generator, on: ImageDraw.ImageDraw, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    colour, height = _colour(draw), int(draw.integers(6, 14))
    for y in range(top, bottom - height, int(height * 1.4)):
        words = " ".join(draw.choice(_WORDS, int(draw.integers(1, 12))))
        on.text((left, y), words[: max(1, (right - left) // max(3, height // 2))], colour, font_size=height)


def _screen(draw: np.random.Generator, size: int) -> Image.Image:
    dark = draw.random() < 0.3
    image = Image.new("RGB", (size, size), (24, 26, 30) if dark else (246, 246, 248))
    on = ImageDraw.Draw(image)
    on.rectangle((0, 0, size, int(draw.integers(8, 30))), _colour(draw))
    for _ in range(int(draw.integers(2, 12))):
        x, y = (int(v) for v in draw.integers(0, size, 2))
        wide, high = (int(v) for v in draw.integers(size // 12, size // 2, 2))
        filled = _colour(draw) if draw.random() < 0.5 else None
        on.rounded_rectangle((x, y, x + wide, y + high), int(draw.integers(0, 8)), filled, _colour(draw))
        if draw.random() < 0.7:
            _text(draw, on, (x + 4, y + 4, x + wide, y + high))
    return image


def _page(draw: np.random.Generator, size: int) -> Image.Image:
    image = Image.new("RGB", (size, size), (255, 255, 255) if draw.random() < 0.7 else _colour(draw))
    edge = int(draw.integers(4, size // 5))
    _text(draw, ImageDraw.Draw(image), (edge, edge, size - edge, size - edge))
    return image


def _chart(draw: np.random.Generator, size: int) -> Image.Image:
    image = Image.new("RGB", (size, size), (255, 255, 255))
    on = ImageDraw.Draw(image)
    on.line([(20, 10), (20, size - 20), (size - 10, size - 20)], (90, 90, 90))
    if draw.random() < 0.5:
        step = max(4, size // int(draw.integers(4, 16)))
        for x in range(24, size - step, step):
            on.rectangle((x, int(draw.integers(10, size - 24)), x + step - 3, size - 21), _colour(draw))
    else:
        for _ in range(int(draw.integers(1, 5))):
            heights = np.cumsum(draw.normal(0, size / 30, 24)) + size / 2
            points = [(20 + n * (size - 30) / 23, float(y)) for n, y in enumerate(heights)]
            on.line(points, _colour(draw), int(draw.integers(1, 4)))
    return image
