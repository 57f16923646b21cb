"""The network's predictions of the next token, for candidates that share their beginnings.

Candidates of a line with the same tokens so far are one node, which the network reads once. At the start of
a line all candidates of a draft are one node, and many stay together for a word or two.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.engines.poetry.fixed_blocks import Table, in_blocks, lstm_cell, product
from workers.nets.english_verse_lstm import LONGEST, UNKNOWN, EnglishVerseLSTM, State

GUIDANCE = 0.8
"""How much of what the theme adds through the skip connection is added once more. Set by hand."""


@dataclass(slots=True)
class Prediction:
    """For N nodes: ``guided`` float (N, V), log likelihoods under the amplified theme; see :meth:`likely`."""

    guided: Tensor

    def likely(self, ids: Tensor) -> Tensor:
        """Log likelihoods (N, K) of tokens (N, K), by which lines are compared."""
        return self.guided.gather(1, ids)


@dataclass(slots=True)
class Nodes:
    """N different beginnings of lines, with the network's state after each."""

    state: State  # twice (1, N, hidden), on the device
    condition: Tensor  # (N, embed) what is added to each input, on the device
    skipped_condition: Tensor  # (N, embed) what is added to each output, on the device
    last: Tensor  # (N,) the token that is read next
    before: Tensor  # (N,) the word with which the line above ends

    def __len__(self) -> int:
        return len(self.last)

    def select(self, nodes: Tensor) -> Nodes:
        """Some of them, in the order of ``nodes``."""
        there = nodes.to(self.condition.device)
        state = (self.state[0][:, there], self.state[1][:, there])
        return Nodes(
            state, self.condition[there], self.skipped_condition[there], self.last[nodes], self.before[nodes]
        )


class NextTokenPredictor:
    """Steps the network one token at a time, for many nodes at once.

    The same function as :class:`workers.nets.english_verse_lstm.EnglishVerseLSTM`, arranged for short steps:
    what depends on theme and author alone is computed once.
    """

    def __init__(self, model: EnglishVerseLSTM, device: torch.device) -> None:
        self.model, self.device = model, device
        with torch.inference_mode():
            inwards, recurring, inwards_bias, recurring_bias = model.lstm.all_weights[0]
            self.inwards, self.recurring = Table(inwards.T), Table(recurring.T)
            self.lstm_bias = inwards_bias + recurring_bias
            self.before, self.project = Table(model.before.weight.T), Table(model.project.weight.T)
            self.levels = [(Table(table.T), bias.clone()) for table, bias in model.levels()]

    def conditions(self, theme: Tensor, author: Tensor) -> tuple[Tensor, Tensor]:
        """What the theme (N, K) and the author (N,) add: to each input and to each output, (N, embed) each.

        The theme reaches the output through the memory and the skip connection; only the latter is amplified.
        Usual guidance (Ho and Salimans 2022), with a second, unconditioned pass, costs twice the work and
        finds no more themes.
        """

        def both(theme: Tensor, author: Tensor) -> tuple[Tensor, Tensor]:
            condition = self.model.condition(theme, author)
            told = self.model.condition_skip(condition)
            plain = self.model.condition_skip(self.model.condition(theme * UNKNOWN, author))
            return condition, self.model.project.bias + told + GUIDANCE * (told - plain)

        condition, skipped_condition = in_blocks(both, theme.to(self.device), author.to(self.device))
        return condition, skipped_condition

    def predict(self, nodes: Nodes, left: Tensor, stage: int, fresh: bool) -> Prediction:
        """Read the last tokens of ``nodes``, whose states move on; ``left`` (N,) syllables to be written."""
        model, device = self.model, self.device
        root = model.config.embed**0.5
        inputs = (
            model.word(nodes.last.to(device)) * root
            + product(model.word(nodes.before.to(device)) * root, self.before)
            + model.left(left.clamp_max(LONGEST).to(device))
            + model.stage.weight[stage]
            + model.fresh.weight[int(fresh)]
            + nodes.condition
        )
        before, cell = nodes.state[0][0], nodes.state[1][0]
        gates = product(inputs, self.inwards) + self.lstm_bias
        gates += product(before, self.recurring)
        hidden, cell = lstm_cell(gates, cell)
        nodes.state = (hidden[None], cell[None])
        vectors = product(hidden, self.project) + nodes.skipped_condition
        first, second = (
            (product(vectors, table) + bias).log_softmax(-1).float().cpu() for table, bias in self.levels
        )
        return Prediction(torch.cat([first[:, :-1], second.add_(first[:, -1:])], 1))
