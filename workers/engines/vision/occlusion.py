"""Occlusion maps: how the probability of a class changes when a part of the picture is hidden.

Occlusion (Zeiler & Fergus 2014) with overlapping windows asks the network itself, answers for every class of
every head at once, and needs no gradient, whose maps may look right for the wrong reason (Adebayo et al.
2018).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from workers.engines.vision.analysis_schema import OcclusionMap
from workers.nets.classifier import Classifier

GRID = 9
"""Windows along the longer side, each twice as wide as their distance."""
CELLS = 24
"""Cells of a finished map along the longer side."""
BATCH = 12
"""Occluded copies of the picture in one pass."""


def occlude(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 3, H, W) with the picture's blurred colours where ``mask`` (N, 1, H, W) is 1."""
    side = max(3, min(x.shape[2:]) // 3)
    blurred = F.interpolate(
        F.adaptive_avg_pool2d(x, (max(1, x.shape[2] // side), max(1, x.shape[3] // side))),
        x.shape[2:],
        mode="bilinear",
        align_corners=False,
    )
    return x + (blurred - x) * mask


def windows(height: int, width: int) -> torch.Tensor:
    """Soft-edged windows that cover a picture of this size: (M, 1, height, width) in [0, 1]."""
    step = max(height, width) / GRID
    rows, columns = max(2, round(height / step)), max(2, round(width / step))
    down = _bumps(height, rows)
    across = _bumps(width, columns)
    return torch.einsum("ah,bw->abhw", down, across).reshape(rows * columns, 1, height, width)


def _bumps(length: int, count: int) -> torch.Tensor:
    """``count`` plateaus (count, length), each two steps wide, with a linear edge of half a step."""
    step = length / count
    position = torch.arange(length) + 0.5
    centres = (torch.arange(count) + 0.5) * step
    away = (position[None] - centres[:, None]).abs() / step
    return ((1.25 - away) / 0.5).clamp(0, 1)


@torch.inference_mode()
def occlusion_maps(
    net: Classifier,
    x: torch.Tensor,
    temperature: Mapping[str, float],
    step: Callable[[int, int], None] | None = None,
) -> dict[str, npt.NDArray[np.float32]]:
    """Head -> (labels, h, w): how much each class's log-probability falls when a cell is hidden.

    ``x``: one picture (1, 3, H, W). ``step(done, of)`` is called after each batch and may raise.
    """
    masks = windows(*x.shape[2:]).to(x)
    before = {head: _log_shares(logits, temperature[head]) for head, logits in net(x).items()}
    falls: dict[str, list[torch.Tensor]] = {head: [] for head in before}
    batches = [masks[start : start + BATCH] for start in range(0, len(masks), BATCH)]
    for number, part in enumerate(batches, 1):
        for head, logits in net(occlude(x.expand(len(part), -1, -1, -1), part)).items():
            falls[head].append(before[head] - _log_shares(logits, temperature[head]))
        if step is not None:
            step(number, len(batches))
    small = _cells(masks)
    weight = small.sum(0).clamp_min(1e-6)  # how often each cell was hidden
    maps = {}
    for head, parts in falls.items():
        fall = torch.cat(parts)  # (M, labels)
        mean = torch.einsum("ml,mhw->lhw", fall, small) / weight
        maps[head] = np.asarray(mean.float().cpu().numpy(), np.float32)
    return maps


def _log_shares(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    return (logits.float() / temperature).log_softmax(1)


def _cells(masks: torch.Tensor) -> torch.Tensor:
    """Masks (M, 1, H, W) -> (M, h, w) with CELLS cells along the longer side."""
    height, width = masks.shape[2:]
    scale = CELLS / max(height, width)
    size = (max(2, round(height * scale)), max(2, round(width * scale)))
    return F.interpolate(masks, size, mode="area")[:, 0]


def encode_map(heat: npt.NDArray[np.float32]) -> OcclusionMap:
    """A map (h, w) in the form that is kept: 0 where it is not positive, 255 at its largest."""
    positive = np.clip(heat, 0, None)
    top = float(positive.max())
    cells = np.zeros(heat.shape, np.uint8) if top <= 0 else np.rint(positive / top * 255).astype(np.uint8)
    return OcclusionMap(heat.shape[1], heat.shape[0], base64.b64encode(cells.tobytes()).decode())
