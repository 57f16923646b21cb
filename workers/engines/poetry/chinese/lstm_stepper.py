"""The network of verse, read one character at a time by many rows at once.

The same function as :class:`workers.nets.chinese_verse_lstm.Poet`, in an order that suits short steps: what
depends on the draft alone is worked out once, and the products with the table are left to those who know
which characters a place allows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workers.nets.chinese_verse_lstm import Poet

LEAST = 8
"""Rows of a product for each thread: fewer are multiplied in another order, with other last digits."""


def padded(rows: Tensor) -> Tensor:
    """(N, ...) with rows of zeros behind: then a row's product does not depend on how many there are."""
    missing = LEAST * torch.get_num_threads() - len(rows)
    return rows if missing <= 0 else torch.cat([rows, rows.new_zeros(missing, *rows.shape[1:])])


def product(rows: Tensor, table: Tensor) -> Tensor:
    """``rows`` (..., K) times ``table`` (K, M), each row the same whoever else is there."""
    flat = rows.reshape(-1, rows.shape[-1])
    found: Tensor = (padded(flat) @ table)[: len(flat)]
    return found.view(*rows.shape[:-1], -1)


class Reader:
    """Steps ``model`` for D drafts with C rows each.

    ``condition``: float (D, embed) of :meth:`Poet.condition`; ``plain``: the same without a theme. The theme
    reaches the output by two ways, the memory and a direct one; what it adds by the direct one is added
    ``guidance`` times more. Guidance as it is usually done, with a second reading that was told no theme,
    finds as many themes for twice the work.
    """

    def __init__(self, model: Poet, condition: Tensor, plain: Tensor, guidance: float) -> None:
        self.model = model
        enter, _recur, enter_bias, recur_bias = model.lstm.all_weights[0]
        self.told = product(condition, enter.T) + enter_bias + recur_bias  # (D, 4 * hidden)
        remind = model.remind.weight.T
        reminded = torch.lerp(product(plain, remind), product(condition, remind), 1.0 + guidance)
        self.reminded = model.project.bias + reminded  # (D, embed)
        self.state: list[tuple[Tensor, Tensor]] = []
        """Hidden and cell, float (D, C, hidden), of each layer; empty before the first step."""

    def step(self, last: Tensor, above: Tensor, slot: int, codes: Tensor) -> Tensor:
        """Read one character; float (D, C, embed), whose products with the table are logits.

        ``last``: int64 (D, C), C = 1 while the rows of each draft are the same; it may grow, when the state
        is repeated. ``above``, ``codes``: int64 (D,), what stands in the line before and the pair of codes.
        """
        model = self.model
        root = model.config.embed**0.5
        ours = (
            product(model.character(above) * root, model.above.weight.T)
            + model.slot.weight[slot]
            + model.code(codes)
        )
        hidden = model.character(last) * root + ours[:, None]  # (D, C, embed)
        after: list[tuple[Tensor, Tensor]] = []
        for layer, (inwards, recurring, *biases) in enumerate(model.lstm.all_weights):
            gates = product(hidden, inwards.T)
            gates += self.told[:, None] if layer == 0 else biases[0] + biases[1]
            if self.state:
                gates += product(self.state[layer][0], recurring.T)
            enter, stay, news, leave = gates.chunk(4, -1)
            cell = enter.sigmoid() * news.tanh()
            if self.state:
                cell.addcmul_(stay.sigmoid(), self.state[layer][1].expand_as(cell))
            hidden = leave.sigmoid() * cell.tanh()
            after.append((hidden, cell))
        self.state = after
        return product(hidden, model.project.weight.T) + self.reminded[:, None]

    def keep(self, drafts: Tensor) -> None:
        """Forget all drafts but ``drafts`` (int64)."""
        self.told, self.reminded = self.told[drafts], self.reminded[drafts]
        self.state = [(hidden[drafts], cell[drafts]) for hidden, cell in self.state]

    def choose(self, best: Tensor) -> None:
        """Of each draft keep the row ``best`` (D,) alone."""
        if self.state and self.state[0][0].shape[1] > 1:
            drafts = torch.arange(len(best), device=best.device)
            self.state = [(h[drafts, best, None], cell[drafts, best, None]) for h, cell in self.state]
