"""Writing regulated verse with a language model: every rule holds by construction.

For each line several candidates are sampled side by side under the rules (tone, rhyme, no character
twice, no line of the training poems) and the likeliest goes on. Rhymes that are still needed are kept
back, so that no line takes the last of them. The theme acts through the network's condition, sharpened
by classifier-free guidance (Ho and Salimans 2022), and a mild bonus for its own characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.engines import prosody
from workers.engines.bloom import BloomFilter
from workers.engines.verse_books import Book
from workers.nets.poet import START, UNKNOWN, Poet, Reading, State

CANDIDATES = 8
GUIDANCE = 0.9
RELEVANCE = 0.4
"""How much a line gains from being likelier with the theme than without it, when lines are compared."""
WARMTH = 0.8
"""What a temperature of 1 means to the network: short forms forgive no odd character."""
NUCLEUS = 0.92
TOP = 256
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


@dataclass(slots=True)
class Draft:
    """One poem in the making. ``forced`` maps a slot to (token id, the character to print).

    ``rhyme`` is an index into the rhymes of ``book``, or None; ``author``: 0 for nobody's manner. ``mirror``: slots that repeat another's
    character. ``swap``: the first line that is written is the last that is read.
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


@dataclass(slots=True)
class Rules:
    """The tables of the weights, on the CPU, beside their words and the lines not to repeat.

    ``doubles`` (V,): whether poets double a character. ``couplet_above``, ``couplet_below`` (V, R): their
    product is how much likelier a character stands below another in a parallel couplet than by chance (log).
    """

    words: Sequence[str]
    doubles: Tensor
    couplet_above: Tensor
    couplet_below: Tensor
    known_lines: BloomFilter

    def by_code(self, book: Book) -> Tensor:
        """Characters that may stand in a slot, by its code: (CODES, V) bool."""
        tones = book.tones
        real = torch.ones(len(self.words), dtype=torch.bool)
        real[: START + 1] = False
        level = (tones == prosody.TONE_LEVEL) | (tones == prosody.TONE_BOTH)
        oblique = (tones == prosody.TONE_OBLIQUE) | (tones == prosody.TONE_BOTH)
        return torch.stack([real, real, real & level, real & oblique, real & level])


class Composer:
    """Writes drafts of one form side by side. ``model`` is in evaluation mode on ``device``."""

    def __init__(self, model: Poet, rules: Rules, device: torch.device) -> None:
        self.model, self.rules, self.device = model, rules, device
        self.by_code: dict[str, Tensor] = {}
        self.doubles = rules.doubles.bool()
        self.seasons = torch.tensor(
            [i for i, word in enumerate(rules.words) if word in SEASONS], dtype=torch.int64
        )

    def mask(self, book: Book) -> Tensor:
        """:meth:`Rules.by_code`, made once for each book."""
        if book.slug not in self.by_code:
            self.by_code[book.slug] = self.rules.by_code(book)
        return self.by_code[book.slug]

    @torch.inference_mode()
    def write(self, drafts: Sequence[Draft]) -> Iterator[int]:
        """Fill in ``draft.text`` line by line; yields after every character with how many are decided.

        Between two steps the caller may set ``draft.dropped``. Each draft draws from its own
        generator, so it does not matter who else is in the batch.
        """
        bench = _Bench(self, [draft for draft in drafts if not draft.dropped])
        form = drafts[0].form
        for slot in range(form.slots):
            bench.keep()
            if not bench.drafts:
                return
            bench.step(slot)
            if (slot + 1) % form.length == 0:
                bench.choose(slot)
            yield slot + 1


