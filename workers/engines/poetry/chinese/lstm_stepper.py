"""The network of Chinese verse, stepped one character at a time for many rows at once.

The same function as :class:`workers.nets.chinese_verse_lstm.ChineseVerseLSTM`, arranged for short steps: what
depends on the draft alone is computed once, and the products with the character table are left to the
caller, who knows which characters a place allows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from workers.engines.poetry.fixed_blocks import Table, in_blocks, lstm_cell, product
from workers.nets.chinese_verse_lstm import ChineseVerseLSTM


class LSTMTables:
    """What :class:`LSTMStepper` multiplies with, made once of ``model``."""

    def __init__(self, model: ChineseVerseLSTM) -> None:
        self.model = model
        self.above, self.project = Table(model.above.weight.T), Table(model.project.weight.T)
        self.layers = [
            (Table(inwards.T), Table(recurring.T), inwards_bias + recurring_bias)
            for inwards, recurring, inwards_bias, recurring_bias in model.lstm.all_weights
        ]


class LSTMStepper:
    """Steps a model for D drafts with C rows each.

    ``condition``: float (D, embed) of :meth:`ChineseVerseLSTM.condition`; ``plain``: the same without a
    theme. The theme reaches the output by two ways, the memory and the skip connection; what it adds by the
    latter is added ``guidance`` times more. Usual guidance (Ho and Salimans 2022), with a second,
    unconditioned pass, finds as many themes for twice the work.
    """

    def __init__(self, tables: LSTMTables, condition: Tensor, plain: Tensor, guidance: float) -> None:
        self.tables, self.guidance = tables, guidance
        self.condition_gates, self.condition_outputs = in_blocks(
            self._conditions, condition, plain
        )  # (D, 4 * hidden), (D, embed)
        self.state: list[tuple[Tensor, Tensor]] = []
        """Hidden state and cell, float (D, C, hidden), of each layer; empty before the first step."""

    def _conditions(self, condition: Tensor, plain: Tensor) -> tuple[Tensor, Tensor]:
        """What the conditions add to the gates of the first layer and to the output."""
        model = self.tables.model
        enter, _recur, enter_bias, recur_bias = model.lstm.all_weights[0]
        skip = model.condition_skip.weight.T
        skipped = torch.lerp(plain @ skip, condition @ skip, 1.0 + self.guidance)
        return condition @ enter.T + enter_bias + recur_bias, model.project.bias + skipped

    def step(self, last: Tensor, above: Tensor, slot: int, codes: Tensor) -> Tensor:
        """Take one character in; float (D, C, embed), whose products with the character table are logits.

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
            gates += self.condition_gates[:, None] if layer == 0 else bias
            cell = None
            if self.state:
                before, cell = self.state[layer]
                gates += product(before, recurring)
                cell = cell.expand(-1, rows, -1).flatten(0, 1)
            halves = lstm_cell(gates.flatten(0, 1), cell)
            hidden, cell = (half.view(drafts, rows, -1) for half in halves)
            after.append((hidden, cell))
        self.state = after
        return product(hidden, tables.project) + self.condition_outputs[:, None]

    def keep(self, drafts: Tensor) -> None:
        """Forget all drafts but ``drafts`` (int64)."""
        self.condition_gates, self.condition_outputs = (
            self.condition_gates[drafts],
            self.condition_outputs[drafts],
        )
        self.state = [(hidden[drafts], cell[drafts]) for hidden, cell in self.state]

    def choose(self, best: Tensor) -> None:
        """Of each draft keep the row ``best`` (D,) alone."""
        if self.state and self.state[0][0].shape[1] > 1:
            drafts = torch.arange(len(best), device=best.device)
            self.state = [(h[drafts, best, None], cell[drafts, best, None]) for h, cell in self.state]
