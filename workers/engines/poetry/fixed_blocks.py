"""Rows worked out in blocks of one shape, so that a row is the same whoever else is there.

A matrix product's last digits depend on the number of rows: by it a library chooses its kernel, the order in
which it sums and what each thread does, on every processor by other rules. Here a product always has
:data:`ROWS` rows; more rows are more products, and rows of zeros fill the last one. Functions such as the
sigmoid, whose vector and scalar forms differ in the last digit, are fed the same way.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 16
"""Rows of a block. A multiple of 16, so that every block of float32 begins at a multiple of 64 bytes; more
would make a poem that is written alone slower."""
COLUMNS = 512
"""Most columns of a table that are multiplied at once: 640 rows of them fit the second cache of a processor,
where they stay for all blocks."""


STEP = 16
"""The number of columns is filled up to a multiple of it. With a remainder, threads share a narrow product by
rows, and a row's last digits then depend on its place among the :data:`ROWS` (seen with 42 and 70 columns on
three threads and more)."""


class Table:
    """A matrix (K, M) to multiply rows with: a copy in parts of :data:`COLUMNS`, each in one piece.

    Short blocks are multiplied up to twice as fast with such parts as with a transposed view. Columns of
    zeros fill the last part.
    """

    def __init__(self, matrix: Tensor) -> None:
        self.width = matrix.shape[1]
        filled = F.pad(matrix, (0, -self.width % STEP))
        self.parts = [part.contiguous() for part in torch.split(filled, COLUMNS, 1)]


def padded(rows: Tensor) -> Tensor:
    """(N, ...) with rows of zeros behind, so that N is a multiple of :data:`ROWS`."""
    missing = -len(rows) % ROWS
    return torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])]) if missing else rows.contiguous()


def product(rows: Tensor, table: Table) -> Tensor:
    """``rows`` (..., K) times ``table`` (K, M): float (..., M)."""
    count = rows.shape[:-1].numel()
    flat = padded(rows.reshape(count, -1))
    found = flat.new_empty(len(flat), sum(part.shape[1] for part in table.parts))
    begin = 0
    for part in table.parts:
        end = begin + part.shape[1]
        for first in range(0, len(flat), ROWS):
            block = slice(first, first + ROWS)
            torch.mm(flat[block], part, out=found[block, begin:end])
        begin = end
    return found[:count, : table.width].reshape(*rows.shape[:-1], table.width)


def in_blocks(function: Callable[..., tuple[Tensor, ...]], *rows: Tensor) -> list[Tensor]:
    """What ``function`` makes of ``rows``, tensors of N > 0 rows each: tensors of N rows again.

    ``function`` is called with :data:`ROWS` rows at a time and works out each by itself. It may be given
    rows of zeros, whose results are left out.
    """
    count = len(rows[0])
    blocks = zip(*(torch.split(padded(one), ROWS) for one in rows), strict=True)
    made = [function(*block) for block in blocks]
    return [(torch.cat(parts) if len(parts) > 1 else parts[0])[:count] for parts in zip(*made, strict=True)]


def lstm_cell(gates: Tensor, cell: Tensor | None) -> tuple[Tensor, Tensor]:
    """One step of an LSTM: hidden and cell, float (N, hidden) each.

    ``gates``: (N, 4 * hidden) before their functions, in the order of :class:`torch.nn.LSTM`; ``cell``:
    that of the step before, None at the first step.
    """
    hidden, after = in_blocks(_lstm_cell, *((gates,) if cell is None else (gates, cell)))
    return hidden, after


def _lstm_cell(gates: Tensor, before: Tensor | None = None) -> tuple[Tensor, Tensor]:
    enter, stay, news, leave = gates.chunk(4, -1)
    cell = enter.sigmoid() * news.tanh()
    if before is not None:
        cell.addcmul_(stay.sigmoid(), before)
    return leave.sigmoid() * cell.tanh(), cell
