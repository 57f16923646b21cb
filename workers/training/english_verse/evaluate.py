"""``python -m workers.training evaluate english``: perplexity, rules, themes, speed, and forty poems.

Poems are written by the engine as it ships. Held-out poems are those whose first line hashes into
the validation split; neither the model nor the trigram saw them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from workers import device as devices
from workers import weights
from workers.engines.poetry.english.forms import FORM_BY_SLUG
from workers.engines.poetry.english.line_sampling import CANDIDATES
from workers.engines.poetry.english.model import NAME, EnglishVerseModel
from workers.engines.poetry.english.planning import Draft
from workers.nets.english_verse_lstm import UNKNOWN, EnglishVerseLSTM
from workers.training.common.setup import data_argument
from workers.training.english_verse import corpus, rule_checker
from workers.training.english_verse.export import training_lines
from workers.training.english_verse.train import reading, validate
from workers.training.verse_common.author_attribution import POEMS_PER_BATCH, Nats, attribution, mean_nats
from workers.training.verse_common.trigram import Trigram

THEMES = (
    "the sea at night", "spring flowers", "winter snow", "an old soldier", "the moon over the mountain",
    "death of a friend", "a bird in the garden", "the city at dawn", "autumn leaves and rain", "first love",
    "a mother and her child", "the king and his crown", "stars of heaven", "a ship in the storm", "roses",
    "summer in the fields", "time and memory", "the river", "freedom and war", "silence in the wood",
    "the church bell", "a dream", "wine and song", "the grave", "a lion", "fire and ashes", "the harvest",
    "a cottage in the valley", "angels and heaven", "the butterfly", "a lonely road", "the forest",
    "pride and power", "a kiss", "the clouds", "music of the harp", "a golden ring", "the dog and the cat",
    "sorrow and tears", "the nightingale", "bread and labour", "a book", "thunder", "the child asleep",
    "sunset", "lilies", "the queen of the fairies", "the island", "honour and fame", "an empty house",
)  # fmt: skip
BATCH = 20
"""Poems that are written at once."""
TEMPERATURE = 1.0
"""Of all poems that are measured: what the network was trained to say."""
POETS = 300
"""Held-out pieces by poets that the model is conditioned on, for author attribution."""
PROTOCOL = (
    "Perplexity per token (words of the vocabulary and marks) of held-out poems (3 %, by hash of the first "
    "line), each line read backwards: conditioned on lengths, author and title; on nothing; an interpolated "
    "Kneser-Ney trigram on the same tokens. poet_found: held-out pieces of up to 14 lines that are likeliest "
    "in their own poet's manner. {count} poems for each of {themes} themes and {forms} forms at "
    "temperature 1, checked on the printed text with the CMU dictionary by a checker of its own. retrieval: "
    "from the words of a poem but its theme's own, the nearest of the themes by TF-IDF over training poems "
    "that hold a theme word. Speed on {threads} CPU thread of a shared machine, {candidates} candidates."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the evaluation."""
    data_argument(parser)
    parser.add_argument("--model", default=NAME, help="name of the weights")
    parser.add_argument("--count", type=int, default=4, help="poems per theme and form")
    parser.add_argument("--themes", type=int, default=len(THEMES), help="how many of the themes")
    parser.add_argument("--forms", nargs="+", choices=list(FORM_BY_SLUG), default=list(FORM_BY_SLUG))
    parser.add_argument("--sheet", type=int, default=40, help="poems in poems.md, unpicked")
    parser.add_argument("--threads", type=int, default=1)


def _blocks(chunks: Sequence[corpus.Chunk]) -> list[corpus.Ids]:
    """The lines of all chunks as token ids, those of one length together (N, length)."""
    found: defaultdict[int, list[corpus.Ids]] = defaultdict(list)
    for chunk in chunks:
        for line in np.split(chunk.target, np.flatnonzero(chunk.fresh)[1:]):
            found[len(line)].append(line)
    return [np.stack(lines) for lines in found.values()]


def trigram_nats(training: Sequence[corpus.Chunk], held_out: Sequence[corpus.Chunk], words: int) -> float:
    """Nats per known token of ``held_out``; as for the network, unknown words are never expected."""
    model = Trigram(_blocks(training), words)
    total, count = 0.0, 0
    for block in _blocks(held_out):
        known = block.reshape(-1) != UNKNOWN
        chances = model.chances(block) / (1.0 - model.chances(block, UNKNOWN))
        total -= float(np.log(chances[known]).sum())
        count += int(known.sum())
    return total / max(count, 1)


