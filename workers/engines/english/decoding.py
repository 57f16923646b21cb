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

from workers.engines.bloom import BloomFilter
from workers.engines.english.lexicon import (
    CLOSING,
    FIRST_MARK,
    FIRST_WORD,
    MARKS,
    WITHIN,
    Lexicon,
)
from workers.engines.english.lines import Choice, Draft, Planner
from workers.nets.lyricist import LONGEST, STAGES, START, UNKNOWN, Lyricist, Reading, State

CANDIDATES = 12
GUIDANCE = 0.8
RELEVANCE = 0.5
"""How much a line gains from being likelier with the theme than without it, when lines are compared."""
WARMTH = 0.7
"""What a temperature of 1 means to the network."""
NUCLEUS = 0.9
TOP = 200
TOPIC, TOPIC_MOST = 0.45, 2.0
"""What words gain that stand near the theme in poems, per nat of mutual information, and at most, in nats."""
THEME_BONUS, THEME_HIT = 0.8, 3.0
"""For words of the theme not yet named: while a word is chosen, and when lines are compared, in nats."""
AGAIN, TWICE = 2.5, 4.0
"""What a word of sense costs that the poem has, and one that this line has, in nats."""
SHORTER = 0.8
"""Lines are compared by their likelihood over this power of their words: long words are no merit."""
KNOWN = 40.0
CHOICES = 6


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
        self.on_beat, self.off_beat = lexicon.beats()
        real = torch.arange(len(lexicon.words)) >= FIRST_WORD
        self.of_sense = real & ~lexicon.weak
        self.planner = Planner(lexicon)

    def near(self, theme: Sequence[int]) -> Tensor:
        """(V,) what each word gains, in nats, by standing near the words of a theme."""
        if not theme:
            return torch.zeros(len(self.lexicon.words))
        gain = (self.topics @ self.topics[list(theme)].T).mean(1)
        return (TOPIC * gain).clamp(0, TOPIC_MOST) * self.of_sense

    @torch.inference_mode()
    def write(self, drafts: Sequence[Draft]) -> Iterator[int]:
        """Fill in ``draft.tokens`` line by line; yields after every line with how many are finished.

        Between two lines the caller may set ``draft.dropped``. Each draft draws from its own generator, so
        it does not matter who else is in the batch.
        """
        bench = _Bench(self, [draft for draft in drafts if not draft.dropped])
        for line in range(drafts[0].form.lines):
            bench.keep()
            if not bench.drafts:
                return
            bench.line(line)
            yield line + 1


class _Bench:
    """The working memory: CANDIDATES rows per draft, neighbours of one another.

    ``state`` holds the rows with their theme, then the same rows without it.
    """

    def __init__(self, composer: Composer, drafts: list[Draft]) -> None:
        self.composer, self.lexicon, self.drafts = composer, composer.lexicon, drafts
        self.last = torch.full((len(drafts) * CANDIDATES,), START)
        size = max([len(d.theme) for d in drafts], default=1) or 1
        themes = [[*d.theme, *[UNKNOWN] * (size - len(d.theme))] for d in drafts]
        self.theme = self._rows(torch.tensor(themes, dtype=torch.int64).view(len(drafts), size))
        self.used = torch.zeros(len(drafts), len(self.lexicon.words), dtype=torch.bool)
        self.near = torch.stack([composer.near(draft.theme) for draft in drafts]) if drafts else self.used
        # The state begins as zeros, as the network takes it when there is none.
        hidden = composer.model.config.hidden
        shape = (1, 2 * len(self.last), hidden)
        self.state: State = (
            torch.zeros(shape, device=composer.device),
            torch.zeros(shape, device=composer.device),
        )
        self.condition = self._conditions()

    @staticmethod
    def _rows(values: Tensor) -> Tensor:
        return values.repeat_interleave(CANDIDATES, 0)

    def _conditions(self) -> Tensor:
        """(2 * rows, embed): with theme and author, then with the author alone."""
        device = self.composer.device
        author = self._rows(torch.tensor([d.author for d in self.drafts], dtype=torch.int64))
        both = torch.cat([self.theme, torch.zeros_like(self.theme)])
        return self.composer.model.condition(both.to(device), author.repeat(2).to(device))

    def keep(self) -> None:
        """Forget the rows of dropped drafts."""
        chosen = [i for i, draft in enumerate(self.drafts) if not draft.dropped]
        if len(chosen) == len(self.drafts):
            return
        rows = torch.tensor(
            [i * CANDIDATES + c for i in chosen for c in range(CANDIDATES)], dtype=torch.int64
        )
        both = torch.cat([rows, rows + len(self.last)])
        self.last, self.theme = self.last[rows], self.theme[rows]
        self.used, self.near = self.used[chosen], self.near[chosen]
        self.condition = self.condition[both]
        self.state = (self.state[0][:, both], self.state[1][:, both])
        self.drafts = [self.drafts[i] for i in chosen]

    def line(self, number: int) -> None:
        """Write line ``number`` of every draft."""
        writing = _Line(self, number)
        while writing.step():
            pass
        best = writing.best()
        rows = self._rows(best)
        both = torch.cat([rows, rows + len(self.last)])
        self.state = (self.state[0][:, both], self.state[1][:, both])
        self.last = self.last[rows]
        for place, draft in enumerate(self.drafts):
            tokens = writing.written[int(best[place])]
            draft.tokens.append(tokens[::-1])
            draft.choices.append(writing.chosen_from(int(best[place])))
            self.used[place, tokens] = True


