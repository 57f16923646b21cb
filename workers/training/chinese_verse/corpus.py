"""The corpus of regulated verse: reading, vocabulary, tones and rhymes, themes, batches.

Layout of ``--data DIR``: ``text/chinese_regulated_verse.jsonl.xz`` and ``text/pingshui_rhyme.json``.
"""

from __future__ import annotations

import hashlib
import json
import lzma
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from workers.engines.language.character_variants import fold
from workers.engines.language.han import is_chinese
from workers.engines.poetry.chinese import prosody

Ids = npt.NDArray[np.int64]

SPECIALS = ("□", "^")
"""Tokens 0 (unknown, padding) and 1 (nothing yet); characters follow by frequency."""

VALIDATION_PERCENT = 2
"""Share of the poems that are held out."""
THEME_SIZE = 8
"""Characters of a theme in a batch, at most; not tuned."""
TITLE_SIZE = 12
"""Characters of a title that are kept, at most."""
DYNASTIES = {"tang": 1, "song": 2}
POETS = (
    "李白", "杜甫", "王维", "孟浩然", "白居易", "李商隐", "杜牧", "刘禹锡", "岑参", "刘长卿", "韦应物",
    "元稹", "贾岛", "温庭筠", "许浑", "罗隐", "贯休", "齐己", "陆龟蒙", "韦庄", "苏轼", "陆游", "杨万里",
    "王安石", "黄庭坚", "范成大", "欧阳修", "梅尧臣", "邵雍", "朱熹", "文天祥", "朱淑真",
)  # fmt: skip
"""Poets whose manner is learned: well known, with 180 regular poems or more each."""

# What titles are full of and themes are not: numbering, occasions of exchange, kinds of poem.
_TITLE_STOP = frozenset(
    "其一二三四五六七八九十百首韵次和题作见以有公绝句之用又再○□诗因戏呈也者于偈颂咏篇前后同"
)


@dataclass(frozen=True, slots=True)
class PoemText:
    """One poem, variants folded. ``lines`` are exact in form."""

    title: str
    dynasty: str
    form: str
    lines: tuple[str, ...]
    author: str = ""

    @property
    def text(self) -> str:
        return "".join(self.lines)

    @property
    def held_out(self) -> bool:
        """Whether it is for validation: by its first line, so a poem known by two titles is on one side."""
        digest = hashlib.sha256(self.lines[0].encode()).digest()
        return int.from_bytes(digest[:8], "big") % 100 < VALIDATION_PERCENT


def read(data: Path) -> list[PoemText]:
    """Every poem of the corpus, once each. Raises FileNotFoundError."""
    found: dict[str, PoemText] = {}
    with lzma.open(data / "text" / "chinese_regulated_verse.jsonl.xz", "rt", encoding="utf-8") as file:
        for row in map(json.loads, file):
            form = prosody.FORM_BY_SLUG[row["form"]]
            poem = PoemText(
                fold(row["title"]),
                row["dynasty"],
                row["form"],
                tuple(fold(line) for line in row["lines"]),
                row.get("author", ""),
            )
            if len(poem.lines) == form.lines and all(len(line) == form.length for line in poem.lines):
                found.setdefault(poem.text, poem)
    return list(found.values())


def vocabulary(poems: Sequence[PoemText], size: int) -> list[str]:
    """The specials and the ``size`` most frequent characters, of poems that are trained on."""
    counts = Counter(character for poem in poems if not poem.held_out for character in poem.text)
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    return [*SPECIALS, *ranked[:size]]


@dataclass(slots=True)
class Tables:
    """What is known of each token: ``tones`` (V,) uint8, ``rhymes`` (V, 30) bool; names of the rhymes."""

    tones: npt.NDArray[np.uint8]
    rhymes: npt.NDArray[np.bool_]
    rhyme_names: list[str]


@dataclass(slots=True)
class FormCorpus:
    """All poems of one form and split: N poems of ``form.slots`` tokens."""

    form: prosody.Form
    tokens: Ids  # (N, slots)
    titles: Ids  # (N, TITLE_SIZE), padded with 0
    dynasty: Ids  # (N,)
    pattern: Ids  # (N,) 0 unknown
    rhyme: Ids  # (N,) 0 unknown, else 1 + index into the rhyme names
    author: Ids  # (N,) 0 anybody, else 1 + index into POETS


