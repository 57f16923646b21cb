"""Style transfer of a large picture in strips: the result of one pass in a fraction of its memory.

Only full resolution needs much memory: below it, a picture of 2048 px is as small as one of 1024 px. So the
first and the last layers run strip by strip, with as many rows beside each strip as their kernels see, and
the statistics of the last norm are gathered over the whole picture before any strip is finished. Nothing is
approximated: every pixel is that of a single pass, so there are no seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import nn

from workers.nets.style_transfer import Moments, Progress, StyleTransferNet, colour_statistics, match_colours

ROWS = 128
"""Rows of a strip, even. A strip needs some 200 floats per pixel beside the whole picture's memory."""


def strips_of(height: int, rows: int = ROWS) -> list[tuple[int, int]]:
    """(first row, row after the last) of every strip, from top to bottom."""
    return [(top, min(height, top + rows)) for top in range(0, height, rows)]


def stages_of(net: StyleTransferNet, height: int, rows: int = ROWS) -> int:
    """How many times ``progress`` is called for a picture of so many rows."""
    return 3 * len(strips_of(height, rows)) + net.painter.stages - 1


def paint_in_strips(
    net: StyleTransferNet,
    content: torch.Tensor,
    code: torch.Tensor,
    progress: Progress | None = None,
    rows: int = ROWS,
) -> torch.Tensor:
    """``net(content, code)`` of one picture (1, 3, H, W), sides multiples of 8. Raises ValueError for more.

    ``progress(done, of)`` is called after each strip and stage and may raise to stop.
    """
    if content.shape[0] != 1:
        raise ValueError(f"one picture at a time, got a batch of {content.shape[0]}")
    if rows < 2 or rows % 2:
        raise ValueError(f"a strip has an even number of rows, got {rows}")
    painter = net.painter
    height, width = content.shape[2:]
    strips = strips_of(height, rows)
    done, stages = 0, stages_of(net, height, rows)

    def tell() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, stages)

    coloured = match_colours(content, colour_statistics(content), code[:, net.config.code :])
    both = torch.cat([content, coloured], 1)
    read = F.relu(painter.read(code))

    first = content.new_empty(1, painter.down1.conv.out_channels, height // 2, width // 2)
    for top, bottom in strips:
        _convolve(painter.down1.conv, both, top // 2, bottom // 2, into=first)
        tell()
    first = F.relu_(painter.down1.norm(first, read))
    composed = painter.compose(first, read, tell)
    del first

    def inputs(top: int, bottom: int) -> torch.Tensor:
        """Rows of the last block's input; rows beyond the edges repeat the edge."""
        return torch.cat([_twice_rows(composed, top, bottom), _rows(both, top, bottom)], 1)

    def last(top: int, bottom: int) -> torch.Tensor:
        """Rows of the last block's convolution, inside the picture."""
        found: torch.Tensor = _valid(painter.full.conv, inputs(top - 1, bottom + 1))
        return found

    moments = _moments(_telling((last(top, bottom) for top, bottom in strips), tell))
    painted: torch.Tensor = painter.keep(read)[..., None, None] * coloured
    del coloured
    for top, bottom in strips:
        above, below = max(0, top - 1), min(height, bottom + 1)
        x = F.relu_(painter.full.norm(last(above, below), read, moments))
        x = _rows(x, top - 1 - above, bottom + 1 - above)
        painted[:, :, top:bottom] += _valid(painter.out, x)
        tell()
    return painted


def _telling(found: Iterator[torch.Tensor], tell: Callable[[], None]) -> Iterator[torch.Tensor]:
    for one in found:
        yield one
        tell()


def _moments(parts: Iterator[torch.Tensor]) -> Moments:
    """Mean and variance of every channel over all ``parts`` (1, C, h, W)."""
    count, total, squares, dtype = 0, torch.zeros(()), torch.zeros(()), torch.float32
    for part in parts:
        wide = part.double()
        count, dtype = count + part.shape[2] * part.shape[3], part.dtype
        total = total.to(wide) + wide.sum((0, 2, 3))
        squares = squares.to(wide) + wide.square_().sum((0, 2, 3))
    mean = total / count
    return mean.to(dtype), (squares / count - mean.square()).clamp_min(0).to(dtype)


def _rows(x: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
    """Rows [top, bottom) of (1, C, H, W); rows beyond the edges repeat the edge."""
    if top >= 0 and bottom <= x.shape[2]:
        return x[:, :, top:bottom]
    return x[:, :, torch.arange(top, bottom, device=x.device).clamp_(0, x.shape[2] - 1)]


def _twice_rows(x: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
    """Rows [top, bottom) of ``x`` enlarged twice, as bilinear interpolation of the whole gives them."""
    height = x.shape[2]
    above, below = max(0, (top - 1) // 2 - 1), min(height, bottom // 2 + 2)
    large = F.interpolate(x[:, :, above:below], scale_factor=2, mode="bilinear", align_corners=False)
    return _rows(large, top - 2 * above, bottom - 2 * above)


def _valid(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """A convolution without padding of rows; columns beyond the edges repeat the edge."""
    side = conv.kernel_size[0] // 2
    return F.conv2d(F.pad(x, (side, side, 0, 0), mode="replicate"), conv.weight, conv.bias, conv.stride)


def _convolve(conv: nn.Conv2d, x: torch.Tensor, top: int, bottom: int, into: torch.Tensor) -> None:
    """Rows [top, bottom) of a convolution of stride 2, written ``into`` the whole result."""
    side = conv.kernel_size[0] // 2
    into[:, :, top:bottom] = _valid(conv, _rows(x, 2 * top - side, 2 * (bottom - 1) + side + 1))