def author_figures(
    model: EnglishVerseLSTM, chunks: Sequence[corpus.Chunk], words: Sequence[str], most: int
) -> dict[str, float]:
    """Author attribution of at most ``most`` pieces of poems by poets that the model is conditioned on."""
    batches, device = corpus.Batches(chunks, words, seed=1), model.bias.device
    rows = [row for row, chunk in enumerate(chunks) if chunk.author]
    rows = sorted(rows, key=lambda row: (row * 2654435761) % 2**32)[:most]
    rows.sort(key=lambda row: len(chunks[row].target))

    def cost(batch: corpus.Batch, author: int) -> Nats:
        inputs, target = reading(model, replace(batch, author=np.full_like(batch.author, author)), device)
        vectors, _state = model.features(inputs)
        return mean_nats(model.log_chances(vectors), target, target != UNKNOWN)

    drawn = (
        batches.draw(rows[start : start + POEMS_PER_BATCH], conditioned=True)
        for start in range(0, len(rows), POEMS_PER_BATCH)
    )
    return attribution(drawn, model.config.authors, cost)


def _write(writer: EnglishVerseModel, drafts: Sequence[Draft]) -> Iterator[tuple[Draft, tuple[str, ...]]]:
    for start in range(0, len(drafts), BATCH):
        batch = drafts[start : start + BATCH]
        for _ in writer.write(batch):
            pass
        yield from ((draft, writer.lines(draft)) for draft in batch)


def _drafts(
    writer: EnglishVerseModel, form: str, themes: Sequence[str], count: int
) -> list[tuple[int, Draft]]:
    """``count`` drafts of every theme, with the theme's number."""
    found = []
    for number, prompt in enumerate(themes):
        tokens = writer.understand(prompt).tokens
        for copy in range(count):
            generator = torch.Generator().manual_seed(1000 * number + copy)
            found.append((number, writer.draft(form, generator, theme=tokens, temperature=TEMPERATURE)))
    return found


class Retrieval:
    """Which theme a text is nearest to: TF-IDF of the training poems that hold one of its words."""

    def __init__(
        self, poems: Sequence[corpus.EnglishPoem], writer: EnglishVerseModel, themes: Sequence[str]
    ) -> None:
        index, size = writer.lexicon.index, len(writer.lexicon.words)
        bags = []
        for poem in poems:
            if not poem.held_out:
                bags.append({index[w] for line in poem.lines for w in line if w in index})
        documents = np.zeros(size)
        for bag in bags:
            documents[list(bag)] += 1
        self.idf = np.log(len(bags) / np.maximum(documents, 1))
        self.own = [set(writer.understand(prompt).tokens) for prompt in themes]
        vectors = np.zeros((len(themes), size))
        for number, own in enumerate(self.own):
            for bag in bags:
                # Themes of several words are found where they come together.
                shared = len(bag & own) / math.sqrt(len(bag))
                if shared:
                    vectors[number, list(bag)] += shared ** len(own)
            vectors[number] /= max(vectors[number].sum(), 1e-9)
        # What sets a theme apart from the others.
        self.vectors = np.log((vectors + 1e-6) / (vectors.mean(0) + 1e-6)) * self.idf
        self.vectors /= np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-9)

    def nearest(self, tokens: set[int], number: int, without_own: bool) -> bool:
        """Whether theme ``number`` is the nearest to the words ``tokens``."""
        chosen = list(tokens - self.own[number] if without_own else tokens)
        return bool(chosen) and int(self.vectors[:, chosen].sum(1).argmax()) == number


def main(arguments: argparse.Namespace) -> None:
    """Measure, print, write the figures into the card and ``poems.md`` beside it."""
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    writer = EnglishVerseModel(torch.device("cpu"), arguments.model)
    poems = corpus.read(arguments.data)
    words = writer.lexicon.words
    training = corpus.encode([p for p in poems if not p.held_out], words, writer.authors)
    held_out = corpus.encode([p for p in poems if p.held_out], words, writer.authors)
    checks = corpus.Batches(held_out, words, seed=1)
    model, device = writer.decoder.model, torch.device("cpu")
    quality: dict[str, Any] = {
        "perplexity": math.exp(validate(model, checks, device, conditioned=True)),
        "perplexity_untold": math.exp(validate(model, checks, device, conditioned=False)),
        "perplexity_trigram": math.exp(trigram_nats(training, held_out, len(words))),
    }
    quality |= author_figures(model, held_out, words, POETS)
    print(quality, flush=True)
    themes = THEMES[: arguments.themes]
    quality |= _measure(writer, poems, arguments.forms, themes, arguments.count)
    quality |= _speed(writer, arguments.forms[0])
    quality = {key: float(f"{value:.4g}") for key, value in quality.items()}
    protocol = PROTOCOL.format(
        count=arguments.count,
        themes=len(themes),
        forms=len(arguments.forms),
        threads=arguments.threads,
        candidates=CANDIDATES,
    )
    folder = weights.find(arguments.model)
    card = weights.load_card(folder)
    card["quality"] = quality | {"protocol": protocol}
    weights.write_card(folder, card)
    (folder / "poems.md").write_text(sheet(writer, card["sha256"], arguments.forms, arguments.sheet), "utf-8")
    for key, value in quality.items():
        print(f"{key}: {value}")