def encode(poems: Sequence[PoemText], words: Sequence[str], held_out: bool) -> list[FormCorpus]:
    """One corpus per form; poems with a character outside the vocabulary are left out."""
    index = {word: i for i, word in enumerate(words)}
    author_of = {name: 1 + i for i, name in enumerate(POETS)}
    corpora = []
    for form in prosody.FORMS:
        chosen = [
            p
            for p in poems
            if p.form == form.slug and p.held_out == held_out and all(c in index for c in p.text)
        ]
        count = len(chosen)
        tokens = np.array([[index[c] for c in p.text] for p in chosen], np.int64).reshape(count, form.slots)
        titles = np.zeros((count, TITLE_SIZE), np.int64)
        for row, poem in enumerate(chosen):
            known = [index[c] for c in poem.title if is_chinese(c) and c not in _TITLE_STOP and c in index]
            titles[row, : len(known[:TITLE_SIZE])] = known[:TITLE_SIZE]
        dynasty = np.array([DYNASTIES.get(p.dynasty, 0) for p in chosen], np.int64)
        author = np.array([author_of.get(p.author, 0) for p in chosen], np.int64)
        unknown = np.zeros(count, np.int64)
        corpora.append(FormCorpus(form, tokens, titles, dynasty, unknown, unknown.copy(), author))
    return corpora


def _pingshui(data: Path, words: Sequence[str]) -> Tables:
    """Tones and rhymes as the Pingshui book has them; characters that it lacks stay unknown."""
    book = json.loads((data / "text" / "pingshui_rhyme.json").read_text("utf-8"))
    index = {word: i for i, word in enumerate(words)}
    level = [(name, chars) for tone, group in book.items() if "平" in tone for name, chars in group.items()]
    oblique = [chars for tone, group in book.items() if "平" not in tone for chars in group.values()]
    rhymes = np.zeros((len(words), len(level)), np.bool_)
    for number, (_, chars) in enumerate(level):
        for c in map(fold, chars):
            if c in index:
                rhymes[index[c], number] = True
    is_oblique = np.zeros(len(words), np.bool_)
    for chars in oblique:
        for c in map(fold, chars):
            if c in index:
                is_oblique[index[c]] = True
    tones = (rhymes.any(1) * prosody.TONE_LEVEL + is_oblique * prosody.TONE_OBLIQUE).astype(np.uint8)
    return Tables(tones, rhymes, [name for name, _ in level])


def _strict(codes: Ids, form: prosody.Form) -> Ids:
    """The slots of a pattern that every poet keeps: 2nd, 4th and 6th of a line, and its last."""
    place = np.arange(form.slots) % form.length
    return np.flatnonzero(((place % 2 == 1) | (place == form.length - 1)) & (codes != prosody.ANY))


def detect_patterns(corpus: FormCorpus, tones: npt.NDArray[np.uint8], tolerance: float = 0.08) -> None:
    """Fill ``corpus.pattern``: the scheme with the fewest breaches at strict slots, 0 when there are many."""
    found = tones[corpus.tokens]  # (N, slots)
    breaches = []
    for pattern in range(1, 5):
        codes = np.array(prosody.slot_codes(corpus.form, pattern))
        slots = _strict(codes, corpus.form)
        wants_oblique = codes[slots] == prosody.OBLIQUE
        wrong = np.where(wants_oblique, prosody.TONE_LEVEL, prosody.TONE_OBLIQUE)
        breaches.append((found[:, slots] == wrong).mean(1))
    table = np.stack(breaches, 1)  # (N, 4)
    best = table.argmin(1)
    corpus.pattern = np.where(table.min(1, initial=1.0) <= tolerance, best + 1, 0)


def detect_rhymes(corpus: FormCorpus, rhymes: npt.NDArray[np.bool_]) -> None:
    """Fill ``corpus.rhyme``: the rhyme that all known line ends share, 0 when there is none."""
    ends = np.arange(2 * corpus.form.length - 1, corpus.form.slots, 2 * corpus.form.length)
    found = rhymes[corpus.tokens[:, ends]]  # (N, ends, 30)
    known = found.any(2)
    votes = found.sum(1)  # (N, 30)
    enough = votes.max(1, initial=0) >= np.maximum(known.sum(1), 2)
    corpus.rhyme = np.where(enough, votes.argmax(1) + 1, 0)


