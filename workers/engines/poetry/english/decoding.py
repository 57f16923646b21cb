"""Writing English verse with a language model: syllables, beats and rhymes hold by construction.

Each line is written from its end. Several candidates are sampled side by side under the rules and the
likeliest goes on. Before every word it is known exactly which lengths can still be filled, so that no line
becomes impossible to end; a rhyme is begun only if enough words are left to answer it. The theme acts
through the network's condition, amplified where it reaches the output (see :mod:`.next_token`), and through
a bias for words that stand near it in poems.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.english.lexicon import FIRST_WORD, Lexicon
from workers.engines.poetry.english.line_sampling import LineSampler, LogitBias
from workers.engines.poetry.english.next_token import NextTokenPredictor, Nodes
from workers.engines.poetry.english.planning import THEME_WORDS, Draft, Planner
from workers.nets.english_verse_lstm import START, UNKNOWN, EnglishVerseLSTM, State

# Values without a source below were set by hand; there is no record of a search over them.
TOPIC_WEIGHT, TOPIC_MOST = 1.3, 3.5
"""What words gain that stand near the theme in poems: per nat of mutual information, and at most, in nats."""
THEME_BONUS = 1.8
"""For words of the theme not yet named, while a word is chosen, in nats."""
RARITY_WEIGHT, RARITY_RANK = 0.3, 3000
"""What a word of sense gains per nat of its rank, down to RARITY_RANK: without it poems share the same
few words."""
REPEATED_IN_POEM = 4.0
"""What a word of sense costs that the poem has, in nats."""


class EnglishDecoder:
    """Writes drafts of one form side by side. ``model`` is in evaluation mode on ``device``.

    ``topics``: float (V, R), products of rows say how much likelier two words stand together than by chance.
    """

    def __init__(
        self,
        model: EnglishVerseLSTM,
        lexicon: Lexicon,
        topics: Tensor,
        known_lines: BloomFilter,
        device: torch.device,
    ) -> None:
        self.model, self.lexicon, self.known_lines, self.device = model, lexicon, known_lines, device
        self.topics = topics
        self.predictor = NextTokenPredictor(model, device)
        self.on_beat, self.off_beat = lexicon.beats()
        real = torch.arange(len(lexicon.words)) >= FIRST_WORD
        self.of_sense = real & ~lexicon.weak
        ranks = torch.arange(len(lexicon.words)).clamp(FIRST_WORD, RARITY_RANK)
        self.rarity = RARITY_WEIGHT * torch.log(ranks / FIRST_WORD) * self.of_sense
        self.planner = Planner(lexicon)

    def affinity(self, theme: Sequence[int]) -> Tensor:
        """(V,) what each word gains, in nats, for standing near the words of a theme, and for being rare."""
        if not theme:
            return self.rarity
        gain = (self.topics @ self.topics[list(theme)].T).mean(1)
        return (TOPIC_WEIGHT * gain).clamp(0, TOPIC_MOST) * self.of_sense + self.rarity

    @torch.inference_mode()
    def write(self, drafts: Sequence[Draft]) -> Iterator[int]:
        """Fill in ``draft.tokens`` line by line; yields after every word with how many syllables are written.

        Between two words the caller may set ``draft.dropped``. Each draft draws from its own generator, so
        it does not matter who else is in the batch.
        """
        left = [draft for draft in drafts if not draft.dropped]
        if not left:
            return
        batch, written = _Batch(self, left), 0
        for number, template in enumerate(drafts[0].form.templates):
            batch.keep()
            if not batch.drafts:
                return
            line = batch.line(number)
            while line.step():
                if line.done < len(template):
                    yield written + line.done
            batch.take(line)
            written += len(template)
            yield written


class _Batch:
    """The working memory between two lines, one row per draft."""

    def __init__(self, decoder: EnglishDecoder, drafts: list[Draft]) -> None:
        self.decoder, self.drafts = decoder, drafts
        count, words = len(drafts), len(decoder.lexicon.words)
        self.last = torch.full((count,), START)
        self.used = torch.zeros(count, words, dtype=torch.bool)
        self.affinity = torch.stack([decoder.affinity(draft.theme) for draft in drafts])
        # The state begins as zeros, as the network takes it when there is none.
        shape = (1, count, decoder.model.config.hidden)
        self.state: State = (
            torch.zeros(shape, device=decoder.device),
            torch.zeros(shape, device=decoder.device),
        )
        self.condition, self.skipped_condition = self._conditions()

    def _conditions(self) -> tuple[Tensor, Tensor]:
        """Of every draft what :meth:`NextTokenPredictor.conditions` says."""
        # Always of one width, for a sum over them is not the same when there are more.
        size = max([THEME_WORDS, *(len(draft.theme) for draft in self.drafts)])
        themes = [[*draft.theme, *[UNKNOWN] * (size - len(draft.theme))] for draft in self.drafts]
        authors = [draft.author for draft in self.drafts]
        return self.decoder.predictor.conditions(torch.tensor(themes), torch.tensor(authors))

    def keep(self) -> None:
        """Forget the rows of dropped drafts."""
        rows = [i for i, draft in enumerate(self.drafts) if not draft.dropped]
        if len(rows) == len(self.drafts):
            return
        chosen = torch.tensor(rows, dtype=torch.int64)
        self.last, self.used, self.affinity = self.last[chosen], self.used[chosen], self.affinity[chosen]
        there = chosen.to(self.condition.device)
        self.condition, self.skipped_condition = self.condition[there], self.skipped_condition[there]
        self.state = (self.state[0][:, there], self.state[1][:, there])
        self.drafts = [self.drafts[i] for i in rows]

    def line(self, number: int) -> LineSampler:
        """Begin line ``number`` of every draft."""
        decoder, drafts = self.decoder, self.drafts
        before = [draft.tokens[-1] if draft.tokens else [START] for draft in drafts]
        # The word with which the line above ends, not its mark.
        words = [next((t for t in reversed(tokens) if t >= FIRST_WORD), START) for tokens in before]
        bias = LogitBias(
            self.affinity, self.used, self._logit_bias(number), decoder.on_beat, decoder.off_beat
        )
        return LineSampler(
            drafts,
            number,
            decoder.lexicon,
            decoder.planner,
            decoder.predictor,
            Nodes(self.state, self.condition, self.skipped_condition, self.last, torch.tensor(words)),
            bias,
            decoder.of_sense,
        )

    def _logit_bias(self, number: int) -> Tensor:
        """What the poems so far and their themes make of every word, in nats (drafts, V)."""
        bias = self.affinity - REPEATED_IN_POEM * (self.used & self.decoder.of_sense).float()
        for place, draft in enumerate(self.drafts):
            silent = not any(self.used[place, list(draft.theme)])
            # The longer the theme is not named, the more its words gain.
            hurry = 1.0 + 2.0 * silent * number / draft.form.lines
            fresh = [token for token in draft.theme if not self.used[place, token]]
            bias[place, fresh] += THEME_BONUS * hurry
        return bias

    def take(self, line: LineSampler) -> None:
        """Each draft that was not dropped goes on with its best line."""
        best = line.best(self.decoder.known_lines)
        self.state, self.last = line.after(best)
        for place, (draft, row) in enumerate(zip(self.drafts, best.tolist(), strict=True)):
            if draft.dropped:
                continue
            tokens = line.tokens(row)
            draft.tokens.append(tokens)
            draft.alternatives.append(line.alternatives(row))
            self.used[place, tokens] = True
