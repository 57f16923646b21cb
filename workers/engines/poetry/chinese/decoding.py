"""Writing regulated verse with a language model: every rule holds by construction.

For each line several candidates are sampled side by side under the rules (tone, rhyme, no character
twice, no line of the training poems) and the likeliest goes on. Rhymes that are still needed are kept
back, so that no line takes the last of them. The theme acts through the network's condition, sharpened
by a cheap relative of classifier-free guidance (Ho and Salimans 2022), and a mild bonus for its own
characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.lstm_stepper import Reader, StepTables
from workers.engines.poetry.chinese.rhyme_dictionaries import Book
from workers.engines.poetry.chinese.themes import THEME_SIZE
from workers.engines.poetry.chinese.vocabulary_masks import Choice, Choices, Rules
from workers.engines.poetry.fixed_blocks import in_blocks, product
from workers.engines.poetry.sampling import pick
from workers.nets.chinese_verse_lstm import START, UNKNOWN, Poet

CANDIDATES = 3
"""Lines to choose from: more are likelier lines, but the same ones again and again, and slower."""
GUIDANCE = 0.9
"""How much more the theme counts than the network was taught."""
COOL, NUCLEUS = 0.8, 0.92
"""Which characters may be drawn: the likeliest that together have this chance at this temperature."""
WARMTH = 1.85
"""How warm one of them is drawn, warmer than they were found: variety without what is odd."""
TOP = 128
"""At most so many may be drawn."""
PARALLEL = 0.7
"""Weight of the couplet table; on held-out poems half the weight of the evidence predicts best."""
CLASH = 3.0
"""What a second season costs, in nats: spring blossoms do not follow autumn leaves."""
SEASONS = "春夏秋冬"
THEME_BONUS = 0.8
THEME_HIT = 1.5
"""What a candidate line gains for each new theme character, in nats."""
REPEATED = 40.0
"""What a candidate loses, in nats, for being a line of the training poems."""
OPTIONS = 6
"""How many of the characters that might have stood in a place are remembered."""
NARROW = 64
"""A rhyme with fewer free characters is kept back for the ends of lines."""
FREE = -1
"""Where a token is still to be chosen."""


@dataclass(slots=True)
class Draft:
    """One poem in the making. ``forced`` maps a slot to (token id, the character to print).

    ``rhyme`` is an index into the rhymes of ``book``, or None; ``author``: 0 for nobody's manner.
    ``mirror``: slots that repeat another's character. ``swap``: the first line that is written is the
    last that is read.
    """

    form: prosody.Form
    book: Book
    rhyme: int | None
    codes: tuple[int, ...]
    theme: tuple[int, ...]
    forced: Mapping[int, tuple[int, str]]
    temperature: float
    generator: torch.Generator
    dynasty: int = 1
    mirror: Mapping[int, int] = field(default_factory=dict)
    swap: bool = False
    author: int = 0
    text: str = ""  # finished lines, as they were written
    options: list[list[tuple[str, float]]] = field(default_factory=list)
    """For each slot what the rules allowed there, likeliest first, with its chance."""
    dropped: bool = field(default=False)

    @property
    def told_rhyme(self) -> int:
        """The rhyme that the network is told: 1..30, 0 for none."""
        return 0 if self.rhyme is None else int(self.book.told[self.rhyme])

    @property
    def lines(self) -> tuple[str, ...]:
        step = self.form.length
        lines = tuple(self.text[i : i + step] for i in range(0, len(self.text), step))
        return lines[::-1] if self.swap else lines


class Composer:
    """Writes drafts of one form side by side. ``model`` is in evaluation mode on ``device``."""

    def __init__(self, model: Poet, rules: Rules, device: torch.device) -> None:
        self.model, self.rules, self.device = model, rules, device
        self.choices = Choices(model, rules, device)
        self.tables = StepTables(model)
        self.doubles = rules.doubles.bool()
        self.seasons = torch.tensor(
            [i for i, word in enumerate(rules.words) if word in SEASONS], dtype=torch.int64
        )

    @torch.inference_mode()
    def write(self, drafts: Sequence[Draft]) -> Iterator[int]:
        """Fill in ``draft.text`` line by line; yields after every character with how many are decided.

        Between two steps the caller may set ``draft.dropped``. Each draft draws from its own
        generator, so it does not matter who else is in the batch.
        """
        left = [draft for draft in drafts if not draft.dropped]
        if not left:
            return
        bench, form = _Bench(self, left), left[0].form
        for slot in range(form.slots):
            bench.keep()
            if not bench.drafts:
                return
            bench.step(slot)
            if (slot + 1) % form.length == 0:
                bench.choose(slot)
            yield slot + 1


class _Bench:
    """The working memory of D drafts with C = ``CANDIDATES`` rows each."""

    def __init__(self, composer: Composer, drafts: list[Draft]) -> None:
        self.composer, self.drafts = composer, drafts
        form, count = drafts[0].form, len(drafts)
        self.form = form
        self.first = prosody.MAX_SLOTS * prosody.network_number(form)
        self.tokens = torch.full((count, CANDIDATES, form.slots), UNKNOWN)
        self.score = torch.zeros(count, CANDIDATES)
        self.options = torch.zeros(count, CANDIDATES, form.slots, OPTIONS, dtype=torch.int64)
        self.chances = torch.zeros(count, CANDIDATES, form.slots, OPTIONS)
        self.theme = _padded([draft.theme for draft in drafts])  # (D, T)
        # Characters that are given for later are spoken for.
        self.spoken = _padded([[token for token, _ in draft.forced.values()] for draft in drafts])
        self.pair = torch.tensor([prosody.pair_codes(draft.codes) for draft in drafts])
        temperature = torch.tensor([draft.temperature for draft in drafts])
        # A hot wish draws hotter from the same characters; a cold one also from fewer.
        self.cool, self.warm = COOL * temperature.clamp_max(1.0), WARMTH * temperature
        shape = (form.slots, CANDIDATES)
        self.draws = torch.stack([torch.rand(shape, generator=d.generator) for d in drafts])
        found = [(id(d), composer.choices.find(d.book, prosody.RHYME, d.rhyme)) for d in drafts]
        self.narrow = {draft: rhymes for draft, rhymes in found if len(rhymes) < NARROW}
        """The rhymes of drafts whose rhymes are few."""
        self.reader = self._reader()
        self.rows = 1
        """How many rows of each draft differ: one where a line begins, else all candidates."""

    def _reader(self) -> Reader:
        """Whoever reads for these drafts. Tang verse is what most readers expect."""
        device, condition = self.composer.device, self.composer.model.condition
        columns = [[d.told_rhyme, d.dynasty, d.author] for d in self.drafts]
        # Always of one width, for a sum over them is not the same when there are more.
        theme = _padded([draft.theme for draft in self.drafts], THEME_SIZE).to(device)

        def conditions(theme: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
            return condition(theme, *columns.unbind(1)), condition(theme * UNKNOWN, *columns.unbind(1))

        told, plain = in_blocks(conditions, theme, torch.tensor(columns).to(device))
        return Reader(self.composer.tables, told, plain, GUIDANCE)

    def keep(self) -> None:
        """Forget the rows of dropped drafts."""
        if not any(draft.dropped for draft in self.drafts):
            return
        left = torch.tensor(
            [i for i, draft in enumerate(self.drafts) if not draft.dropped], dtype=torch.int64
        )
        self.drafts = [draft for draft in self.drafts if not draft.dropped]
        for name in (
            "tokens",
            "score",
            "options",
            "chances",
            "theme",
            "spoken",
            "pair",
            "cool",
            "warm",
            "draws",
        ):
            setattr(self, name, getattr(self, name)[left])
        self.reader.keep(left.to(self.composer.device))

    def step(self, slot: int) -> None:
        """Decide one character in every row."""
        vectors = self._read(slot)
        groups: dict[int, tuple[Choice, list[int]]] = {}
        for number, draft in enumerate(self.drafts):
            choice = self.composer.choices.find(draft.book, draft.codes[slot], draft.rhyme)
            if len(choice) == 0:
                choice = self.composer.choices.find(draft.book, prosody.ANY)
            groups.setdefault(id(choice), (choice, []))[1].append(number)
        given = self._given(slot)
        # A group's rows share their characters, and so one product with a smaller table.
        for choice, numbers in groups.values():
            self._decide(slot, choice, torch.tensor(numbers), vectors, given)
        if bool((given == FREE).any()):
            self.rows = CANDIDATES

    def _read(self, slot: int) -> Tensor:
        """(D, rows, embed) on the device: what the network expects here."""
        device, rows = self.composer.device, self.rows
        start = torch.full_like(self.tokens[:, :rows, 0], START)
        last = self.tokens[:, :rows, slot - 1] if slot else start
        # The line above is the same for all candidates.
        above = self.tokens[:, 0, slot - self.form.length] if slot >= self.form.length else start[:, 0]
        return self.reader.step(
            last.to(device), above.to(device), self.first + slot, self.pair[:, slot].to(device)
        )

    def _decide(self, slot: int, choice: Choice, members: Tensor, vectors: Tensor, given: Tensor) -> None:
        """Draw a character for the rows of the drafts ``members``, whose places allow ``choice``."""
        place, rows = slot % self.form.length, self.rows
        every = len(members) == len(self.drafts)
        logits = choice.logits(vectors if every else vectors[members.to(vectors.device)])  # (G, rows, N + 1)
        tokens = self.tokens[members, :rows]
        if slot // self.form.length in prosody.PARALLEL_BELOW.get(self.form.lines, ()):
            above = tokens[:, 0, slot - self.form.length]
            logits += PARALLEL * product(self.composer.rules.couplet_above[above], choice.below)[:, None]
        fresh = self._lean(slot, choice, members, tokens, logits)
        blocked = choice.where[
            torch.cat([tokens[..., :slot], self.spoken[members, None].expand(-1, rows, -1)], -1)
        ]
        if place in prosody.DOUBLE[self.form.length] and self.form.lines > 2:
            last = tokens[..., slot - 1, None]
            rhymes = self.drafts[int(members[0])].codes[slot] == prosody.RHYME
            double = (blocked == choice.where[last]) & self.composer.doubles[last]
            blocked.masked_fill_(double & (not rhymes), len(choice.ids) - 1)
        free = logits.scatter(-1, blocked, -torch.inf)
        self._keep_back(slot, choice, members, free)
        # Where every character that fits is used up, one may come twice: the poem's page says so.
        stuck = torch.isneginf(free.amax(-1))
        if bool(stuck.any()):
            free[stuck] = logits[stuck]
        values, places = free.topk(min(TOP, free.shape[-1]))
        ids = choice.ids[places]
        cool = torch.softmax(values / self.cool[members, None, None], -1)
        size = min(OPTIONS, cool.shape[-1])
        self.options[members, :, slot, :size] = ids[..., :size]
        self.chances[members, :, slot, :size] = cool[..., :size]
        warm = values / self.warm[members, None, None]
        chances = torch.softmax(warm, -1).masked_fill_(cool.cumsum(-1) - cool > NUCLEUS, 0.0)
        draws = self.draws[members, slot].view(len(members), rows, -1)
        picked = pick(chances, draws)
        if place == self.form.length - 1:
            self._avoid_known_lines(slot, members, picked, ids, chances, draws)
        (total,) = in_blocks(lambda block: (block.logsumexp(-1, keepdim=True),), values.flatten(0, 1))
        total = total.view(*values.shape[:-1], 1)
        chosen = ids.gather(-1, picked).flatten(1)
        gain = (values.gather(-1, picked) - total).flatten(1)
        bound = given[members]
        if bool((bound != FREE).any()):
            said = self._said(members, bound, vectors) - total[..., 0]
            gain = torch.where(bound == FREE, gain, torch.where(bound == UNKNOWN, 0.0, said))
            chosen = torch.where(bound == FREE, chosen, bound)
        self.tokens[members, :, slot] = chosen
        named = (self.theme[members, None] == chosen[..., None]) & fresh
        self.score[members] += gain + THEME_HIT * named.any(-1)

    def _lean(self, slot: int, choice: Choice, members: Tensor, tokens: Tensor, logits: Tensor) -> Tensor:
        """Lean to the theme and to one season, in place; (G, rows, T) bool: theme characters to come."""
        theme, seasons = self.theme[members], self.composer.seasons
        written = tokens[..., :slot]
        standing = torch.cat([written, self.spoken[members, None].expand(-1, self.rows, -1)], -1)
        there = (theme[:, None, :, None] == standing[:, :, None]).any(-1)
        real = (theme != UNKNOWN)[:, None]
        fresh = real & ~there
        # Whoever has not named the theme by now should hurry.
        silent = ~(real & there).any(-1, keepdim=True)
        hurry = torch.where(silent, THEME_BONUS * (1 + 2 * slot / self.form.slots), THEME_BONUS)
        logits.scatter_add_(-1, choice.where[theme][:, None].expand(-1, self.rows, -1), fresh * hurry)
        named = (standing[..., None] == seasons).any(2) | (theme[..., None] == seasons).any(1)[:, None]
        others = named.any(-1, keepdim=True) & ~named
        logits[..., choice.where[seasons]] -= CLASH * others
        return fresh

    def _keep_back(self, slot: int, choice: Choice, members: Tensor, free: Tensor) -> None:
        """Forbid rhymes elsewhere once there are only as many left as the poem will need."""
        for place, number in enumerate(members.tolist() if self.narrow else ()):
            draft = self.drafts[number]
            rhymes = self.narrow.get(id(draft))
            if rhymes is None or draft.codes[slot] == prosody.RHYME:
                continue
            ahead = range(slot + 1, self.form.slots)
            needed = sum(draft.codes[s] == prosody.RHYME and s not in draft.forced for s in ahead)
            for row, written in enumerate(self.tokens[number, : self.rows, :slot].tolist()):
                used = {*written, *self.spoken[number].tolist()}
                left = [token for token in rhymes.ids[:-1].tolist() if token not in used]
                if needed and len(left) <= needed:
                    free[place, row, choice.where[left]] = -torch.inf

    def _given(self, slot: int) -> Tensor:
        """(D, C) tokens where a place is decided beforehand, else :data:`FREE`."""
        found = torch.full_like(self.tokens[..., 0], FREE)
        for number, draft in enumerate(self.drafts):
            if slot in draft.forced:
                found[number] = draft.forced[slot][0]
            elif slot in draft.mirror:
                found[number] = self.tokens[number, :, draft.mirror[slot]]
                self.options[number, :, slot, 0] = found[number]
                self.chances[number, :, slot] = torch.eye(OPTIONS)[0]
        return found

    def _said(self, members: Tensor, tokens: Tensor, vectors: Tensor) -> Tensor:
        """(G, C) logits of ``tokens``, whether they are allowed or not."""
        there = tokens.clamp_min(UNKNOWN).to(vectors.device)
        rows = vectors[members.to(vectors.device)]
        products = (rows * self.composer.model.character.weight[there]).sum(-1)
        return (products + self.composer.choices.bias[there]).float().cpu()

    def _line(self, tokens: Sequence[int], number: int, slot: int) -> str:
        """The line that ends with ``slot``, as printed. ``tokens``: its characters."""
        words, forced = self.composer.rules.words, self.drafts[number].forced
        slots = range(slot + 1 - len(tokens), slot + 1)
        return "".join(
            forced[s][1] if s in forced else words[token] for s, token in zip(slots, tokens, strict=True)
        )

    def _avoid_known_lines(
        self, slot: int, members: Tensor, picked: Tensor, ids: Tensor, chances: Tensor, draws: Tensor
    ) -> None:
        """Pick another last character in rows that would repeat a line of the training poems."""
        words, known = self.composer.rules.words, self.composer.rules.known_lines
        begun = self.tokens[members, :, slot + 1 - self.form.length : slot].tolist()
        last = ids.gather(-1, picked).flatten(1).tolist()
        for place, number in enumerate(members.tolist()):
            for row, token in enumerate(last[place]):
                head = self._line(begun[place][row], number, slot - 1)
                if head + words[token] not in known:
                    continue
                # Rows that are still the same have one list and several draws.
                own, draw = (row, 0) if self.rows > 1 else (0, row)
                tails = ids[place, own].tolist()
                left = [i for i, tail in enumerate(tails) if head + words[tail] not in known]
                likely = chances[place, own, left]
                if bool(likely.any()):
                    picked[place, own, draw] = left[int(pick(likely, draws[place, own, draw, None]))]
                elif left:
                    picked[place, own, draw] = left[0]

    def choose(self, slot: int) -> None:
        """At the end of a line: the likeliest candidate of each draft goes on, as all of its candidates."""
        begin, words = slot + 1 - self.form.length, self.composer.rules.words
        ends = self.tokens[..., begin : slot + 1].tolist()
        lines = [[self._line(tokens, number, slot) for tokens in rows] for number, rows in enumerate(ends)]
        for number, draft in enumerate(self.drafts):
            if not all(s in draft.forced for s in range(begin, slot + 1)):
                known = [line in self.composer.rules.known_lines for line in lines[number]]
                self.score[number] -= REPEATED * torch.tensor(known)
        best = self.score.argmax(1)
        self.reader.choose(best.to(self.composer.device))
        numbers = torch.arange(len(best))
        self.tokens[:] = self.tokens[numbers, best, None]
        self.score.zero_()
        self.rows = 1
        options = self.options[numbers, best, begin : slot + 1].tolist()
        chances = self.chances[numbers, best, begin : slot + 1].tolist()
        for number, draft in enumerate(self.drafts):
            draft.text += lines[number][int(best[number])]
            for likely, chance in zip(options[number], chances[number], strict=True):
                found = zip(likely, chance, strict=True)
                draft.options.append([(words[token], one) for token, one in found if one > 0])


def _padded(rows: Sequence[Sequence[int]], size: int = 1) -> Tensor:
    """int64 (rows, longest), ``size`` wide or wider."""
    size = max(size, *(len(row) for row in rows))
    return torch.tensor([[*row, *[UNKNOWN] * (size - len(row))] for row in rows])
