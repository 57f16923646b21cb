"""Writing regulated verse with a language model: every rule holds by construction.

For each line several candidates are sampled side by side under the rules (tone, rhyme, no character
twice, no line of the training poems) and the likeliest goes on. Rhymes that are still needed are reserved
for the ends of lines. The theme acts through the network's condition, amplified where it reaches the output
(see :class:`.lstm_stepper.LSTMStepper`), and through a bonus for its own characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from workers.engines.poetry.chinese import prosody
from workers.engines.poetry.chinese.lstm_stepper import LSTMStepper, LSTMTables
from workers.engines.poetry.chinese.rhyme_dictionaries import RhymeBook
from workers.engines.poetry.chinese.themes import THEME_SIZE
from workers.engines.poetry.chinese.vocabulary_masks import VerseTables, VocabularyMask, VocabularyMasks
from workers.engines.poetry.fixed_blocks import in_blocks, product
from workers.engines.poetry.sampling import sample_categorical
from workers.nets.chinese_verse_lstm import START, UNKNOWN, ChineseVerseLSTM

# Values without a source below were set by hand; there is no record of a search over them.
CANDIDATES = 3
"""Of each line: more give likelier lines, but less variety, and take longer."""
GUIDANCE = 0.9
"""How much of what the theme adds through the skip connection is added once more."""
NUCLEUS_TEMPERATURE, NUCLEUS = 0.8, 0.92
"""Which characters may be drawn: the likeliest that together have this chance at this temperature."""
DRAW_TEMPERATURE = 1.85
"""The temperature at which one of them is drawn: flatter, for variety without unlikely characters. The
request's temperature multiplies it."""
TOP_K = 128
"""At most so many characters may be drawn."""
PARALLEL = 0.7
"""Weight of the couplet table; on held-out poems half the weight of the evidence predicts best."""
SEASON_CLASH = 3.0
"""What a second season costs, in nats: spring blossoms do not follow autumn leaves."""
SEASONS = "春夏秋冬"
THEME_BONUS = 0.8
"""What a theme character that is not in the poem gains while a character is chosen, in nats."""
THEME_HIT = 1.5
"""What a candidate line gains for each new theme character, in nats."""
REPEATED = 40.0
"""What a candidate loses, in nats, for being a line of the training poems."""
ALTERNATIVES = 6
"""How many of the characters that might have stood in a place are remembered."""
NARROW = 64
"""The characters of a rhyme with fewer than this are reserved for the ends of lines once they are needed."""
FREE = -1
"""Where a token is still to be chosen."""


@dataclass(slots=True)
class Draft:
    """A poem that is being written. ``forced`` maps a slot to (token id, the character to print).

    ``rhyme`` is an index into the rhymes of ``book``, or None; ``author``: 0 for nobody's manner.
    ``mirror``: slots that repeat another's character. ``swap``: the first line that is written is the
    last that is read.
    """

    form: prosody.Form
    book: RhymeBook
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
    def network_rhyme(self) -> int:
        """The rhyme by which the network is conditioned: 1..30, 0 for none."""
        return 0 if self.rhyme is None else int(self.book.pingshui_index[self.rhyme])

    @property
    def lines(self) -> tuple[str, ...]:
        step = self.form.length
        lines = tuple(self.text[i : i + step] for i in range(0, len(self.text), step))
        return lines[::-1] if self.swap else lines