def tables(data: Path, words: Sequence[str], corpora: Sequence[FormCorpus]) -> Tables:
    """Tones and rhymes: the Pingshui book, then corrected and completed by how poets use each character.

    Simplified characters merge words of different tones and the book lacks hundreds of spellings;
    the strict slots of regular poems tell. Also fills pattern and rhyme of the corpora.
    """
    book = _pingshui(data, words)
    level, oblique = np.zeros(len(words)), np.zeros(len(words))
    rhymed = np.zeros((len(words), len(book.rhyme_names)))
    for corpus in corpora:
        detect_patterns(corpus, book.tones)
        detect_rhymes(corpus, book.rhymes)
        for pattern in range(1, 5):
            rows = corpus.tokens[corpus.pattern == pattern]
            codes = np.array(prosody.slot_codes(corpus.form, pattern))
            for slot in _strict(codes, corpus.form):
                counts = np.bincount(rows[:, slot], minlength=len(words))
                if codes[slot] == prosody.OBLIQUE:
                    oblique += counts
                else:
                    level += counts
        known = corpus.rhyme > 0
        for end in range(2 * corpus.form.length - 1, corpus.form.slots, 2 * corpus.form.length):
            np.add.at(rhymed, (corpus.tokens[known, end], corpus.rhyme[known] - 1), 1)
    tones = book.tones.copy()
    total = level + oblique
    share = level / np.maximum(total, 1)
    # These thresholds and those of rhymes below are not tuned.
    enough = total >= 12
    tones[enough & (share >= 0.9)] = prosody.TONE_LEVEL
    tones[enough & (share <= 0.1)] = prosody.TONE_OBLIQUE
    tones[enough & (share > 0.1) & (share < 0.9)] = prosody.TONE_BOTH
    # A character rhymes where poets rhyme it; without evidence, where the book says.
    used = rhymed.sum(1, keepdims=True)
    by_use = (rhymed >= 3) & (rhymed >= 0.1 * used)
    rhymes = np.where(used >= 20, by_use, book.rhymes | by_use)
    rhymes[tones == prosody.TONE_OBLIQUE] = False
    result = Tables(tones, rhymes, book.rhyme_names)
    for corpus in corpora:
        detect_patterns(corpus, result.tones)
        detect_rhymes(corpus, result.rhymes)
    return result


def doubled(corpora: Sequence[FormCorpus], words: int) -> npt.NDArray[np.bool_]:
    """Which characters poets double within a foot (萧萧): (words,) bool."""
    twice, ever = np.zeros(words), np.zeros(words)
    for corpus in corpora:
        lines = corpus.tokens.reshape(-1, corpus.form.length)
        ever += np.bincount(lines.reshape(-1), minlength=words)
        for place in prosody.DOUBLE[corpus.form.length]:
            second = lines[:, place]
            twice += np.bincount(second[second == lines[:, place - 1]], minlength=words)
    result: npt.NDArray[np.bool_] = (twice >= 10) & (twice >= 0.01 * ever)
    return result