def _measure(
    writer: EnglishVerseModel,
    poems: Sequence[corpus.EnglishPoem],
    forms: Sequence[str],
    themes: Sequence[str],
    count: int,
) -> dict[str, float]:
    known, retrieval = training_lines(poems), Retrieval(poems, writer, themes)
    reports: list[rule_checker.RuleReport] = []
    found = found_by_others = borrowed = lines_total = 0
    pairs: list[tuple[str, str]] = []
    for form in forms:
        numbered = _drafts(writer, form, themes, count)
        written = _write(writer, [draft for _, draft in numbered])
        for (number, _), (draft, lines) in zip(numbered, written, strict=True):
            reports.append(rule_checker.check(lines, form))
            tokens = {token for line in draft.tokens for token in line}
            found += retrieval.nearest(tokens, number, without_own=False)
            found_by_others += retrieval.nearest(tokens, number, without_own=True)
            for line in lines:
                text = rule_checker.words(line)
                lines_total += 1
                borrowed += " ".join(text) in known
                pairs += pairwise(text)
    total = len(reports)
    sample = [pair for line in _held_out_lines(poems) for pair in pairwise(line)]
    size = min(len(sample), len(pairs))
    return {
        "poems": total,
        "line_count_right": sum(v.lines for v in reports) / total,
        "syllables_right": sum(v.syllables for v in reports) / total,
        "rhymes_right": sum(v.rhymes for v in reports) / total,
        "long_words_on_beat": float(np.mean([v.beats for v in reports])),
        "strangers": sum(len(v.unknown) for v in reports),
        "retrieval": found / total,
        "retrieval_by_other_words": found_by_others / total,
        "lines_of_the_training": borrowed / lines_total,
        "distinct_2": len(set(pairs[:size])) / size,
        "distinct_2_corpus": len(set(sample[:size])) / size,
    }


def _held_out_lines(poems: Sequence[corpus.EnglishPoem]) -> Iterator[list[str]]:
    for poem in poems:
        if poem.held_out:
            yield from (corpus.words_of(line) for line in poem.lines)


def _speed(writer: EnglishVerseModel, form: str) -> dict[str, float]:
    def drafts(count: int) -> list[Draft]:
        return [
            writer.draft(form, torch.Generator().manual_seed(i), temperature=TEMPERATURE)
            for i in range(count)
        ]

    started = time.perf_counter()
    alone_draft = drafts(1)
    writing = writer.write(alone_draft)
    next(syllables for syllables in writing if alone_draft[0].tokens)
    first = time.perf_counter() - started
    for _ in writing:
        pass
    alone = time.perf_counter() - started
    started = time.perf_counter()
    for _ in writer.write(drafts(50)):
        pass
    return {
        "first_line_seconds": first,
        "poem_seconds": alone,
        "poem_seconds_of_50": (time.perf_counter() - started) / 50,
    }


def sheet(writer: EnglishVerseModel, digest: str, forms: Sequence[str], count: int) -> str:
    """``count`` poems, unpicked, as Markdown: forms and themes in turn, every fourth in a poet's manner."""
    by = f"By `{NAME}` ({digest[:12]}) at temperature 1; the number is the seed."
    parts = [f"# {count} poems, unpicked\n\n{by}\n"]
    for number in range(1, count + 1):
        form, prompt = forms[number % len(forms)], THEMES[number % len(THEMES)]
        author = writer.authors[number % len(writer.authors)] if number % 4 == 0 else ""
        draft = writer.draft(
            form,
            devices.generator(number),
            theme=writer.understand(prompt).tokens,
            author=author,
            temperature=TEMPERATURE,
        )
        lines = next(lines for _, lines in _write(writer, [draft]))
        manner = f", in the manner of {author}" if author else ""
        parts.append(f"## {number}. {prompt}\n\n{draft.form.name} ({form}){manner}\n")
        breaks = draft.form.breaks()
        parts.append("".join(f"{line}  \n" + "\n" * (i in breaks) for i, line in enumerate(lines)))
    return "\n".join(parts)
