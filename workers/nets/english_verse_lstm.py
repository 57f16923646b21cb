"""A recurrent language model of English verse that writes every line backwards, its last word first.

The rhyme is then decided first and the line is written towards it, so rhyme and sense agree
(Jhamtani et al. 2019 and Van de Cruys 2020 generate so). Lines follow each other in reading order.
Words are read and written through one table; the softmax has two levels, the frequent words and the
rest (Grave et al. 2017, with both levels in one width), which is a third of the work.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workers.nets.stored_keys import store_as

State = tuple[Tensor, Tensor]

UNKNOWN, START = 0, 1
"""Token ids before the marks and words: a word outside the vocabulary (also padding), the start."""

LONGEST = 15
"""Syllables left in a line beyond this count as this; 0 is unknown."""
STAGES = 9
"""Lines left in the stanza, this one included: 1..8, 0 is unknown."""


@dataclass(frozen=True, slots=True)
class EnglishVerseLSTMConfig:
    """Sizes. ``vocabulary`` counts the special tokens and the marks."""

    vocabulary: int
    head: int  # the most frequent tokens, in the first level of the softmax
    embed: int = 256  # input and output share one table
    hidden: int = 512
    authors: int = 41  # 0 unknown

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> EnglishVerseLSTMConfig:
        """Rebuild from a card; keys that belong to others are ignored."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


@dataclass(slots=True)
class LSTMInputs:
    """What the network reads at T steps of B poems (all int64 but the condition).

    ``last``: (B, T) the token before, in the order of writing; ``before``: (B, T) the word with which
    the line above ends, START in the first line; ``left``: (B, T) syllables still to be written in
    this line; ``stage``: (B, T) lines left in the stanza; ``fresh``: (B, T) 1 at the first step of a line;
    ``condition``: float (B, embed) from :meth:`EnglishVerseLSTM.condition`.
    """

    last: Tensor
    before: Tensor
    left: Tensor
    stage: Tensor
    fresh: Tensor
    condition: Tensor


class EnglishVerseLSTM(nn.Module):
    """Distributions over the next token of a line that is written from its end."""

    def __init__(self, config: EnglishVerseLSTMConfig) -> None:
        super().__init__()
        if not 0 < config.head < config.vocabulary:
            raise ValueError(f"head {config.head} of a vocabulary of {config.vocabulary}")
        self.config = config
        width = config.embed
        self.word = nn.Embedding(config.vocabulary, width)
        self.before = nn.Linear(width, width, bias=False)
        self.left = nn.Embedding(LONGEST + 1, width)
        self.stage = nn.Embedding(STAGES, width)
        self.fresh = nn.Embedding(2, width)
        self.author = nn.Embedding(config.authors, width)
        self.theme_weight = nn.Linear(width, 1)
        self.theme = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.lstm = nn.LSTM(width, config.hidden, batch_first=True)
        self.project = nn.Linear(config.hidden, width)
        self.condition_skip = nn.Linear(width, width, bias=False)
        self.rare = nn.Linear(width, 1)  # the logit of "none of the frequent words"
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        store_as(self, {"theme_weight": "weigh", "condition_skip": "remind"})
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.word.weight, std=self.config.embed**-0.5)
        for table in (self.left, self.stage, self.fresh, self.author):
            nn.init.normal_(table.weight, std=0.3)
        # An open forget gate at the start: the memory of the theme should survive the poem.
        with torch.no_grad():
            for name, parameter in self.lstm.named_parameters():
                if "bias_ih" in name:
                    parameter[self.config.hidden : 2 * self.config.hidden] = 1.0

    def _embed(self, ids: Tensor) -> Tensor:
        # The table is scaled for the softmax; as an input it should have unit variance.
        found: Tensor = self.word(ids) * self.config.embed**0.5
        return found

    def condition(self, theme: Tensor, author: Tensor) -> Tensor:
        """Theme words (B, K) padded with 0, author (B,) -> (B, embed)."""
        present = (theme != UNKNOWN).unsqueeze(-1)  # (B, K, 1)
        words = self._embed(theme)  # (B, K, embed)
        # A learned weight per word: "moon" says more than "great".
        weight = torch.sigmoid(self.theme_weight(words)) * present
        mixed = (words * weight).sum(1) / (weight.sum(1) + 0.1)
        summed: Tensor = self.theme(mixed) + self.author(author)
        return summed

    def features(self, inputs: LSTMInputs, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, embed) vectors from which :meth:`log_chances` follow, and the new state."""
        condition = inputs.condition.unsqueeze(1)  # (B, 1, embed)
        embedded = (
            self._embed(inputs.last)
            + self.before(self._embed(inputs.before))
            + self.left(inputs.left)
            + self.stage(inputs.stage)
            + self.fresh(inputs.fresh)
            + condition
        )
        hidden, after = self.lstm(embedded, state)  # (B, T, hidden)
        outputs: Tensor = self.project(hidden) + self.condition_skip(condition)
        return outputs, after

    def levels(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """(weights, bias) of the first level (head + 1, embed), its last row "rare", and of the second."""
        head = self.config.head
        first = torch.cat([self.word.weight[:head], self.rare.weight])
        first_bias = torch.cat([self.bias[:head], self.rare.bias])
        return (first, first_bias), (self.word.weight[head:], self.bias[head:])

    def log_chances(self, vectors: Tensor) -> Tensor:
        """(..., embed) -> log probabilities (..., vocabulary)."""
        (first, first_bias), (second, second_bias) = self.levels()
        frequent = nn.functional.linear(vectors, first, first_bias).log_softmax(-1)
        rare = nn.functional.linear(vectors, second, second_bias).log_softmax(-1)
        return torch.cat([frequent[..., :-1], frequent[..., -1:] + rare], -1)
