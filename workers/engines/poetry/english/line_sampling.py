"""Sampling one line of every draft: several candidates side by side, of which the likeliest is taken.

A line is written from its end: a mark, the last word, then the words before it. Candidates with the same
tokens so far are one node, for which everything up to the draw is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.english.lexicon import CLOSING, FIRST_MARK, FIRST_WORD, MARKS, WITHIN, Lexicon
from workers.engines.poetry.english.next_token import NextTokenPredictor, Nodes
from workers.engines.poetry.english.planning import Alternatives, Draft, Planner
from workers.engines.poetry.sampling import sample_categorical
from workers.nets.english_verse_lstm import STAGES, START, UNKNOWN, State

# Values without a source below were set by hand; there is no record of a search over them.
CANDIDATES = 6
"""Of each line."""
NUCLEUS_TEMPERATURE, NUCLEUS = 0.68, 0.9
"""Which tokens may be drawn: the likeliest that together have this chance at this temperature."""
DRAW_TEMPERATURE = 0.9
"""The temperature at which one of them is drawn: flatter, for variety without unlikely words. The
request's temperature multiplies both."""
TOP_K = 128
"""At most so many tokens may be drawn."""
THEME_HIT = 3.0
"""What a candidate gains for each word of the theme not yet named, in nats."""
REPEATED_IN_LINE = 4.0
"""What a content word costs that stands in this line already, in nats."""
LENGTH_POWER = 0.8
"""Candidates are compared by log likelihood divided by this power of their number of tokens, so that few long
words are not preferred (the length normalisation of Wu et al. 2016)."""
ALTERNATIVES = 6
"""How many likely tokens are remembered for each place."""
NODES_AT_ONCE = 96
"""More nodes would take memory and be no faster."""
ENDS = [FIRST_MARK + MARKS.index(mark) for mark in MARKS]
CLOSES = [FIRST_MARK + MARKS.index(mark) for mark in CLOSING]
PAUSES = [FIRST_MARK + MARKS.index(mark) for mark in WITHIN]


@dataclass(slots=True)
class LogitBias:
    """What is added to logits, for D drafts, in nats.

    ``affinity`` (D, V): for words near the theme; ``bias`` (D, V): that with theme words and repetition;
    ``on_beat``, ``off_beat`` (V,). ``used`` (D, V) bool: the words that the poem has.
    """

    affinity: Tensor
    used: Tensor
    bias: Tensor
    on_beat: Tensor
    off_beat: Tensor


@dataclass(slots=True)
class _Draw:
    """For N nodes: K tokens that may follow, likeliest first, and their chances, (N, K) each; log likelihoods
    ``likely`` (N, K) of these and ``forced`` (N,) of the token that is given."""

    ids: Tensor
    chances: Tensor
    likely: Tensor
    forced: Tensor


