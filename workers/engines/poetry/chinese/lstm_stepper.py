"""The network of verse, read one character at a time by many rows at once.

The same function as :class:`workers.nets.chinese_verse_lstm.Poet`, in an order that suits short steps: what
depends on the draft alone is worked out once, and the products with the table are left to those who know
which characters a place allows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workers.engines.poetry.fixed_blocks import Table, in_blocks, lstm_cell, product
from workers.nets.chinese_verse_lstm import Poet


class StepTables:
    """What :class:`Reader` multiplies with, made once of ``model``."""

    def __init__(self, model: Poet) -> None:
        self.model = model
        self.above, self.project = Table(model.above.weight.T), Table(model.project.weight.T)
        self.layers = [
            (Table(inwards.T), Table(recurring.T), inwards_bias + recurring_bias)
            for inwards, recurring, inwards_bias, recurring_bias in model.lstm.all_weights
        ]


class Reader:
    """StepTables a model for D drafts with C rows each.

    ``condition``: float (D, embed) of :meth:`Poet.condition`; ``plain``: the same without a theme. The theme
    reaches the output by two ways, the memory and a direct one; what it adds by the direct one is added
    ``guidance`` times more. Guidance as it is usually done, with a second reading that was told no theme,
    finds as many themes for twice the work.
    """

    def __init__(self, tables: StepTables, condition: Tensor, plain: Tensor, guidance: float) -> None:
        self.tables, self.guidance = tables, guidance
        self.told, self.reminded = in_blocks(self._told, condition, plain)  # (D, 4 * hidden), (D, embed)
        self.state: list[tuple[Tensor, Tensor]] = []
        """Hidden and cell, float (D, C, hidden), of each layer; empty before the first step."""

    def _told(self, condition: Tensor, plain: Tensor) -> tuple[Tensor, Tensor]:
        """What the conditions add to the gates of the first layer and to the output."""
        model = self.tables.model
        enter, _recur, enter_bias, recur_bias = model.lstm.all_weights[0]
        remind = model.remind.weight.T
        reminded = torch.lerp(plain @ remind, condition @ remind, 1.0 + self.guidance)
        return condition @ enter.T + enter_bias + recur_bias, model.project.bias + reminded

    def step(self, last: Tensor, above: Tensor, slot: int, codes: Tensor) -> Tensor:
        """Read one character; float (D, C, embed), whose products with the table are logits.

        ``last``: int64 (D, C), C = 1 while the rows of each draft are the same; it may grow, when the state
        is repeated. ``above``, ``codes``: int64 (D,), what stands in the line before and the pair of codes.
        """
        tables, model = self.tables, self.tables.model
        root = model.config.embed**0.5
        ours = (
            product(model.character(above) * root, tables.above) + model.slot.weight[slot] + model.code(codes)
        )
        hidden = model.character(last) * root + ours[:, None]  # (D, C, embed)
        drafts, rows = last.shape
        after: list[tuple[Tensor, Tensor]] = []
        for layer, (inwards, recurring, bias) in enumerate(tables.layers):
            gates = product(hidden, inwards)
            gates += self.told[:, None] if layer == 0 else bias
            cell = None
            if self.state:
                before, cell = self.state[layer]
                gates += product(before, recurring)
                cell = cell.expand(-1, rows, -1).flatten(0, 1)
            halves = lstm_cell(gates.flatten(0, 1), cell)
            hidden, cell = (half.view(drafts, rows, -1) for half in halves)
            after.append((hidden, cell))
        self.state = after
        return product(hidden, tables.project) + self.reminded[:, None]

    def keep(self, drafts: Tensor) -> None:
        """Forget all drafts but ``drafts`` (int64)."""
        self.told, self.reminded = self.told[drafts], self.reminded[drafts]
        self.state = [(hidden[drafts], cell[drafts]) for hidden, cell in self.state]

    def choose(self, best: Tensor) -> None:
        """Of each draft keep the row ``best`` (D,) alone."""
        if self.state and self.state[0][0].shape[1] > 1:
            drafts = torch.arange(len(best), device=best.device)
            self.state = [(h[drafts, best, None], cell[drafts, best, None]) for h, cell in self.state]