class ChineseDecoder:
    """Writes drafts of one form side by side. ``model`` is in evaluation mode on ``device``."""

    def __init__(self, model: ChineseVerseLSTM, tables: VerseTables, device: torch.device) -> None:
        self.model, self.verse_tables, self.device = model, tables, device
        self.masks = VocabularyMasks(model, tables, device)
        self.lstm_tables = LSTMTables(model)
        self.doubles = tables.doubles.bool()
        self.seasons = torch.tensor(
            [i for i, word in enumerate(tables.words) if word in SEASONS], dtype=torch.int64
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
        batch, form = _Batch(self, left), left[0].form
        for slot in range(form.slots):
            batch.keep()
            if not batch.drafts:
                return
            batch.step(slot)
            if (slot + 1) % form.length == 0:
                batch.choose(slot)
            yield slot + 1


class _Batch:
    """D drafts that are written together, with C = ``CANDIDATES`` rows each."""

    def __init__(self, decoder: ChineseDecoder, drafts: list[Draft]) -> None:
        self.decoder, self.drafts = decoder, drafts
        form, count = drafts[0].form, len(drafts)
        self.form = form
        self.first = prosody.MAX_SLOTS * prosody.network_number(form)
        self.tokens = torch.full((count, CANDIDATES, form.slots), UNKNOWN)
        self.score = torch.zeros(count, CANDIDATES)
        self.options = torch.zeros(count, CANDIDATES, form.slots, ALTERNATIVES, dtype=torch.int64)
        self.chances = torch.zeros(count, CANDIDATES, form.slots, ALTERNATIVES)
        self.theme = _padded([draft.theme for draft in drafts])  # (D, T)
        # Characters that are given for later places.
        self.reserved = _padded([[token for token, _ in draft.forced.values()] for draft in drafts])
        self.pair = torch.tensor([prosody.pair_codes(draft.codes) for draft in drafts])
        temperature = torch.tensor([draft.temperature for draft in drafts])
        # A high temperature draws more evenly from the same characters; a low one also from fewer.
        self.nucleus_temperature, self.draw_temperature = (
            NUCLEUS_TEMPERATURE * temperature.clamp_max(1.0),
            DRAW_TEMPERATURE * temperature,
        )
        shape = (form.slots, CANDIDATES)
        self.draws = torch.stack([torch.rand(shape, generator=d.generator) for d in drafts])
        found = [(id(d), decoder.masks.find(d.book, prosody.RHYME, d.rhyme)) for d in drafts]
        self.narrow = {draft: rhymes for draft, rhymes in found if len(rhymes) < NARROW}
        """The rhymes of drafts whose rhymes are few."""
        self.stepper = self._stepper()
        self.rows = 1
        """How many rows of each draft differ: one where a line begins, else all candidates."""

    def _stepper(self) -> LSTMStepper:
        """The network's steps for these drafts."""
        device, condition = self.decoder.device, self.decoder.model.condition
        columns = [[d.network_rhyme, d.dynasty, d.author] for d in self.drafts]
        # Always of one width, for a sum over them is not the same when there are more.
        theme = _padded([draft.theme for draft in self.drafts], THEME_SIZE).to(device)

        def conditions(theme: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
            return condition(theme, *columns.unbind(1)), condition(theme * UNKNOWN, *columns.unbind(1))

        themed, plain = in_blocks(conditions, theme, torch.tensor(columns).to(device))
        return LSTMStepper(self.decoder.lstm_tables, themed, plain, GUIDANCE)

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
            "reserved",
            "pair",
            "nucleus_temperature",
            "draw_temperature",
            "draws",
        ):
            setattr(self, name, getattr(self, name)[left])
        self.stepper.keep(left.to(self.decoder.device))

    def step(self, slot: int) -> None:
        """Decide one character in every row."""
        vectors = self._read(slot)
        groups: dict[int, tuple[VocabularyMask, list[int]]] = {}
        for number, draft in enumerate(self.drafts):
            mask = self.decoder.masks.find(draft.book, draft.codes[slot], draft.rhyme)
            if len(mask) == 0:
                mask = self.decoder.masks.find(draft.book, prosody.ANY)
            groups.setdefault(id(mask), (mask, []))[1].append(number)
        given = self._given(slot)
        # A group's rows share their characters, and so one product with a smaller table.
        for mask, numbers in groups.values():
            self._decide(slot, mask, torch.tensor(numbers), vectors, given)
        if bool((given == FREE).any()):
            self.rows = CANDIDATES

    def _read(self, slot: int) -> Tensor:
        """(D, rows, embed) on the device: the network's output, whose products with the table are logits."""
        device, rows = self.decoder.device, self.rows
        start = torch.full_like(self.tokens[:, :rows, 0], START)
        last = self.tokens[:, :rows, slot - 1] if slot else start
        # The line above is the same for all candidates.
        above = self.tokens[:, 0, slot - self.form.length] if slot >= self.form.length else start[:, 0]
        return self.stepper.step(
            last.to(device), above.to(device), self.first + slot, self.pair[:, slot].to(device)
        )

    def _decide(
        self, slot: int, mask: VocabularyMask, members: Tensor, vectors: Tensor, given: Tensor
    ) -> None:
        """Draw a character for the rows of the drafts ``members``, whose places allow ``mask``."""
        place, rows = slot % self.form.length, self.rows
        every = len(members) == len(self.drafts)
        logits = mask.logits(vectors if every else vectors[members.to(vectors.device)])  # (G, rows, N + 1)
        tokens = self.tokens[members, :rows]
        if slot // self.form.length in prosody.PARALLEL_BELOW.get(self.form.lines, ()):
            above = tokens[:, 0, slot - self.form.length]
            logits += PARALLEL * product(self.decoder.verse_tables.couplet_above[above], mask.below)[:, None]
        fresh = self._add_theme_bias(slot, mask, members, tokens, logits)
        blocked = mask.where[
            torch.cat([tokens[..., :slot], self.reserved[members, None].expand(-1, rows, -1)], -1)
        ]
        if place in prosody.DOUBLE[self.form.length] and self.form.lines > 2:
            last = tokens[..., slot - 1, None]
            rhymes = self.drafts[int(members[0])].codes[slot] == prosody.RHYME
            double = (blocked == mask.where[last]) & self.decoder.doubles[last]
            blocked.masked_fill_(double & (not rhymes), len(mask.ids) - 1)
        free = logits.scatter(-1, blocked, -torch.inf)
        self._reserve_rhymes(slot, mask, members, free)
        # Where every character that fits is used up, one may come twice: the poem's page says so.
        stuck = torch.isneginf(free.amax(-1))
        if bool(stuck.any()):
            free[stuck] = logits[stuck]
        values, places = free.topk(min(TOP_K, free.shape[-1]))
        ids = mask.ids[places]
        sharp = torch.softmax(values / self.nucleus_temperature[members, None, None], -1)
        size = min(ALTERNATIVES, sharp.shape[-1])
        self.options[members, :, slot, :size] = ids[..., :size]
        self.chances[members, :, slot, :size] = sharp[..., :size]
        flat = values / self.draw_temperature[members, None, None]
        chances = torch.softmax(flat, -1).masked_fill_(sharp.cumsum(-1) - sharp > NUCLEUS, 0.0)
        draws = self.draws[members, slot].view(len(members), rows, -1)
        picked = sample_categorical(chances, draws)
        if place == self.form.length - 1:
            self._avoid_known_lines(slot, members, picked, ids, chances, draws)
        (total,) = in_blocks(lambda block: (block.logsumexp(-1, keepdim=True),), values.flatten(0, 1))
        total = total.view(*values.shape[:-1], 1)
        chosen = ids.gather(-1, picked).flatten(1)
        gain = (values.gather(-1, picked) - total).flatten(1)
        bound = given[members]
        if bool((bound != FREE).any()):
            forced_logits = self._forced_logits(members, bound, vectors) - total[..., 0]
            gain = torch.where(bound == FREE, gain, torch.where(bound == UNKNOWN, 0.0, forced_logits))
            chosen = torch.where(bound == FREE, chosen, bound)
        self.tokens[members, :, slot] = chosen
        named = (self.theme[members, None] == chosen[..., None]) & fresh
        self.score[members] += gain + THEME_HIT * named.any(-1)

    def _add_theme_bias(
        self, slot: int, mask: VocabularyMask, members: Tensor, tokens: Tensor, logits: Tensor
    ) -> Tensor:
        """Favour the theme and one season, in place; (G, rows, T) bool: theme characters to come."""
        theme, seasons = self.theme[members], self.decoder.seasons
        written = tokens[..., :slot]
        standing = torch.cat([written, self.reserved[members, None].expand(-1, self.rows, -1)], -1)
        there = (theme[:, None, :, None] == standing[:, :, None]).any(-1)
        real = (theme != UNKNOWN)[:, None]
        fresh = real & ~there
        # The longer the theme is not named, the more its characters gain.
        silent = ~(real & there).any(-1, keepdim=True)
        hurry = torch.where(silent, THEME_BONUS * (1 + 2 * slot / self.form.slots), THEME_BONUS)
        logits.scatter_add_(-1, mask.where[theme][:, None].expand(-1, self.rows, -1), fresh * hurry)
        named = (standing[..., None] == seasons).any(2) | (theme[..., None] == seasons).any(1)[:, None]
        others = named.any(-1, keepdim=True) & ~named
        logits[..., mask.where[seasons]] -= SEASON_CLASH * others
        return fresh

    def _reserve_rhymes(self, slot: int, mask: VocabularyMask, members: Tensor, free: Tensor) -> None:
        """Forbid rhymes elsewhere once there are only as many left as the poem will need."""
        for place, number in enumerate(members.tolist() if self.narrow else ()):
            draft = self.drafts[number]
            rhymes = self.narrow.get(id(draft))
            if rhymes is None or draft.codes[slot] == prosody.RHYME:
                continue
            ahead = range(slot + 1, self.form.slots)
            needed = sum(draft.codes[s] == prosody.RHYME and s not in draft.forced for s in ahead)
            for row, written in enumerate(self.tokens[number, : self.rows, :slot].tolist()):
                used = {*written, *self.reserved[number].tolist()}
                left = [token for token in rhymes.ids[:-1].tolist() if token not in used]
                if needed and len(left) <= needed:
                    free[place, row, mask.where[left]] = -torch.inf

    def _given(self, slot: int) -> Tensor:
        """(D, C) tokens where a place is decided beforehand, else :data:`FREE`."""
        found = torch.full_like(self.tokens[..., 0], FREE)
        for number, draft in enumerate(self.drafts):
            if slot in draft.forced:
                found[number] = draft.forced[slot][0]
            elif slot in draft.mirror:
                found[number] = self.tokens[number, :, draft.mirror[slot]]
                self.options[number, :, slot, 0] = found[number]
                self.chances[number, :, slot] = torch.eye(ALTERNATIVES)[0]
        return found

    def _forced_logits(self, members: Tensor, tokens: Tensor, vectors: Tensor) -> Tensor:
        """(G, C) logits of ``tokens``, whether they are allowed or not."""
        there = tokens.clamp_min(UNKNOWN).to(vectors.device)
        rows = vectors[members.to(vectors.device)]
        products = (rows * self.decoder.model.character.weight[there]).sum(-1)
        return (products + self.decoder.masks.bias[there]).float().cpu()

    def _line(self, tokens: Sequence[int], number: int, slot: int) -> str:
        """The line that ends with ``slot``, as printed. ``tokens``: its characters."""
        words, forced = self.decoder.verse_tables.words, self.drafts[number].forced
        slots = range(slot + 1 - len(tokens), slot + 1)
        return "".join(
            forced[s][1] if s in forced else words[token] for s, token in zip(slots, tokens, strict=True)
        )

    def _avoid_known_lines(
        self, slot: int, members: Tensor, picked: Tensor, ids: Tensor, chances: Tensor, draws: Tensor
    ) -> None:
        """Pick another last character in rows that would repeat a line of the training poems."""
        words, known = self.decoder.verse_tables.words, self.decoder.verse_tables.known_lines
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
                    picked[place, own, draw] = left[
                        int(sample_categorical(likely, draws[place, own, draw, None]))
                    ]
                elif left:
                    picked[place, own, draw] = left[0]

    def choose(self, slot: int) -> None:
        """At the end of a line: the likeliest candidate of each draft goes on, as all of its candidates."""
        begin, words = slot + 1 - self.form.length, self.decoder.verse_tables.words
        ends = self.tokens[..., begin : slot + 1].tolist()
        lines = [[self._line(tokens, number, slot) for tokens in rows] for number, rows in enumerate(ends)]
        for number, draft in enumerate(self.drafts):
            if not all(s in draft.forced for s in range(begin, slot + 1)):
                known = [line in self.decoder.verse_tables.known_lines for line in lines[number]]
                self.score[number] -= REPEATED * torch.tensor(known)
        best = self.score.argmax(1)
        self.stepper.choose(best.to(self.decoder.device))
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
