"""The size at which a picture is stylised, its padding, and the return of its detail and colours."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from workers.engines.vision.geometry import mirror_indices

LEAST_CANVAS = 256  # long side below which a picture is painted at its own size, px
SMALLEST = 96  # long side of the smallest canvas, px: broader strokes would leave nothing of the picture
BRUSH = 0.5
"""The middle brush, in [0, 1]: 0 is the finest, 1 the broadest."""


def canvas_side(size: int, brush: float = BRUSH, style_scale: float = 1.0) -> int:
    """Long side on which a picture of long side ``size`` is painted: it grows with the root of the size.

    A stroke has about the same number of pixels on every canvas, so a small one makes broad strokes:
    the broadest brush halves it and the finest doubles it, and so does ``style_scale``.
    """
    # The factor is set by hand: about 450 px for a picture of 1024 px.
    middle = min(size, max(LEAST_CANVAS, 14 * math.sqrt(size)))
    wanted = middle * 4 ** (BRUSH - brush) / style_scale
    return min(size, max(SMALLEST, round(wanted)))


def detail_share(brush: float) -> float:
    """Share of the content's fine detail that is added to a picture that was painted smaller: 0.4 to 1."""
    return 1.0 - 0.6 * brush


def enlarged(image: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """``image`` (N, C, h, w) at the size of ``like``."""
    return F.interpolate(image, like.shape[2:], mode="bicubic", align_corners=False)


def restore_detail(
    painted: torch.Tensor, source: torch.Tensor, full: torch.Tensor, share: float
) -> torch.Tensor:
    """``painted``, which was made from the small ``source``, at the size of ``full`` with its fine detail.

    All (1, 3, h, w) in [-1, 1]; ``full`` is the content at its own size. Only detail of light is added.
    """
    detail = (full - enlarged(source, full)).mean(1, keepdim=True)
    return enlarged(painted, full).add_(detail, alpha=share).clamp_(-1, 1)


def transfer_luminance(colours: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """The colours of one picture with the light of another, both (N, 3, H, W) in [-1, 1]."""
    weight = torch.tensor([0.299, 0.587, 0.114], device=colours.device).view(1, 3, 1, 1)

    def luminance(x: torch.Tensor) -> torch.Tensor:
        return (x * weight).sum(1, keepdim=True)

    own, other = luminance(colours), luminance(light)
    # The contrast follows that of the colours' own picture: a pale style would bleach them.
    gain = (own.std() / other.std().clamp_min(0.02)).clamp(0.5, 2.0) if own.numel() > 1 else 1.0
    moved = (other - other.mean()) * gain + 0.5 * (own.mean() + other.mean())
    return (colours - own + moved).clamp(-1, 1)


def mirror_pad(
    image: torch.Tensor, margin: int, least: int, multiple: int = 8
) -> tuple[torch.Tensor, tuple[int, int]]:
    """Mirror ``image`` outwards by ``margin``, to ``least`` px each way and to multiples of ``multiple``.

    Returns the picture and where the original begins in it (top, left).
    """
    height, width = image.shape[2:]
    tall, wide = (-(-max(side + 2 * margin, least) // multiple) * multiple for side in (height, width))
    top, left = (tall - height) // 2, (wide - width) // 2
    rows = mirror_indices(height, top, tall).to(image.device)
    columns = mirror_indices(width, left, wide).to(image.device)
    return image[:, :, rows][:, :, :, columns], (top, left)
