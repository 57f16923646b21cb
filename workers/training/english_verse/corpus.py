"""The corpus of English verse: reading, cleaning, vocabulary, lines turned round, batches.

Layout of ``--data DIR``: ``text/english_poems.jsonl.xz``. A word that the pronouncing dictionary lacks is
read as unknown: the model learns nothing that it could not write.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.engines.poetry.english.lexicon import FIRST_MARK, FIRST_WORD, MARKS
from workers.nets.english_verse_lstm import LONGEST, STAGES, START, UNKNOWN
from workers.training.english_verse.pronunciation import WEAK, dictionary, estimated_syllables

Ids = npt.NDArray[np.int64]

SPECIALS = ("<unk>", "<start>", *MARKS)

VALIDATION_PERCENT = 3
"""Share of the poems that are held out."""
STRANGE = 0.13
"""Poems with a larger share of words outside the dictionary are left out: dialect or another language."""
CHUNK_LINES = 14
"""Lines of a piece that is learned at once, at most: a sonnet."""
THEME_SIZE = 8
"""Words of a theme in a batch, at most; not tuned."""

_SPLIT = re.compile(r"'(?:tis|twas|twere|twill|mid|neath|gainst|twixt|mong)\b|[a-z]+(?:'[a-z]+)*|[,;:.!?]")
_DASH = re.compile(r"-{2,}|—|–|(?<=\s)-(?=\s|$)|-$")
_TODAY = re.compile(r"\bto-(day|night|morrow)\b")
_SHORT_PAST = re.compile(r"^([a-z]+)'d$")
_NUMERAL = re.compile(r"^[\sivxlcdm.]+$", re.IGNORECASE)

_ONE_PERSON = {
    "Emily Elizabeth Dickinson": "Emily Dickinson",
    "Christina Georgina Rossetti": "Christina Rossetti",
    "Alfred Tennyson": "Alfred Lord Tennyson",
    "Edgar Allen Poe": "Edgar Allan Poe",
    "George Gordon Byron": "Lord Byron",
    "Oscar Fingal O'Flahertie Wills Wilde": "Oscar Wilde",
    "W.B Yeats": "William Butler Yeats",
    "Samuel T. Coleridge": "Samuel Taylor Coleridge",
}
WELL_KNOWN = frozenset(
    {
        "Alexander Pope", "Alfred Edward Housman", "Alfred Lord Tennyson", "Algernon Charles Swinburne",
        "Amy Lowell", "Banjo Paterson", "Christina Rossetti", "D. H. Lawrence", "Edgar Allan Poe",
        "Edna St. Vincent Millay", "Edward Lear", "Elizabeth Barrett Browning", "Emily Bronte",
        "Emily Dickinson", "Gilbert Keith Chesterton", "Henry Wadsworth Longfellow", "Herman Melville",
        "John Clare", "John Keats", "John Milton", "Jonathan Swift", "Lewis Carroll", "Lord Byron",
        "Oscar Wilde", "Paul Laurence Dunbar", "Percy Bysshe Shelley", "Ralph Waldo Emerson",
        "Robert Burns", "Robert Herrick", "Rudyard Kipling", "Samuel Taylor Coleridge", "Sara Teasdale",
        "Thomas Hardy", "Thomas Hood", "Thomas Moore", "Walt Whitman", "William Blake",
        "William Butler Yeats", "William Shakespeare", "William Wordsworth",
    }
)  # fmt: skip
"""Poets of whom there are enough poems to learn a manner."""


@dataclass(frozen=True, slots=True)
class EnglishPoem:
    """One poem, cleaned: ``stanzas`` of lines of tokens in reading order, small letters."""

    author: str
    title: tuple[str, ...]
    stanzas: tuple[tuple[tuple[str, ...], ...], ...]

    @property
    def lines(self) -> list[tuple[str, ...]]:
        return [line for stanza in self.stanzas for line in stanza]

    @property
    def held_out(self) -> bool:
        """Whether it is for validation: by its first line, so a poem known by two titles is on one side."""
        digest = hashlib.sha256(" ".join(words_of(self.lines[0])).encode()).digest()
        return int.from_bytes(digest[:8], "big") % 100 < VALIDATION_PERCENT


def words_of(line: Sequence[str]) -> list[str]:
    """The words of a line of tokens, without marks."""
    return [token for token in line if token not in MARKS]


def plain(text: str) -> str:
    """``text`` with one kind of apostrophe and dash, no quotation marks or brackets."""
    text = re.sub("[’‘`]", "'", text)
    text = re.sub(r'["“”_*()\[\]{}|~]', " ", text)
    return _DASH.sub(",", text).replace("\t", " ")


def tokens(line: str) -> tuple[str, ...]:
    """Words (in small letters) and marks of a line of text, in reading order."""
    found: list[str] = []
    line = _TODAY.sub(r"to\1", plain(line).lower())
    for token in _SPLIT.findall(line):
        if token in MARKS:
            # Two marks are one; a line does not begin with one.
            if found and found[-1] not in MARKS:
                found.append(token)
            continue
        short = _SHORT_PAST.match(token)
        if short and token not in dictionary() and f"{short[1]}ed" in dictionary():
            token = f"{short[1]}ed"
        found.append(token)
    return tuple(found)


def _author(name: str) -> str:
    name = re.sub(r"\s*\(.*\)", "", name).strip()
    return _ONE_PERSON.get(name, name)


def _rows(data: Path) -> Iterator[dict[str, str]]:
    with lzma.open(data / "text" / "english_poems.jsonl.xz", "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def raw(data: Path) -> Iterator[str]:
    """The texts of all poems as they were printed."""
    return (plain(row["text"]) for row in _rows(data))


def read(data: Path) -> list[EnglishPoem]:
    """Every poem in standard English, once each. Raises FileNotFoundError."""
    known = dictionary()
    found: dict[tuple[tuple[str, ...], ...], EnglishPoem] = {}
    for row in _rows(data):
        stanzas = []
        for stanza in re.split(r"\n\s*\n", row["text"]):
            lines = [tokens(line) for line in stanza.split("\n") if not _heading(line)]
            lines = [line for line in lines if words_of(line)]
            if lines:
                stanzas.append(tuple(lines))
        poem = EnglishPoem(_author(row["author"]), tokens(row["title"]), tuple(stanzas))
        words = [word for line in poem.lines for word in words_of(line)]
        if len(poem.lines) >= 2 and sum(word not in known for word in words) <= STRANGE * len(words):
            found.setdefault(tuple(poem.lines), poem)
    return list(found.values())


def _heading(line: str) -> bool:
    """Whether a line of text is a number, a title in capitals or prose."""
    return bool(_NUMERAL.match(line)) or line.isupper() or any(c.isdigit() for c in line) or len(line) > 90


def vocabulary(poems: Sequence[EnglishPoem], size: int) -> list[str]:
    """The specials and the ``size`` most frequent words that can be pronounced, of training poems."""
    known = dictionary()
    counts = Counter(word for p in poems if not p.held_out for line in p.lines for word in words_of(line))
    ranked = sorted((w for w in counts if w in known), key=lambda word: (-counts[word], word))
    return [*SPECIALS, *ranked[:size]]


def syllables(word: str) -> int:
    """Syllables of any word, known or not."""
    sounds = dictionary().get(word)
    return max(sounds[0].syllables, 1) if sounds else estimated_syllables(word)


def authors(poems: Sequence[EnglishPoem], count: int = 40) -> list[str]:
    """``count`` poets whose manner is learned, those that readers know first; author 0 is anybody."""
    counts = Counter(p.author for p in poems if not p.held_out and p.author not in ("Unknown", "Anonymous"))
    return sorted(sorted(counts, key=lambda name: (name not in WELL_KNOWN, -counts[name], name))[:count])


@dataclass(slots=True)
class Chunk:
    """Up to CHUNK_LINES lines of one poem as the model writes them: each line's end first."""

    target: Ids  # (T,)
    before: Ids  # (T,)
    left: Ids  # (T,)
    stage: Ids  # (T,)
    fresh: Ids  # (T,)
    title: Ids  # ids of the title's words of sense
    author: int


