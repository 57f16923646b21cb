"""Making pictures worse in the ways in which visitors' and painters' pictures are worse.

A large picture is blurred, made small by one of several filters, and may be compressed, noisy, softer than
its size, or woven through with the two-pixel mesh that young generators draw (the order of Wang et al.
2021, Real-ESRGAN, at about their strengths). About half of all pictures are only made small.
"""

from __future__ import annotations

import io

import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter

from workers.images import to_image, to_tensor

FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def halved(images: torch.Tensor) -> torch.Tensor:
    """Made half as large by averaging."""
    return F.avg_pool2d(images, 2)


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """After a journey through JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as again:
        return again.convert("RGB")


def degrade(
    images: torch.Tensor, generator: torch.Generator, factor: int = 2, dirty: float = 0.5
) -> torch.Tensor:
    """(N, 3, S, S) in [-1, 1] -> (N, 3, S / factor, S / factor); ``dirty`` of them more than made small."""
    return torch.cat([_degraded(to_image(image), generator, factor, dirty) for image in images]).to(images)


def _degraded(image: Image.Image, generator: torch.Generator, factor: int, dirty: float) -> torch.Tensor:
    chance = torch.rand(12, generator=generator).tolist()
    side = image.width // factor
    # Averaging is what a clean small picture most often comes from.
    filter_ = FILTERS[max(0, int(chance[0] * 6) - 3)]
    if chance[1] >= dirty:
        return to_tensor(image.resize((side, side), filter_))
    if chance[2] < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(factor * (0.15 + 0.7 * chance[3])))
    image = image.resize((side, side), filter_)
    if chance[4] < 0.35:
        softer = max(8, round(side * (0.5 + 0.4 * chance[5])))
        image = image.resize((softer, softer), Image.Resampling.HAMMING)
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    if chance[6] < 0.35:
        image = compressed(image, round(40 + 55 * chance[7]))
    x = to_tensor(image)
    if chance[8] < 0.35:
        x = x + 0.08 * chance[9] * torch.randn(x.shape, generator=generator)
    if chance[10] < 0.25:
        x = x + 0.12 * chance[11] * _mesh(side, generator)
    return x.clamp(-1, 1)


def _mesh(side: int, generator: torch.Generator) -> torch.Tensor:
    """A pattern of two pixels, stronger here than there: (1, 3, side, side), about 1 at its strongest."""
    tile = torch.randn(1, 3, 2, 2, generator=generator)
    tile = (tile - tile.mean((2, 3), keepdim=True)).repeat(1, 1, -(-side // 2), -(-side // 2))
    where = torch.rand(1, 1, 4, 4, generator=generator)
    return tile[..., :side, :side] * F.interpolate(where, size=(side, side), mode="bicubic").clamp(0, 1)
