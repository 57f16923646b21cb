"""A large picture in strips is the picture that one pass makes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from workers.engines.base import JobCanceled
from workers.nets.style_transfer import StyleTransferConfig, StyleTransferNet
from workers.nets.tiled_style_transfer import paint_in_strips, stages_of, strips_of

TOY = StyleTransferConfig(
    widths=(8, 8, 16), full=8, blocks=1, code=8, style_widths=(8, 8, 8, 8), hidden=16, project=4
)


@pytest.fixture
def net() -> StyleTransferNet:
    torch.manual_seed(0)
    made = StyleTransferNet(TOY).eval().requires_grad_(False)
    # As it comes, the last layer paints next to nothing: what it adds could not be seen to have a seam.
    torch.nn.init.normal_(made.painter.out.weight, std=0.2)
    return made


def picture(height: int, width: int, seed: int = 1) -> torch.Tensor:
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return F.avg_pool2d(noise, 5, 1, 2)


@pytest.mark.parametrize(
    ("height", "width", "rows"), [(96, 80, 32), (200, 48, 128), (136, 64, 2), (48, 120, 64), (40, 16, 24)]
)
def test_strips_are_one_pass(net: StyleTransferNet, height: int, width: int, rows: int) -> None:
    content, code = picture(height, width), net.encode(picture(64, 64, 2))
    whole = net(content, code)
    assert torch.allclose(paint_in_strips(net, content, code, rows=rows), whole, atol=1e-4)
    assert float(whole.std()) > 0.05


def test_no_seam_across_strips(net: StyleTransferNet) -> None:
    painted = paint_in_strips(net, picture(512, 128), net.encode(picture(64, 64, 2)), rows=16)
    steps = painted.diff(dim=2).abs().mean((0, 1, 3))  # between each row and the next
    borders = [top - 1 for top, _ in strips_of(512, 16)[1:]]
    # The network works in cells of 8 px: rows of the same phase are compared.
    elsewhere = [row + 8 for row in borders]
    assert float(steps[borders].mean() / steps[elsewhere].mean()) == pytest.approx(1, abs=0.05)


def test_every_strip_is_told_and_may_be_the_last(net: StyleTransferNet) -> None:
    content, code = picture(96, 32), net.encode(picture(64, 64, 2))
    told: list[tuple[int, int]] = []
    paint_in_strips(net, content, code, lambda done, of: told.append((done, of)), rows=32)
    of = stages_of(net, 96, 32)
    assert told == [(done, of) for done in range(1, of + 1)]
    told.clear()

    def stop(done: int, of: int) -> None:
        told.append((done, of))
        if done == 2:
            raise JobCanceled

    with pytest.raises(JobCanceled):
        paint_in_strips(net, content, code, stop, rows=32)
    assert len(told) == 2


def test_strips_are_of_one_picture_and_even(net: StyleTransferNet) -> None:
    code = net.encode(picture(64, 64))
    with pytest.raises(ValueError, match="batch of 2"):
        paint_in_strips(net, picture(32, 32).repeat(2, 1, 1, 1), code)
    with pytest.raises(ValueError, match="even"):
        paint_in_strips(net, picture(32, 32), code, rows=7)