def encode(poems: Sequence[EnglishPoem], words: Sequence[str], names: Sequence[str]) -> list[Chunk]:
    """The poems in chunks that end where a stanza does, if they can."""
    index = {word: i for i, word in enumerate(words)}
    author_of = {name: 1 + i for i, name in enumerate(names)}
    chunks = []
    for poem in poems:
        title = [index[w] for w in poem.title if w in index and w not in WEAK and w not in MARKS]
        staged = [
            (line, min(len(stanza) - place, STAGES - 1))
            for stanza in poem.stanzas
            for place, line in enumerate(stanza)
        ]
        while staged:
            cut = min(CHUNK_LINES, len(staged))
            ends = [i + 1 for i in range(cut) if staged[i][1] == 1]
            cut = ends[-1] if ends else cut
            chunks.append(_chunk(staged[:cut], index, title, author_of.get(poem.author, 0)))
            staged = staged[cut:]
    return chunks


def _chunk(
    staged: Sequence[tuple[tuple[str, ...], int]], index: dict[str, int], title: Sequence[int], author: int
) -> Chunk:
    rows: list[tuple[int, int, int, int, int]] = []
    before = START
    for line, stage in staged:
        turned = [index.get(token, UNKNOWN) for token in reversed(line)]
        lengths = [0 if token in MARKS else syllables(token) for token in reversed(line)]
        if line[-1] not in MARKS:
            turned, lengths = [FIRST_MARK, *turned], [0, *lengths]
        left = sum(lengths)
        for place, (token, length) in enumerate(zip(turned, lengths, strict=True)):
            rows.append((token, before, min(left, LONGEST), stage, int(place == 0)))
            left -= length
        before = turned[1]
    target, above, lefts, stages, fresh = np.array(rows, np.int64).T
    return Chunk(target, above, lefts, stages, fresh, np.array(title, np.int64), author)