class _Bench:
    """The working memory: ``CANDIDATES`` rows per draft, neighbours of one another.

    ``state`` holds the rows with their theme, then the same rows without it.
    """

    def __init__(self, composer: Composer, drafts: list[Draft]) -> None:
        self.composer, self.drafts = composer, drafts
        form = drafts[0].form if drafts else prosody.FORMS[0]
        self.form, self.number = form, prosody.network_number(form)
        rows, words = len(drafts) * CANDIDATES, len(composer.rules.words)
        self.tokens = torch.full((rows, form.slots), UNKNOWN)
        self.used = torch.zeros(rows, words, dtype=torch.bool)
        self.score = torch.zeros(rows)
        size = max([len(d.theme) for d in drafts], default=1) or 1
        self.theme = self._rows([[*d.theme, *[UNKNOWN] * (size - len(d.theme))] for d in drafts])
        self.code = self._rows([d.codes for d in drafts])
        self.pair = self._rows([prosody.pair_codes(d.codes) for d in drafts])
        self.rhyme = self._rows([d.told_rhyme for d in drafts])
        self.dynasty = self._rows([d.dynasty for d in drafts])
        self.author = self._rows([d.author for d in drafts])
        books = list({d.book.slug: d.book for d in drafts}.values())
        self.by_code = torch.stack([composer.mask(book) for book in books]) if books else torch.zeros(0)
        self.book = self._rows([[b.slug for b in books].index(d.book.slug) for d in drafts])
        self.rhymers = self._rhymers()
        self.option_ids = torch.zeros(rows, form.slots, OPTIONS, dtype=torch.int64)
        self.option_chances = torch.zeros(rows, form.slots, OPTIONS)
        for row in range(rows):
            # Characters that are given for later are spoken for.
            spoken = [token for token, _ in drafts[row // CANDIDATES].forced.values()]
            self.used[row, spoken] = True
        self.condition = self._conditions() if rows else torch.zeros(0)
        self.state: State | None = None
        self.alike = True
        """Whether the candidates of every draft are copies of each other."""

    @staticmethod
    def _rows(values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64).repeat_interleave(CANDIDATES, 0)

    def _conditions(self) -> Tensor:
        """(2 * rows, embed): with the theme, then without. Tang verse is what most readers expect."""
        device, theme = self.composer.device, self.theme
        both = torch.cat([theme, torch.zeros_like(theme)]).to(device)
        rhyme, dynasty, author = (
            each.repeat(2).to(device) for each in (self.rhyme, self.dynasty, self.author)
        )
        return self.composer.model.condition(both, rhyme, dynasty, author)

    def _rhymers(self) -> Tensor:
        """(drafts, V) bool: the characters that may end a rhyming line of each draft."""
        found = []
        for draft in self.drafts:
            level = self.composer.mask(draft.book)[prosody.RHYME]
            found.append(level if draft.rhyme is None else level & draft.book.rhymes[:, draft.rhyme])
        return torch.stack(found) if found else torch.zeros(0)

    def keep(self) -> None:
        """Forget the rows of dropped drafts."""
        if not any(draft.dropped for draft in self.drafts):
            return
        chosen = [i for i, draft in enumerate(self.drafts) if not draft.dropped]
        rows = torch.tensor(
            [i * CANDIDATES + c for i in chosen for c in range(CANDIDATES)], dtype=torch.int64
        )
        self._take(rows)
        for name in ("theme", "code", "pair", "rhyme", "dynasty", "author", "book"):
            setattr(self, name, getattr(self, name)[rows])
        self.rhymers = self.rhymers[torch.tensor(chosen, dtype=torch.int64)]
        half = len(self.condition) // 2
        self.condition = self.condition[torch.cat([rows, rows + half]).to(self.condition.device)]
        self.drafts = [self.drafts[i] for i in chosen]

    def _take(self, rows: Tensor) -> None:
        self.tokens, self.used, self.score = self.tokens[rows], self.used[rows], self.score[rows]
        self.option_ids, self.option_chances = self.option_ids[rows], self.option_chances[rows]
        if self.state is not None:
            both = torch.cat([rows, rows + self.state[0].shape[1] // 2]).to(self.composer.device)
            self.state = (self.state[0][:, both], self.state[1][:, both])

    def _logits(self, slot: int) -> tuple[Tensor, Tensor]:
        """Logits with the theme and without it, float32 (rows, V) on the CPU."""
        rows = len(self.tokens)
        # Where a line begins the candidates of a draft are still one: the network reads it once.
        lead = torch.arange(0, rows, CANDIDATES if self.alike else 1)
        halves = torch.cat([lead, lead + rows]).to(self.composer.device)
        tokens = self.tokens[lead]
        start = torch.full((len(lead),), START)
        last = tokens[:, slot - 1] if slot else start
        above = tokens[:, slot - self.form.length] if slot >= self.form.length else start
        device = self.composer.device

        def both(ids: Tensor) -> Tensor:
            return ids.repeat(2)[:, None].to(device)

        place = torch.full_like(last, prosody.MAX_SLOTS * self.number + slot)
        pair, condition = self.pair[lead, slot], self.condition[halves]
        reading = Reading(both(last), both(above), both(place), both(pair), condition)
        state = None if self.state is None else (self.state[0][:, halves], self.state[1][:, halves])
        vectors, state = self.composer.model.features(reading, state)
        logits = self.composer.model.logits(vectors[:, 0]).float().cpu()
        if self.alike:
            logits = logits.repeat_interleave(CANDIDATES, 0)
            state = (state[0].repeat_interleave(CANDIDATES, 1), state[1].repeat_interleave(CANDIDATES, 1))
            above = above.repeat_interleave(CANDIDATES)
        self.state = state
        told, untold = logits.chunk(2)
        line = slot // self.form.length
        if line in prosody.PARALLEL_BELOW.get(self.form.lines, ()):
            rules = self.composer.rules
            told = told + PARALLEL * (rules.couplet_above[above] @ rules.couplet_below.T)
        return told, untold

    def step(self, slot: int) -> None:
        """Decide one character in every row."""
        told, untold = self._logits(slot)
        guided = torch.lerp(untold, told, 1.0 + GUIDANCE)
        place = slot % self.form.length
        allowed = self._allowed(slot, place)
        fresh = ~self.used.gather(1, self.theme) & (self.theme != UNKNOWN)
        # Whoever has not named the theme by now should hurry.
        hurry = THEME_BONUS * (1 + 2 * slot / self.form.slots)
        silent = ((self.used.gather(1, self.theme)) & (self.theme != UNKNOWN)).sum(1, keepdim=True) == 0
        guided.scatter_add_(1, self.theme, fresh * torch.where(silent, hurry, THEME_BONUS))
        guided[:, self.composer.seasons] -= CLASH * self._other_seasons()
        temperature = torch.tensor([[WARMTH * draft.temperature] for draft in self.drafts]).repeat_interleave(
            CANDIDATES, 0
        )
        values, ids = guided.masked_fill_(~allowed, -torch.inf).topk(min(TOP, guided.shape[1]))
        chances = torch.softmax(values / temperature, 1)
        self.option_ids[:, slot], self.option_chances[:, slot] = ids[:, :OPTIONS], chances[:, :OPTIONS]
        chances[chances.cumsum(1) - chances > NUCLEUS] = 0.0
        draws = torch.cat([torch.rand(CANDIDATES, generator=draft.generator) for draft in self.drafts])
        picked = _pick(chances, draws)
        chosen = ids.gather(1, picked[:, None])[:, 0]
        if place == self.form.length - 1:
            self._avoid_known_lines(slot, chosen, ids, values, temperature, draws)
        for number, draft in enumerate(self.drafts):
            if slot in draft.forced:
                chosen[number * CANDIDATES : (number + 1) * CANDIDATES] = draft.forced[slot][0]
        self.tokens[:, slot] = chosen
        known = chosen != UNKNOWN
        told, untold = (_log_chance(logits, chosen) for logits in (told, untold))
        gain = torch.lerp(untold, told, 1.0 + RELEVANCE)
        named = ((self.theme == chosen[:, None]) & fresh).any(1)
        self.score += torch.where(known, gain, 0.0) + THEME_HIT * named
        self.used[torch.arange(len(chosen)), chosen] = True
        self.alike = self.alike and all(slot in draft.forced for draft in self.drafts)

    def _other_seasons(self) -> Tensor:
        """(rows, seasons) float: 1 for each season that is not the poem's, once it has one."""
        seasons = self.composer.seasons
        named = self.used[:, seasons] | (self.theme[:, :, None] == seasons).any(1)
        return (named.any(1, keepdim=True) & ~named).float()

    def _allowed(self, slot: int, place: int) -> Tensor:
        """(rows, V) bool: what the rules allow in a slot; never nothing."""
        code = self.code[:, slot]
        fitting = self.by_code[self.book, code]
        rhyming = code == prosody.RHYME
        draft_of = torch.arange(len(code)) // CANDIDATES
        fitting[rhyming] &= self.rhymers[draft_of[rhyming]]
        allowed = fitting & ~self.used
        self._keep_back(slot, allowed, rhyming)
        if place in prosody.DOUBLE[self.form.length] and self.form.lines > 2:
            last = self.tokens[:, slot - 1 : slot]
            fits = fitting.gather(1, last) & self.composer.doubles[last] & ~rhyming[:, None]
            allowed.scatter_(1, last, fits)
        for number, draft in enumerate(self.drafts):
            if slot in draft.mirror:
                rows = torch.arange(number * CANDIDATES, (number + 1) * CANDIDATES)
                allowed[rows] = False
                allowed[rows, self.tokens[rows, draft.mirror[slot]]] = True
        # Where every character that fits is used up, one may come twice: the poem's page says so.
        stuck = ~allowed.any(1)
        allowed[stuck] = fitting[stuck]
        stuck = ~allowed.any(1)
        allowed[stuck] = self.by_code[self.book[stuck], 0]
        return allowed

    def _keep_back(self, slot: int, allowed: Tensor, rhyming: Tensor) -> None:
        """Forbid rhymes elsewhere once there are only as many left as the poem will need."""
        for number, draft in enumerate(self.drafts):
            ahead = range(slot + 1, self.form.slots)
            needed = sum(draft.codes[s] == prosody.RHYME and s not in draft.forced for s in ahead)
            rows = slice(number * CANDIDATES, (number + 1) * CANDIDATES)
            if not needed or bool(rhyming[rows.start]):
                continue
            free = self.rhymers[number] & ~self.used[rows]
            if int(self.rhymers[number].sum()) < NARROW:
                allowed[rows] &= ~(free & (free.sum(1, keepdim=True) <= needed))

    def _line(self, row: int, slot: int) -> str:
        """The line that ends with ``slot``, as printed."""
        words, forced = self.composer.rules.words, self.drafts[row // CANDIDATES].forced
        slots = range(slot - slot % self.form.length, slot + 1)
        return "".join(forced[s][1] if s in forced else words[int(self.tokens[row, s])] for s in slots)

    def _avoid_known_lines(
        self, slot: int, chosen: Tensor, ids: Tensor, values: Tensor, temperature: Tensor, draws: Tensor
    ) -> None:
        """Change the last character of rows that would repeat a line of the training poems."""
        words, known = self.composer.rules.words, self.composer.rules.known_lines
        for row in range(len(chosen)):
            begun = self._line(row, slot)[:-1]
            if begun + words[int(chosen[row])] not in known:
                continue
            left = [i for i, token in enumerate(ids[row].tolist()) if begun + words[token] not in known]
            chances = torch.softmax(values[row, left] / temperature[row], 0)[None]
            if left and bool(torch.isfinite(chances).all()):
                chosen[row] = ids[row, left[int(_pick(chances, draws[row : row + 1]))]]

    def choose(self, slot: int) -> None:
        """At the end of a line: the likeliest candidate of each draft goes on, as all of its candidates."""
        begin, known = slot + 1 - self.form.length, self.composer.rules.known_lines
        for row in range(len(self.score)):
            given = all(s in self.drafts[row // CANDIDATES].forced for s in range(begin, slot + 1))
            if not given and self._line(row, slot) in known:
                self.score[row] -= REPEATED
        best = self.score.view(-1, CANDIDATES).argmax(1)
        rows = (torch.arange(len(self.drafts)) * CANDIDATES + best).repeat_interleave(CANDIDATES)
        self._take(rows)
        self.alike = True
        self.score.zero_()
        words = self.composer.rules.words
        for number, draft in enumerate(self.drafts):
            row = number * CANDIDATES
            draft.text += self._line(row, slot)
            for place in range(begin, slot + 1):
                found = zip(
                    self.option_ids[row, place].tolist(),
                    self.option_chances[row, place].tolist(),
                    strict=True,
                )
                draft.options.append([(words[token], chance) for token, chance in found if chance > 0])


def _log_chance(logits: Tensor, chosen: Tensor) -> Tensor:
    """(rows,) log likelihoods of the chosen characters under logits (rows, V)."""
    return logits.gather(1, chosen[:, None])[:, 0] - logits.logsumexp(1)


def _pick(chances: Tensor, draws: Tensor) -> Tensor:
    """Indices (rows,) by inverse transform sampling: ``chances`` (rows, K) need not sum to one."""
    totals = chances.double().cumsum(1)
    places = torch.searchsorted(totals, draws.double()[:, None] * totals[:, -1:], right=True)
    # A draw close to one may round past the last character that has a chance.
    last = (chances > 0).sum(1, keepdim=True) - 1
    return torch.minimum(places, last)[:, 0]