def couplets(corpora: Sequence[FormCorpus], words: int, rank: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    """Which characters answer which in parallel couplets: two tables (words, rank), above and below.

    Their product approximates the positive pointwise mutual information of two characters at one
    place of both lines of a couplet (a truncated singular value decomposition, as Levy and Goldberg 2014).
    """
    pairs = np.zeros(0, np.int64)
    for corpus in corpora:
        length = corpus.form.length
        lines = corpus.tokens.reshape(len(corpus.tokens), corpus.form.lines, length)
        for below in prosody.PARALLEL_BELOW.get(corpus.form.lines, ()):
            pairs = np.concatenate([pairs, (lines[:, below - 1] * words + lines[:, below]).reshape(-1)])
    counts = np.bincount(pairs, minlength=words * words).reshape(words, words)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / max(len(pairs), 1)
    above, below_, found = *np.nonzero(counts), counts[counts > 0]
    # A pair seen once may be chance.
    weight = np.maximum(np.log(found / expected[above, below_]), 0) * found / (found + 1)
    table = torch.zeros(words, words)
    table[torch.from_numpy(above), torch.from_numpy(below_)] = torch.from_numpy(weight).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        left, values, right = torch.svd_lowrank(table, min(rank, words), niter=6)
    return left * values.sqrt(), right * values.sqrt()


def line_above(tokens: Ids, length: int, start: int = 1) -> Ids:
    """For each slot the token at the same place of the line before; ``start`` in the first line."""
    above = np.full_like(tokens, start)
    above[:, length:] = tokens[:, :-length]
    return above


@dataclass(slots=True)
class Batch:
    """What :class:`workers.nets.chinese_verse_lstm.LSTMInputs` and the loss need, int64 (B, T) or (B,)."""

    last: Ids
    above: Ids
    slot: Ids
    code: Ids
    theme: Ids
    rhyme: Ids
    dynasty: Ids
    author: Ids
    target: Ids


class Batches:
    """Draws batches of one form each, with themes and conditions that are partly left out."""

    def __init__(self, corpora: Sequence[FormCorpus], words: int, seed: int) -> None:
        self.corpora = corpora
        self.random = np.random.default_rng(seed)
        counts = sum(np.bincount(c.tokens.reshape(-1), minlength=words) for c in corpora)
        frequency = counts / np.maximum(np.sum(counts), 1)
        # Rare characters say more of what a poem is about; particles say nothing.
        self.interest = np.minimum(1.0, np.sqrt(2e-4 / np.maximum(frequency, 1e-9)))
        self.codes = [
            np.array([prosody.pair_codes(prosody.slot_codes(c.form, p)) for p in range(5)]) for c in corpora
        ]

    def epoch(self, size: int) -> Iterator[Batch]:
        """Every poem once, in random order."""
        plan = []
        for number, corpus in enumerate(self.corpora):
            order = self.random.permutation(len(corpus.tokens))
            plan += [(number, order[i : i + size]) for i in range(0, len(order), size)]
        for position in self.random.permutation(len(plan)):
            yield self.draw(*plan[position])

    def draw(self, number: int, rows: Ids, exact: bool = False) -> Batch:
        """The batch of ``rows`` of corpus ``number``; ``exact``: all conditions, the theme is the title."""
        corpus, random = self.corpora[number], self.random
        tokens, titles = corpus.tokens[rows], corpus.titles[rows]
        count = len(rows)
        pattern, rhyme, dynasty = corpus.pattern[rows], corpus.rhyme[rows], corpus.dynasty[rows]
        author = corpus.author[rows]
        if exact:
            theme = titles[:, :THEME_SIZE]
        else:
            theme = self._theme(tokens, titles)
            pattern = np.where(random.random(count) < 0.05, 0, pattern)
            rhyme = np.where(random.random(count) < 0.1, 0, rhyme)
            dynasty = np.where(random.random(count) < 0.1, 0, dynasty)
            author = np.where(random.random(count) < 0.15, 0, author)
        last = np.concatenate([np.full((count, 1), 1), tokens[:, :-1]], 1)
        slot = prosody.MAX_SLOTS * number + np.arange(corpus.form.slots)
        return Batch(
            last=last,
            above=line_above(tokens, corpus.form.length),
            slot=np.tile(slot, (count, 1)),
            code=self.codes[number][pattern],
            theme=theme,
            rhyme=rhyme,
            dynasty=dynasty,
            author=author,
            target=tokens,
        )

    def _theme(self, tokens: Ids, titles: Ids) -> Ids:
        """Up to four characters of the title and four of the poem; one in eight gets none at all."""
        random, count = self.random, len(tokens)

        def some(source: Ids, weight: npt.NDArray[np.float64]) -> Ids:
            keys = random.random(source.shape) ** (1.0 / np.maximum(weight, 1e-9))
            best = np.argsort(-keys, 1)[:, : THEME_SIZE // 2]
            picked = np.take_along_axis(source, best, 1)
            keep = random.integers(0, THEME_SIZE // 2 + 1, count)
            picked[np.arange(THEME_SIZE // 2) >= keep[:, None]] = 0
            return picked

        theme = np.concatenate(
            [some(titles, (titles > 0).astype(np.float64)), some(tokens, self.interest[tokens])], 1
        )
        theme[random.random(count) < 0.125] = 0
        return theme
