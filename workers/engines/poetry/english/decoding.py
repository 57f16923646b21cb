"""Writing English verse with a language model: syllables, beats and rhymes hold by construction.

Each line is written from its end. Several candidates are sampled side by side under the rules and the
likeliest goes on. Before every word it is known exactly which lengths can still be filled, so that no line
runs into a corner; a rhyme is opened only if enough words are left to answer it. The theme acts through
the network's condition, sharpened by classifier-free guidance (Ho and Salimans 2022).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.english.lexicon import FIRST_WORD, Lexicon
from workers.engines.poetry.english.line_sampling import Line, Tastes
from workers.engines.poetry.english.next_token import Forecaster, Nodes
from workers.engines.poetry.english.planning import THEME_WORDS, Draft, Planner
from workers.nets.english_verse_lstm import START, UNKNOWN, Lyricist, State

TOPIC, TOPIC_MOST = 1.3, 3.5
"""What words gain that stand near the theme in poems, per nat of mutual information, and at most, in nats."""
THEME_BONUS = 1.8
"""For words of the theme not yet named, while a word is chosen, in nats."""
RARER, RARE = 0.3, 3000
"""What a word of sense gains per nat of its rank, down to RARE: likely lines share the same few words."""
AGAIN = 4.0
"""What a word of sense costs that the poem has, in nats."""


class Composer:
    """Writes drafts of one form side by side. ``model`` is in evaluation mode on ``device``.

    ``topics``: float (V, R), products of rows say how much likelier two words stand together than by chance.
    """

    def __init__(
        self,
        model: Lyricist,
        lexicon: Lexicon,
        topics: Tensor,
        known_lines: BloomFilter,
        device: torch.device,
    ) -> None:
        self.model, self.lexicon, self.known_lines, self.device = model, lexicon, known_lines, device
        self.topics = topics
        self.forecaster = Forecaster(model, device)
        self.on_beat, self.off_beat = lexicon.beats()
        real = torch.arange(len(lexicon.words)) >= FIRST_WORD
        self.of_sense = real & ~lexicon.weak
        ranks = torch.arange(len(lexicon.words)).clamp(FIRST_WORD, RARE)
        self.rarity = RARER * torch.log(ranks / FIRST_WORD) * self.of_sense
        self.planner = Planner(lexicon)

    def near(self, theme: Sequence[int]) -> Tensor:
        """(V,) what each word gains, in nats, by standing near the words of a theme, and by being rare."""
        if not theme:
            return self.rarity
        gain = (self.topics @ self.topics[list(theme)].T).mean(1)
        return (TOPIC * gain).clamp(0, TOPIC_MOST) * self.of_sense + self.rarity

    @torch.inference_mode()
    def write(self, drafts: Sequence[Draft]) -> Iterator[int]:
        """Fill in ``draft.tokens`` line by line; yields after every word with how many syllables are written.

        Between two words the caller may set ``draft.dropped``. Each draft draws from its own generator, so
        it does not matter who else is in the batch.
        """
        left = [draft for draft in drafts if not draft.dropped]
        if not left:
            return
        bench, written = _Bench(self, left), 0
        for number, template in enumerate(drafts[0].form.templates):
            bench.keep()
            if not bench.drafts:
                return
            line = bench.line(number)
            while line.step():
                if line.done < len(template):
                    yield written + line.done
            bench.take(line)
            written += len(template)
            yield written


class _Bench:
    """The working memory between two lines, one row per draft."""

    def __init__(self, composer: Composer, drafts: list[Draft]) -> None:
        self.composer, self.drafts = composer, drafts
        count, words = len(drafts), len(composer.lexicon.words)
        self.last = torch.full((count,), START)
        self.used = torch.zeros(count, words, dtype=torch.bool)
        self.near = torch.stack([composer.near(draft.theme) for draft in drafts])
        # The state begins as zeros, as the network takes it when there is none.
        shape = (1, count, composer.model.config.hidden)
        self.state: State = (
            torch.zeros(shape, device=composer.device),
            torch.zeros(shape, device=composer.device),
        )
        self.condition, self.reminded = self._conditions()

    def _conditions(self) -> tuple[Tensor, Tensor]:
        """Of every draft what :meth:`Forecaster.conditions` says."""
        # Always of one width, for a sum over them is not the same when there are more.
        size = max([THEME_WORDS, *(len(draft.theme) for draft in self.drafts)])
        themes = [[*draft.theme, *[UNKNOWN] * (size - len(draft.theme))] for draft in self.drafts]
        authors = [draft.author for draft in self.drafts]
        return self.composer.forecaster.conditions(torch.tensor(themes), torch.tensor(authors))

    def keep(self) -> None:
        """Forget the rows of dropped drafts."""
        rows = [i for i, draft in enumerate(self.drafts) if not draft.dropped]
        if len(rows) == len(self.drafts):
            return
        chosen = torch.tensor(rows, dtype=torch.int64)
        self.last, self.used, self.near = self.last[chosen], self.used[chosen], self.near[chosen]
        there = chosen.to(self.condition.device)
        self.condition, self.reminded = self.condition[there], self.reminded[there]
        self.state = (self.state[0][:, there], self.state[1][:, there])
        self.drafts = [self.drafts[i] for i in rows]

    def line(self, number: int) -> Line:
        """Begin line ``number`` of every draft."""
        composer, drafts = self.composer, self.drafts
        before = [draft.tokens[-1] if draft.tokens else [START] for draft in drafts]
        # The word with which the line above ends, not its mark.
        words = [next((t for t in reversed(tokens) if t >= FIRST_WORD), START) for tokens in before]
        tastes = Tastes(self.near, self.used, self._taste(number), composer.on_beat, composer.off_beat)
        return Line(
            drafts,
            number,
            composer.lexicon,
            composer.planner,
            composer.forecaster,
            Nodes(self.state, self.condition, self.reminded, self.last, torch.tensor(words)),
            tastes,
            composer.of_sense,
        )

    def _taste(self, number: int) -> Tensor:
        """What the poems so far and their themes make of every word, in nats (drafts, V)."""
        taste = self.near - AGAIN * (self.used & self.composer.of_sense).float()
        for place, draft in enumerate(self.drafts):
            silent = not any(self.used[place, list(draft.theme)])
            # Whoever has not named the theme by now should hurry.
            hurry = 1.0 + 2.0 * silent * number / draft.form.lines
            fresh = [token for token in draft.theme if not self.used[place, token]]
            taste[place, fresh] += THEME_BONUS * hurry
        return taste

    def take(self, line: Line) -> None:
        """Each draft that was not dropped goes on with its best line."""
        best = line.best(self.composer.known_lines)
        self.state, self.last = line.after(best)
        for place, (draft, row) in enumerate(zip(self.drafts, best.tolist(), strict=True)):
            if draft.dropped:
                continue
            tokens = line.tokens(row)
            draft.tokens.append(tokens)
            draft.choices.append(line.choices(row))
            self.used[place, tokens] = True