class _Line:
    """One line of every draft on its way: what each row has written of it, last word first.

    Rows that are on their way have all made the same number of steps: a mark, the last word, the others.
    """

    def __init__(self, bench: _Bench, number: int) -> None:
        self.bench, self.number = bench, number
        composer, drafts, lexicon = bench.composer, bench.drafts, bench.lexicon
        form = drafts[0].form
        self.template = form.templates[number]
        self.final = number == form.lines - 1
        rows = len(bench.last)
        self.left = torch.full((rows,), len(self.template))
        self.written: list[list[int]] = [[] for _ in range(rows)]
        self.steps = 0
        self.score = torch.zeros(rows)
        rules = [composer.planner.rules(self.template, draft.letter(number)) for draft in drafts]
        different = list(dict.fromkeys(rules))
        self.words = torch.stack([each.words for each in different])  # (rules, length + 1, V)
        self.rule = bench._rows(torch.tensor([different.index(each) for each in rules]))
        self.ends = torch.stack([composer.planner.ends(draft, number) for draft in drafts])
        self.choices: list[tuple[Tensor, Tensor, Tensor]] = []
        self.commas = torch.zeros(rows, dtype=torch.bool)
        # What the poem so far and its theme make of every word, in nats (drafts, V).
        silent = [not any(bench.used[i, list(d.theme)]) for i, d in enumerate(drafts)]
        # Whoever has not named the theme by now should hurry.
        hurry = 1.0 + 2.0 * torch.tensor(silent) * number / form.lines
        self.taste = bench.near - AGAIN * (bench.used & composer.of_sense).float()
        for place, draft in enumerate(drafts):
            fresh = [token for token in draft.theme if not bench.used[place, token]]
            self.taste[place, fresh] += THEME_BONUS * hurry[place]
        self.beat = torch.stack([composer.off_beat, composer.on_beat, torch.zeros(len(lexicon.words))])
        self.beat_of = torch.tensor(["ws.".index(slot) for slot in self.template])
        before = [draft.tokens[-1] if draft.tokens else [START] for draft in drafts]
        # The word with which the line above ends, not its mark.
        words = [next((t for t in reversed(tokens) if t >= FIRST_WORD), START) for tokens in before]
        self.before = bench._rows(torch.tensor(words))
        self.stage = min(form.lines_left(number), STAGES - 1)

    def step(self) -> bool:
        """Choose one token in every row that is not finished; False when all are."""
        bench, lexicon = self.bench, self.bench.lexicon
        active = torch.nonzero(self.left > 0)[:, 0]
        if not len(active):
            return False
        draft_of = active // CANDIDATES
        guided, likely = self._log_chances(active)
        guided += self._wishes(active)
        guided.masked_fill_(~self._allowed(active), -torch.inf)
        warmth = torch.tensor([WARMTH * d.temperature for d in bench.drafts])[draft_of, None]
        values, ids = guided.topk(min(TOP, guided.shape[1]))
        chances = torch.softmax(values / warmth, 1)
        chances[chances.cumsum(1) - chances > NUCLEUS] = 0.0
        # A draft draws for all of its rows as long as one is on its way: its luck is its own.
        luck = torch.zeros(len(self.left))
        for place in sorted(set(draft_of.tolist())):
            draws = torch.rand(CANDIDATES, generator=bench.drafts[place].generator)
            luck[place * CANDIDATES : (place + 1) * CANDIDATES] = draws
        chosen = ids.gather(1, pick(chances, luck[active])[:, None])[:, 0]
        chosen = torch.where((forced := self._forced(active)) >= 0, forced, chosen)
        shares = chances[:, :CHOICES] / chances.sum(1, keepdim=True)
        self.choices.append((active, ids[:, :CHOICES], shares))
        gain = likely.gather(1, chosen[:, None])[:, 0] + bench.near[draft_of, chosen]
        fresh = (bench.theme[active] == chosen[:, None]).any(1) & ~bench.used[draft_of, chosen]
        self.score[active] += gain + THEME_HIT * fresh
        self.left[active] -= lexicon.syllables[chosen]
        if self.steps:
            self.commas[active] |= chosen < FIRST_WORD
        bench.last[active] = chosen
        for row, token in zip(active.tolist(), chosen.tolist(), strict=True):
            self.written[row].append(token)
        self.steps += 1
        return True

    def _forced(self, active: Tensor) -> Tensor:
        """(active,) the token that is given for this step, -1 where there is none."""
        forced = torch.full((len(self.bench.drafts),), -1)
        for place, draft in enumerate(self.bench.drafts):
            given = draft.given.get(self.number, ())
            if self.steps < len(given):
                forced[place] = given[-1 - self.steps]
        return forced[active // CANDIDATES]

    def chosen_from(self, row: int) -> list[Choice]:
        """What was likely at every token of a row, in reading order."""
        found: list[Choice] = []
        for active, ids, shares in self.choices:
            place = torch.nonzero(active == row)[:, 0]
            for i in place.tolist():
                pairs = zip(ids[i].tolist(), shares[i].tolist(), strict=True)
                found.append([(token, round(share, 4)) for token, share in pairs if share > 0])
        return found[::-1]

    def _log_chances(self, active: Tensor) -> tuple[Tensor, Tensor]:
        """Log likelihoods to sample from and to compare lines by, float32 (active, V) on the CPU."""
        bench, composer = self.bench, self.bench.composer
        device, rows = composer.device, len(bench.last)
        both = torch.cat([active, active + rows])

        def twice(values: Tensor) -> Tensor:
            return values.repeat(2)[:, None].to(device)

        fresh = torch.full_like(active, int(self.steps == 0))
        reading = Reading(
            last=twice(bench.last[active]),
            before=twice(self.before[active]),
            left=twice(self.left[active].clamp_max(LONGEST)),
            stage=twice(torch.full_like(fresh, self.stage)),
            fresh=twice(fresh),
            condition=bench.condition[both],
        )
        state = (bench.state[0][:, both].contiguous(), bench.state[1][:, both].contiguous())
        vectors, after = composer.model.features(reading, state)
        bench.state[0][:, both], bench.state[1][:, both] = after
        told, untold = composer.model.log_chances(vectors[:, 0]).float().cpu().chunk(2)
        return torch.lerp(untold, told, 1.0 + GUIDANCE), torch.lerp(untold, told, 1.0 + RELEVANCE)

    def _wishes(self, active: Tensor) -> Tensor:
        """(active, V): what the theme, the beat and the dislike of repetition add, in nats."""
        wishes = self.taste[active // CANDIDATES] + self.beat[self.beat_of[self.left[active] - 1]]
        for place, row in enumerate(active.tolist()):
            here = [token for token in self.written[row] if self.bench.composer.of_sense[token]]
            wishes[place, here] = -TWICE
        return wishes

    def _allowed(self, active: Tensor) -> Tensor:
        """(active, V) bool: what may come next in each row."""
        if self.steps == 0:
            marks = torch.zeros(len(active), len(self.bench.lexicon.words), dtype=torch.bool)
            marks[:, [FIRST_MARK + MARKS.index(mark) for mark in (CLOSING if self.final else MARKS)]] = True
            return marks
        if self.steps == 1:
            return self.ends[active // CANDIDATES]
        allowed = self.words[self.rule[active], self.left[active]]  # a copy
        last = self.bench.last[active]
        may_pause = (last >= FIRST_WORD) & ~self.commas[active]
        allowed[:, [FIRST_MARK + MARKS.index(mark) for mark in WITHIN]] = may_pause[:, None]
        lexicon, is_word = self.bench.lexicon, torch.arange(allowed.shape[1]) >= FIRST_WORD
        unwanted = torch.zeros_like(allowed)
        # A pause comes after a word that could end a line, not after "and" or "the".
        unwanted[last < FIRST_WORD] = ~lexicon.ends & is_word
        # No word stands beside itself; "a" before a consonant, "an" before a vowel.
        unwanted[torch.arange(len(active)), torch.where(last >= FIRST_WORD, last, UNKNOWN)] = True
        for article, wrong in (("a", lexicon.open[last]), ("an", ~lexicon.open[last])):
            if article in lexicon.index:
                unwanted[:, lexicon.index[article]] |= wrong
        # These are manners, not rules: where nothing else fits, they are waived.
        polite = allowed & ~unwanted
        waived = ~(polite & is_word).any(1)
        polite[waived] = allowed[waived]
        return polite

    def best(self) -> Tensor:
        """(drafts,) the row of each draft's likeliest line that no poem of the training has."""
        score = self.score.clone()
        for row, tokens in enumerate(self.written):
            score[row] /= len(tokens) ** SHORTER
            words = [self.bench.lexicon.words[t] for t in reversed(tokens) if t >= FIRST_WORD]
            if " ".join(words) in self.bench.composer.known_lines:
                score[row] -= KNOWN
        places = torch.arange(len(self.bench.drafts)) * CANDIDATES
        return places + score.view(-1, CANDIDATES).argmax(1)


def pick(chances: Tensor, draws: Tensor) -> Tensor:
    """Indices (rows,) by inverse transform sampling: ``chances`` (rows, K) need not sum to one."""
    totals = chances.double().cumsum(1)
    places = torch.searchsorted(totals, draws.double()[:, None] * totals[:, -1:], right=True)
    # A draw close to one may round past the last word that has a chance.
    last = (chances > 0).sum(1, keepdim=True) - 1
    return torch.minimum(places, last)[:, 0]
