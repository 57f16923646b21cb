"""Rows that are worked out in blocks do not depend on how many others there are, nor on their place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from workers.engines.poetry.fixed_blocks import COLUMNS, ROWS, Table, in_blocks, lstm_cell, product

COUNTS = (1, 2, 5, 8, 13, 15, 16, 17, 40, 100)
SHAPES = (
    (320, 320),
    (320, 2560),
    (640, 2560),
    (640, 320),
    (320, 42),
    (320, 70),
    (320, 2501),
    (64, 1000),
    (256, 9961),
)
"""Tables like those of the shipped models: some widths are no multiple of anything."""


@pytest.fixture(params=[1, 2, 3, 6])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_product_is_the_same_alone_and_among_others(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    inputs, width = shape
    table, rows = Table(torch.randn(inputs, width)), torch.randn(100, inputs)
    all_together = product(rows, table)
    for count in COUNTS:
        assert torch.equal(product(rows[:count], table), all_together[:count]), count
        assert torch.equal(product(rows[100 - count :], table), all_together[100 - count :]), count


@pytest.mark.usefixtures("_threads")
def test_a_step_of_an_lstm_is_the_same_alone_and_among_others() -> None:
    torch.manual_seed(0)
    gates, cell = torch.randn(100, 4 * 520), torch.randn(100, 520)
    hidden, after = lstm_cell(gates, cell)
    for row in (0, 37, 99):
        alone = lstm_cell(gates[row : row + 1], cell[row : row + 1])
        assert torch.equal(alone[0][0], hidden[row])
        assert torch.equal(alone[1][0], after[row])


def test_a_product_is_the_product_of_the_whole_table() -> None:
    torch.manual_seed(0)
    for width in (1, COLUMNS, 2 * COLUMNS + 3):
        matrix, rows = torch.randn(30, width), torch.randn(2, ROWS + 1, 30)
        torch.testing.assert_close(product(rows, Table(matrix)), rows @ matrix, rtol=1e-4, atol=1e-4)


def test_a_function_sees_blocks_of_one_size() -> None:
    sizes = []

    def twice(ids: torch.Tensor, columns: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append((len(ids), len(columns)))
        return 2 * ids, columns.sum(1)

    ids, columns = torch.arange(ROWS + 3), torch.ones(ROWS + 3, 2)
    doubled, sums = in_blocks(twice, ids, columns)
    assert sizes == [(ROWS, ROWS)] * 2
    assert doubled.tolist() == [2 * number for number in range(ROWS + 3)]
    assert sums.tolist() == [2.0] * (ROWS + 3)
