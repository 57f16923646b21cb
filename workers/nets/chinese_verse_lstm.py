"""A recurrent language model of regulated verse: an LSTM conditioned on the theme and the form's rules.

At every step the network reads the last character, the character that stands above the coming one
in the line before (couplets are parallel), the slot (form and position), what tone the slot and
the next one ask for, and a condition made of theme, rhyme, dynasty and poet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workers.nets.stored_keys import store_as

State = tuple[Tensor, Tensor]

UNKNOWN, START = 0, 1
"""Token ids before the characters: an unknown character (also padding in themes), the start of a poem."""


@dataclass(frozen=True, slots=True)
class ChineseVerseLSTMConfig:
    """Sizes. ``vocabulary`` counts the two special tokens."""

    vocabulary: int
    embed: int = 320  # input and output share one table, so this is also the width of the softmax
    hidden: int = 640
    layers: int = 1
    dropout: float = 0.0  # little data is seen twice in an hour on a CPU
    forms: int = 4
    slots: int = 56
    codes: int = 25  # pairs of slot codes
    rhymes: int = 31  # 30 level rhymes of the Pingshui book, 0 for unknown
    dynasties: int = 3  # 0 unknown, 1 Tang, 2 Song
    authors: int = 1  # 0 anybody

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ChineseVerseLSTMConfig:
        """Rebuild from a card; keys that belong to others are ignored."""
        return cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})


@dataclass(slots=True)
class LSTMInputs:
    """What the network reads at T steps of B poems (all int64 but the condition).

    ``last``, ``above``: (B, T) character ids; ``slot``: (T,) or (B, T) in [0, forms * slots);
    ``code``: (B, T) in [0, codes); ``condition``: float (B, embed) from :meth:`ChineseVerseLSTM.condition`.
    """

    last: Tensor
    above: Tensor
    slot: Tensor
    code: Tensor
    condition: Tensor


class ChineseVerseLSTM(nn.Module):
    """Next-character distributions over the vocabulary."""

    def __init__(self, config: ChineseVerseLSTMConfig) -> None:
        super().__init__()
        self.config = config
        width = config.embed
        self.character = nn.Embedding(config.vocabulary, width)
        self.above = nn.Linear(width, width, bias=False)
        self.slot = nn.Embedding(config.forms * config.slots, width)
        self.code = nn.Embedding(config.codes, width)
        self.rhyme = nn.Embedding(config.rhymes, width)
        self.dynasty = nn.Embedding(config.dynasties, width)
        self.author = nn.Embedding(config.authors, width)
        self.theme_weight = nn.Linear(width, 1)
        self.theme = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.lstm = nn.LSTM(
            width,
            config.hidden,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.drop = nn.Dropout(config.dropout)
        self.project = nn.Linear(config.hidden, width)
        self.condition_skip = nn.Linear(width, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        store_as(self, {"theme_weight": "weigh", "condition_skip": "remind"})
        self._initialise()

    def _initialise(self) -> None:
        width = self.config.embed
        nn.init.normal_(self.character.weight, std=width**-0.5)
        for table in (self.slot, self.code, self.rhyme, self.dynasty):
            nn.init.normal_(table.weight, std=0.3)
        # Few training poems have an author: a manner is learned as a difference from none.
        nn.init.zeros_(self.author.weight)
        # An open forget gate at the start: the memory of the theme should survive the poem.
        for name, parameter in self.lstm.named_parameters():
            if "bias_ih" in name:
                with torch.no_grad():
                    parameter[self.config.hidden : 2 * self.config.hidden] = 1.0

    def _embed(self, ids: Tensor) -> Tensor:
        # The table is scaled for the softmax; as an input it should have unit variance.
        found: Tensor = self.character(ids) * self.config.embed**0.5
        return found

    def condition(self, theme: Tensor, rhyme: Tensor, dynasty: Tensor, author: Tensor) -> Tensor:
        """Theme characters (B, K) padded with 0, rhyme, dynasty and author (B,) -> (B, embed)."""
        present = (theme != UNKNOWN).unsqueeze(-1)  # (B, K, 1)
        characters = self._embed(theme)  # (B, K, embed)
        # A learned weight per character: "moon" says more than "miscellaneous".
        weight = torch.sigmoid(self.theme_weight(characters)) * present
        mixed = (characters * weight).sum(1) / (weight.sum(1) + 0.1)
        summed: Tensor = self.theme(mixed) + self.rhyme(rhyme) + self.dynasty(dynasty) + self.author(author)
        return summed

    def features(self, inputs: LSTMInputs, state: State | None = None) -> tuple[Tensor, State]:
        """(B, T, embed) vectors whose products with the character table are logits, and the new state."""
        condition = inputs.condition.unsqueeze(1)  # (B, 1, embed)
        embedded = (
            self._embed(inputs.last)
            + self.above(self._embed(inputs.above))
            + self.slot(inputs.slot)
            + self.code(inputs.code)
            + condition
        )
        hidden, after = self.lstm(embedded, state)  # (B, T, hidden)
        outputs: Tensor = self.project(self.drop(hidden)) + self.condition_skip(condition)
        return outputs, after

    def logits(self, vectors: Tensor) -> Tensor:
        """(..., embed) -> (..., vocabulary)."""
        return nn.functional.linear(vectors, self.character.weight, self.bias)