@dataclass(slots=True)
class Batch:
    """Inputs and targets, int64 (B, T) or (B, K) or (B,); targets are UNKNOWN where nothing counts."""

    last: Ids
    before: Ids
    left: Ids
    stage: Ids
    fresh: Ids
    theme: Ids
    author: Ids
    target: Ids


class Batches:
    """Draws batches of chunks of like length, with conditions that are partly left out."""

    def __init__(self, chunks: Sequence[Chunk], words: Sequence[str], seed: int) -> None:
        self.chunks = chunks
        self.random = np.random.default_rng(seed)
        counts = np.bincount(np.concatenate([c.target for c in chunks]), minlength=len(words))
        frequency = counts / max(counts.sum(), 1)
        # Rare words say more of what a poem is about; words without weight say nothing.
        self.interest = np.minimum(1.0, np.sqrt(1e-4 / np.maximum(frequency, 1e-9)))
        for i, word in enumerate(words):
            if i < FIRST_WORD or word in WEAK:
                self.interest[i] = 0.0

    def epoch(self, size: int) -> Iterator[Batch]:
        """Every chunk once, in batches of about ``size`` tokens, in random order."""
        lengths = np.array([len(c.target) for c in self.chunks]) + self.random.random(len(self.chunks)) * 8
        order = np.argsort(lengths)
        plan, rows, longest = [], list[int](), 0
        for number in order:
            longest = max(longest, len(self.chunks[number].target))
            rows.append(int(number))
            if longest * len(rows) >= size:
                plan.append(rows)
                rows, longest = [], 0
        plan += [rows] if rows else []
        for place in self.random.permutation(len(plan)):
            yield self.draw(plan[place])

    def draw(self, rows: Sequence[int], conditioned: bool | None = None) -> Batch:
        """The batch of ``rows``: ``conditioned`` on everything (True), on nothing (False) or, as in training,
        on a random part of it (None)."""
        chosen = [self.chunks[row] for row in rows]
        longest = max(len(c.target) for c in chosen)

        def padded(columns: Sequence[Ids]) -> Ids:
            return np.stack([np.pad(column, (0, longest - len(column))) for column in columns])

        target = padded([c.target for c in chosen])
        left, stage = padded([c.left for c in chosen]), padded([c.stage for c in chosen])
        author = np.array([c.author for c in chosen], np.int64)
        random, count = self.random, len(rows)
        if conditioned is None:
            left[random.random(count) < 0.08] = 0
            stage[random.random(count) < 0.1] = 0
            author[random.random(count) < 0.15] = 0
        elif not conditioned:
            left, stage, author = np.zeros_like(left), np.zeros_like(stage), np.zeros_like(author)
        theme = np.zeros((count, THEME_SIZE), np.int64)
        for number, chunk in enumerate(chosen):
            if conditioned is None:
                found = self._theme(chunk)
            else:
                found = chunk.title[:THEME_SIZE].tolist() if conditioned else []
            theme[number, : len(found)] = found
        last = np.concatenate([np.full((count, 1), START), target[:, :-1]], 1)
        return Batch(
            last=last,
            before=padded([c.before for c in chosen]),
            left=left,
            stage=stage,
            fresh=padded([c.fresh for c in chosen]),
            theme=theme,
            author=author,
            target=target,
        )

    def _theme(self, chunk: Chunk) -> list[int]:
        """Up to four words of the title and four of the lines; one chunk in seven gets none at all."""
        if self.random.random() < 0.15:
            return []
        theme: list[int] = []
        for source in (chunk.title, np.unique(chunk.target)):
            weight = self.interest[source]
            keys = self.random.random(len(source)) ** (1.0 / np.maximum(weight, 1e-9))
            best = source[np.argsort(-keys)][: self.random.integers(0, THEME_SIZE // 2 + 1)]
            theme += [int(token) for token in best if self.interest[token] > 0 and token not in theme]
        return theme[:THEME_SIZE]
