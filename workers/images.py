"""Pictures to tensors and back: the only module that converts value ranges.

Everywhere in ``workers`` an image tensor is float32 (N, 3, H, W), RGB, in [-1, 1].
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image


def open_rgb(path: Path, longest: int | None = None) -> Image.Image:
    """Open a picture that the upload pipeline has already re-encoded; shrink it to ``longest`` px."""
    with Image.open(path) as source:
        image = source.convert("RGB")
    return shrink(image, longest) if longest else image


def shrink(image: Image.Image, longest: int) -> Image.Image:
    """The same picture with its long side at most ``longest`` px; never enlarged."""
    return resize_longest(image, longest) if longest < max(image.size) else image


def resize_longest(image: Image.Image, longest: int, least: int = 1) -> Image.Image:
    """The same picture with its long side exactly ``longest`` px, its short side ``least`` px or more."""
    scale = longest / max(image.size)
    size = (max(least, round(image.width * scale)), max(least, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def to_tensor(image: Image.Image) -> torch.Tensor:
    """RGB image -> float32 (1, 3, H, W) in [-1, 1]."""
    array = np.array(image.convert("RGB"), dtype=np.uint8)
    return torch.from_numpy(array).permute(2, 0, 1)[None].float().div_(127.5).sub_(1)


def to_image(tensor: torch.Tensor) -> Image.Image:
    """float (3, H, W) or (1, 3, H, W) in [-1, 1] (clamped) -> RGB image."""
    if tensor.dim() == 4:
        if tensor.shape[0] != 1:
            raise ValueError(f"one picture at a time, got a batch of {tensor.shape[0]}")
        tensor = tensor[0]
    pixels = tensor.detach().float().clamp(-1, 1).add(1).mul(127.5).round().to("cpu", torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy(), "RGB")


def to_images(batch: torch.Tensor) -> list[Image.Image]:
    """float (N, 3, H, W) in [-1, 1] -> N RGB images."""
    return [to_image(picture) for picture in batch]


def contact_sheet(images: list[Image.Image], columns: int, gap: int = 4) -> Image.Image:
    """Pictures of one size side by side on white, row by row."""
    if not images:
        raise ValueError("a contact sheet needs at least one picture")
    width, height = images[0].size
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (columns * (width + gap) + gap, rows * (height + gap) + gap), "white")
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        sheet.paste(image.convert("RGB"), (gap + column * (width + gap), gap + row * (height + gap)))
    return sheet