class LineSampler:
    """Line ``number`` of every draft. Row ``r`` is a candidate of draft ``r // CANDIDATES``."""

    def __init__(
        self,
        drafts: Sequence[Draft],
        number: int,
        lexicon: Lexicon,
        planner: Planner,
        predictor: NextTokenPredictor,
        nodes: Nodes,
        bias: LogitBias,
        of_sense: Tensor,
    ) -> None:
        self.drafts, self.number, self.lexicon, self.predictor = drafts, number, lexicon, predictor
        self.nodes, self.of_sense, self.affinity, self.used = nodes, of_sense, bias.affinity, bias.used
        form, count, words = drafts[0].form, len(drafts), len(lexicon.words)
        template = form.templates[number]
        self.length, self.final = len(template), number == form.lines - 1
        self.stage = min(form.lines_left(number), STAGES - 1)
        rules = [planner.rules(template, draft.letter(number)) for draft in drafts]
        different = list(dict.fromkeys(rules))
        self.words = torch.stack([each.words for each in different])  # (rules, length + 1, V)
        self.rule = torch.tensor([different.index(each) for each in rules])
        self.ends = torch.stack([planner.ends(draft, number) for draft in drafts])
        # By draft, and whether the next syllable from the end is off the beat, on it, or free.
        beats = torch.stack([bias.off_beat, bias.on_beat, torch.zeros(words)])
        self.bias = bias.bias[:, None] + beats  # (drafts, 3, V)
        self.beat_of = torch.tensor([0, *("ws.".index(slot) for slot in template)])
        self.pausing = torch.tensor(PAUSES)
        self.article = {word: lexicon.index[word] for word in ("a", "an") if word in lexicon.index}
        self.after_pause = lexicon.ends.clone()
        self.after_pause[:FIRST_WORD] = True
        self.temperature = torch.tensor([draft.temperature for draft in drafts])
        self.theme = _padded([list(draft.theme) for draft in drafts])
        # Every draft draws for all of its candidates, whether they are on their way or not.
        steps = 2 * self.length + 2
        self.uniform_draws = torch.cat(
            [torch.rand((steps, CANDIDATES), generator=draft.generator) for draft in drafts], 1
        )
        given = [list(reversed(draft.given.get(number, ()))) for draft in drafts]
        self.given = _padded(given, steps, -1)  # (drafts, steps)
        rows = count * CANDIDATES
        self.steps = 0
        self.node = torch.arange(count).repeat_interleave(CANDIDATES)  # (rows,)
        self.draft_of = torch.arange(count)  # of every node, as the following
        self.left = torch.full((count,), self.length)
        self.paused = torch.zeros(count, dtype=torch.bool)
        self.written = torch.zeros(count, 0, dtype=torch.int64)
        self.going = torch.ones(rows, dtype=torch.bool)
        self.score = torch.zeros(rows)
        self.found = torch.full((rows, steps), UNKNOWN)
        self.options: list[tuple[Tensor, Tensor]] = []
        hidden = nodes.state[0].shape[2]
        self.finished = torch.zeros(2, rows, hidden, device=nodes.condition.device)

    @property
    def done(self) -> int:
        """Syllables that every candidate on its way has written."""
        return self.length - int(self.left.max()) if self.going.any() else self.length

    def step(self) -> bool:
        """Choose one token in every row that is on its way; False when none is."""
        for place, draft in enumerate(self.drafts):
            if draft.dropped:
                self.going[place * CANDIDATES : (place + 1) * CANDIDATES] = False
        rows = torch.nonzero(self.going)[:, 0]
        if not len(rows):
            return False
        self._forget(rows)
        drawn = self._draw()
        at, draft_of = self.node[rows], rows // CANDIDATES
        picked = sample_categorical(drawn.chances[at], self.uniform_draws[self.steps, rows, None])[:, 0]
        chosen = drawn.ids[at, picked]
        likely = drawn.likely[at, picked]
        forced = self.given[draft_of, self.steps]
        chosen = torch.where(forced >= 0, forced, chosen)
        gain = torch.where(forced >= 0, drawn.forced[at], likely) + self.affinity[draft_of, chosen]
        fresh = (self.theme[draft_of] == chosen[:, None]).any(1) & ~self.used[draft_of, chosen]
        self.score[rows] += gain + THEME_HIT * fresh
        self.found[rows, self.steps] = chosen
        self._remember(rows, at, drawn)
        self._branch(rows, at, chosen)
        self.steps += 1
        return True

    def _forget(self, rows: Tensor) -> None:
        """Keep the nodes that still have a candidate."""
        needed, self.node[rows] = torch.unique(self.node[rows], return_inverse=True)
        if len(needed) < len(self.nodes):
            self.nodes = self.nodes.select(needed)
            self.draft_of, self.left = self.draft_of[needed], self.left[needed]
            self.paused, self.written = self.paused[needed], self.written[needed]

    def _branch(self, rows: Tensor, at: Tensor, chosen: Tensor) -> None:
        """Candidates that chose the same go on as one node; finished ones leave what was read of them."""
        vocabulary = len(self.lexicon.words)
        keys, self.node[rows] = torch.unique(at * vocabulary + chosen, return_inverse=True)
        parent, token = keys // vocabulary, keys % vocabulary
        self.nodes = self.nodes.select(parent)
        self.nodes.last = token
        self.draft_of, self.left = self.draft_of[parent], self.left[parent] - self.lexicon.syllables[token]
        mark_within = (token < FIRST_WORD) & (self.steps > 0)
        self.paused = self.paused[parent] | mark_within
        self.written = torch.cat([self.written[parent], token[:, None]], 1)
        ended = rows[self.left[self.node[rows]] <= 0]
        self.going[ended] = False
        nodes = self.node[ended]
        for part, state in enumerate(self.nodes.state):
            self.finished[part, ended] = state[0, nodes]

    def _remember(self, rows: Tensor, at: Tensor, drawn: _Draw) -> None:
        """Keep what else was likely at this step."""
        shares = drawn.chances[:, :ALTERNATIVES] / drawn.chances.sum(1, keepdim=True)
        size = shares.shape[1]
        ids = torch.zeros(len(self.going), size, dtype=torch.int64)
        chances = torch.zeros(len(self.going), size)
        ids[rows], chances[rows] = drawn.ids[at, :size], shares[at]
        self.options.append((ids, chances))

    def _draw(self) -> _Draw:
        """What may follow every node, and the nodes' states after reading. In parts that fit the cache."""
        parts, states = [], []
        for start in range(0, len(self.nodes), NODES_AT_ONCE):
            some = torch.arange(start, min(start + NODES_AT_ONCE, len(self.nodes)))
            nodes = self.nodes.select(some) if len(some) < len(self.nodes) else self.nodes
            parts.append(self._draw_some(nodes, some))
            states.append(nodes.state)
        if len(parts) == 1:
            return parts[0]
        hidden, cell = (torch.cat(halves, 1) for halves in zip(*states, strict=True))
        self.nodes.state = (hidden, cell)
        return _Draw(
            torch.cat([part.ids for part in parts]),
            torch.cat([part.chances for part in parts]),
            torch.cat([part.likely for part in parts]),
            torch.cat([part.forced for part in parts]),
        )

    def _draw_some(self, nodes: Nodes, some: Tensor) -> _Draw:
        draft_of, left = self.draft_of[some], self.left[some]
        predicted = self.predictor.predict(nodes, left, self.stage, self.steps == 0)
        guided = self.bias[draft_of, self.beat_of[left]]  # a copy
        here = torch.where(self.of_sense[self.written[some]], self.written[some], UNKNOWN)
        guided.scatter_(1, here, -REPEATED_IN_LINE)
        guided.scatter_(1, self.lexicon.genitive_partner[here], -REPEATED_IN_LINE)
        guided += predicted.guided
        guided.masked_fill_(~self._allowed(some), -torch.inf)
        values, ids = guided.topk(min(TOP_K, guided.shape[1]))
        temperature = self.temperature[draft_of, None]
        sure = torch.softmax(values * (1 / NUCLEUS_TEMPERATURE) / temperature, 1)
        # The chances of few words are near one; drawn at that temperature, poems would be alike.
        values = values.masked_fill(sure.cumsum(1) - sure > NUCLEUS, -torch.inf)
        chances = torch.softmax(values * (1 / DRAW_TEMPERATURE) / temperature, 1)
        forced = self.given[draft_of, self.steps].clamp_min(0)
        return _Draw(ids, chances, predicted.likely(ids), predicted.likely(forced[:, None])[:, 0])

    def _allowed(self, some: Tensor) -> Tensor:
        """(nodes, V) bool: what may come next."""
        draft_of, left = self.draft_of[some], self.left[some]
        if self.steps == 0:
            marks = torch.zeros(len(some), len(self.lexicon.words), dtype=torch.bool)
            marks[:, CLOSES if self.final else ENDS] = True
            return marks
        if self.steps == 1:
            return self.ends[draft_of]
        last = self.written[some, -1]
        after_word = last >= FIRST_WORD
        fitting = self.words[self.rule[draft_of], left]  # a copy
        # A pause comes after a word that could end a line, not after "and" or "the".
        allowed = fitting & (self.after_pause | after_word[:, None])
        # No word stands beside itself; "a" before a consonant, "an" before a vowel.
        allowed[after_word, last[after_word]] = False
        if "a" in self.article:
            allowed[:, self.article["a"]] &= ~self.lexicon.open[last]
        if "an" in self.article:
            allowed[:, self.article["an"]] &= self.lexicon.open[last]
        # These are preferences, not rules: where nothing else fits, they are waived.
        waived = ~allowed.any(1)
        allowed[waived] = fitting[waived]
        allowed[:, self.pausing] = (after_word & ~self.paused[some])[:, None]
        return allowed

    def best(self, known_lines: BloomFilter) -> Tensor:
        """(drafts,) the row of each draft's likeliest line that no poem of the training has."""
        lengths = (self.found != UNKNOWN).sum(1)
        # A power of many numbers at once may have other last digits than that of few.
        powers = torch.tensor([1.0, *(length**LENGTH_POWER for length in range(1, self.found.shape[1] + 1))])
        comparable = (self.score / powers[lengths]).view(-1, CANDIDATES)
        ranked = comparable.argsort(dim=1, descending=True, stable=True)
        best = []
        for place, order in enumerate(ranked.tolist()):
            rows = [place * CANDIDATES + candidate for candidate in order]
            best.append(next((row for row in rows if self._text(row) not in known_lines), rows[0]))
        return torch.tensor(best)

    def _text(self, row: int) -> str:
        return " ".join(self.lexicon.words[token] for token in self.tokens(row) if token >= FIRST_WORD)

    def tokens(self, row: int) -> list[int]:
        """The tokens of a finished row in reading order."""
        return [token for token in self.found[row].tolist() if token != UNKNOWN][::-1]

    def alternatives(self, row: int) -> list[Alternatives]:
        """What was likely at every token of a row, in reading order."""
        found: list[Alternatives] = []
        for ids, shares in self.options[: len(self.tokens(row))]:
            pairs = zip(ids[row].tolist(), shares[row].tolist(), strict=True)
            found.append([(token, round(share, 4)) for token, share in pairs if share > 0])
        return found[::-1]

    def after(self, rows: Tensor) -> tuple[State, Tensor]:
        """With what the next line begins: the states, and the tokens to be read."""
        hidden, cell = self.finished[:, None, rows]  # (1, drafts, hidden) each
        first = torch.tensor([next(iter(self.tokens(row)), START) for row in rows.tolist()])
        return (hidden.contiguous(), cell.contiguous()), first


def _padded(lists: Sequence[Sequence[int]], size: int = 0, filling: int = UNKNOWN) -> Tensor:
    """int64 (lists, size) with ``filling`` behind the shorter ones."""
    size = max([size, 1, *map(len, lists)])
    return torch.tensor([[*one, *[filling] * (size - len(one))] for one in lists], dtype=torch.int64)
