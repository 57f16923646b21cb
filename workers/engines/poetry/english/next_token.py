"""What the network expects next, for candidates that share their beginnings.

Candidates of a line that have written the same so far are one node: the network reads it once. At the start
of a line all candidates of a draft are one, and many stay together for a word or two.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from workers.nets.english_verse_lstm import LONGEST, Lyricist, Reading, State

GUIDANCE = 0.8
"""How much more the theme says by its direct way to the output than it was trained to say."""


@dataclass(slots=True)
class Expectation:
    """For N nodes: ``guided`` float (N, V), log likelihoods under the amplified theme; see :meth:`likely`."""

    guided: Tensor

    def likely(self, ids: Tensor) -> Tensor:
        """Log likelihoods (N, K) of tokens (N, K), by which lines are compared."""
        return self.guided.gather(1, ids)


@dataclass(slots=True)
class Nodes:
    """N different beginnings of lines: what the network has read of each."""

    state: State  # twice (1, N, hidden), on the device
    condition: Tensor  # (N, embed), on the device
    louder: Tensor  # (N, embed) what the theme adds to the output once more, on the device
    last: Tensor  # (N,) the token that is read next
    before: Tensor  # (N,) the word with which the line above ends

    def __len__(self) -> int:
        return len(self.last)

    def pick(self, nodes: Tensor) -> Nodes:
        """Some of them, in the order of ``nodes``."""
        there = nodes.to(self.condition.device)
        state = (self.state[0][:, there], self.state[1][:, there])
        return Nodes(state, self.condition[there], self.louder[there], self.last[nodes], self.before[nodes])


class Forecaster:
    """The network with the two levels of its softmax at hand."""

    def __init__(self, model: Lyricist, device: torch.device) -> None:
        self.model, self.device = model, device
        with torch.inference_mode():
            self.levels = [(table.clone(), bias.clone()) for table, bias in model.levels()]

    def louder(self, condition: Tensor, plain: Tensor) -> Tensor:
        """What the theme adds to the output once more, (N, embed).

        ``condition``, ``plain``: float (N, embed) of :meth:`Lyricist.condition`, with the theme and without.
        The theme reaches the output through the memory and by a direct way; only that is amplified. Guidance
        with a second reading that was told no theme costs twice the work and finds no more themes.
        """
        added: Tensor = self.model.remind(condition) - self.model.remind(plain)
        return GUIDANCE * added

    def expect(self, nodes: Nodes, left: Tensor, stage: int, fresh: bool) -> Expectation:
        """Read the last tokens of ``nodes``, whose states move on; ``left`` (N,) syllables to be written."""

        def there(values: Tensor) -> Tensor:
            return values[:, None].to(self.device)

        reading = Reading(
            last=there(nodes.last),
            before=there(nodes.before),
            left=there(left.clamp_max(LONGEST)),
            stage=there(torch.full_like(left, stage)),
            fresh=there(torch.full_like(left, int(fresh))),
            condition=nodes.condition,
        )
        vectors, nodes.state = self.model.features(reading, nodes.state)
        first, second = (
            self._logits(vectors[:, 0] + nodes.louder, table, bias).log_softmax(-1).float().cpu()
            for table, bias in self.levels
        )
        return Expectation(torch.cat([first[:, :-1], second.add_(first[:, -1:])], 1))

    @staticmethod
    def _logits(vectors: Tensor, table: Tensor, bias: Tensor) -> Tensor:
        """(rows, words). The large table comes first: with few rows that is up to twice as fast on a CPU."""
        return torch.addmm(bias[:, None], table, vectors.T).T.contiguous()
