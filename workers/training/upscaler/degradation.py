"""Random degradations of pictures: pairs of small and large pictures to learn enlarging from.

A large picture is blurred, made small by one of several filters, and may be resampled, compressed, noisy, or
overlaid with the two-pixel mesh that half-trained generators draw (the order of Wang et al. 2021, Real-
ESRGAN, at about their strengths; the probabilities are not tuned). About half are only made small.
"""

from __future__ import annotations

import io

import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter

from workers.images import to_image, to_tensor

FILTERS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def halved(images: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, C, H / 2, W / 2), by averaging."""
    return F.avg_pool2d(images, 2)


def compressed(image: Image.Image, quality: int) -> Image.Image:
    """Encoded as JPEG of ``quality`` (1..95) and decoded again."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as again:
        return again.convert("RGB")


def degrade(
    images: torch.Tensor, generator: torch.Generator, factor: int = 2, degraded: float = 0.5
) -> torch.Tensor:
    """(N, 3, S, S) in [-1, 1] -> (N, 3, S / factor, S / factor), a share ``degraded`` of them degraded."""
    return torch.cat([_degraded(to_image(image), generator, factor, degraded) for image in images]).to(images)


def _degraded(image: Image.Image, generator: torch.Generator, factor: int, degraded: float) -> torch.Tensor:
    chance = torch.rand(12, generator=generator).tolist()
    side = image.width // factor
    # Averaging is the most frequent filter: clean small pictures mostly come from it.
    filter_ = FILTERS[max(0, int(chance[0] * 6) - 3)]
    if chance[1] >= degraded:
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
    """A pattern of two pixels of varying strength: (1, 3, side, side), about 1 at its strongest."""
    tile = torch.randn(1, 3, 2, 2, generator=generator)
    tile = (tile - tile.mean((2, 3), keepdim=True)).repeat(1, 1, -(-side // 2), -(-side // 2))
    where = torch.rand(1, 1, 4, 4, generator=generator)
    return tile[..., :side, :side] * F.interpolate(where, size=(side, side), mode="bicubic").clamp(0, 1)
