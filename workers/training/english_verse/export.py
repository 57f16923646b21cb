"""From a checkpoint of the model of English verse to a weights folder with everything that writing needs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workers import weights
from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.english.lexicon import FIRST_WORD, pack_columns
from workers.nets.english_verse_lstm import UNKNOWN, EnglishVerseLSTM, EnglishVerseLSTMConfig
from workers.training.english_verse import corpus
from workers.training.english_verse.pronunciation import WEAK, dictionary

KNOWN_LINES_BYTES = 450_000
"""Size of the Bloom filter of training lines."""
TOPIC_WORDS = 5000
"""Words with a vector in the table of topics, the commonest."""

SOURCES = [
    {
        "what": "about 18,000 English poems of the public domain, of which poems in dialect are left out",
        "source": "the project's collection of English poems",
        "rights": "the poems are in the public domain",
    },
    {
        "what": "the pronunciations of the vocabulary: syllables, stresses and rhymes",
        "source": "The CMU Pronouncing Dictionary, Carnegie Mellon University",
        "rights": "BSD 2-clause",
    },
]
LIMITS = [
    "Its diction is that of the nineteenth century; modern things have no word here.",
    "Pronunciation is North American; a word that may be said in two ways is taken in the commoner one.",
    "A line is usually English, lines share a mood and an image, and grammar often holds across two of them; "
    "verbs may not agree with their subjects, and an argument over a whole poem is rare.",
    "Summer, sun, sea and their like come often, whatever the theme; people and their affairs are harder for "
    "it than nature is.",
]


def export(folder: Path, checkpoint: Mapping[str, Any], data: Path, hardware: str) -> str:
    """Write ``model.safetensors`` and ``card.json`` of a checkpoint; returns the digest.

    ``data``: the folder that it was trained with.

    Beside the network: the columns of :class:`workers.engines.poetry.english.lexicon.Lexicon`,
    :func:`topics`, and ``known_lines``, a Bloom filter of the training lines by which the engine avoids
    repeating one.
    """
    state = checkpoint["state"]
    config, words = EnglishVerseLSTMConfig.from_dict(state["config"]), state["words"]
    tensors = {name: tensor.clone() for name, tensor in state["model"].items()}
    EnglishVerseLSTM(config).load_state_dict(tensors)  # refuses what does not fit
    # An unknown word is never a target: as an input it reads as an average one.
    tensors["word.weight"][UNKNOWN] = tensors["word.weight"][FIRST_WORD:].mean(0)
    # Tables for a machine, not for a reader of the card.
    tensors["lexicon"] = pack_columns(lexicon(words, capitalised(corpus.raw(data))))
    poems = corpus.read(data)
    tensors["topics"] = topics([poem for poem in poems if not poem.held_out], words)
    known = BloomFilter.of(training_lines(poems), KNOWN_LINES_BYTES)
    tensors["known_lines"] = torch.frombuffer(bytearray(known.data), dtype=torch.uint8)
    card = {
        "name": "verse-english",
        "architecture": "LSTM that writes lines backwards (workers/nets/english_verse_lstm.py)",
        "config": config.as_dict() | {"authors_named": state["authors"]},
        "data": SOURCES,
        "steps": checkpoint["step"],
        "training": {
            "minutes": round(checkpoint["elapsed"] / 60, 1),
            "epochs": round(state["seen"] / state["tokens"], 2),
            "hardware": f"{hardware}, shared",
        },
        "quality": {},
        "limits": LIMITS,
    }
    return weights.save(folder, tensors, card)


def training_lines(poems: Sequence[corpus.EnglishPoem]) -> set[str]:
    """Every different line that was trained on: its words, without marks."""
    return {" ".join(corpus.words_of(line)) for p in poems if not p.held_out for line in p.lines}


def topics(poems: Sequence[corpus.EnglishPoem], words: Sequence[str], rank: int = 64) -> torch.Tensor:
    """float32 (V, rank): products of rows say how much likelier two words are in one stanza than by chance.

    The positive pointwise mutual information of words of sense, and what of it a symmetric matrix of
    low rank keeps (as Levy and Goldberg 2014); rows of all other tokens are zero.
    """
    index = {word: i for i, word in enumerate(words)}
    stanzas = [
        {index[w] for line in s for w in line if w in index and w not in WEAK}
        for p in poems
        for s in p.stanzas
    ]
    counts = Counter(token for stanza in stanzas for token in stanza if token >= FIRST_WORD)
    chosen = sorted(token for token, count in counts.most_common(TOPIC_WORDS) if count >= 5)
    place = np.full(len(words), -1)
    place[chosen] = np.arange(len(chosen))
    size = len(chosen)
    pairs = np.zeros(size * size, np.float32)
    for start in range(0, len(stanzas), 5000):
        keys = []
        for stanza in stanzas[start : start + 5000]:
            found = place[list(stanza)]
            found = found[found >= 0]
            keys.append((found[:, None] * size + found).reshape(-1))
        which, often = np.unique(np.concatenate(keys), return_counts=True)
        pairs[which] += often
    table = pairs.reshape(size, size)
    single = np.diag(table).copy()
    np.fill_diagonal(table, 0)
    expected = np.outer(single, single) / len(stanzas)
    # A pair seen once or twice may be chance.
    information = np.log(np.maximum(table, 1e-9) / expected) * table / (table + 2)
    symmetric = torch.from_numpy(np.maximum(information, 0).astype(np.float32))
    result = torch.zeros(len(words), rank)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        left, values, right = torch.svd_lowrank(symmetric, min(rank, size), niter=4)
    # Of a symmetric matrix, the directions that attract: the others cannot be written as one table.
    attracting = (left * right).sum(0) > 0
    result[chosen, : len(values)] = left * values.sqrt() * attracting
    return result


def lexicon(words: Sequence[str], capitals: Set[str]) -> dict[str, list[str]]:
    """Columns by token: ``words``, ``stresses`` ("01"), ``rhymes``, ``onsets``, ``open``; and lists of words.

    A word that may be said in several ways has the first. "" where there is nothing to say. ``open``: "1"
    for words that begin with a vowel's sound. ``weak``: words that carry no weight of sense; ``capitals``:
    those of the vocabulary that are written with a capital.
    """
    known = dictionary()
    empty = [""] * len(corpus.SPECIALS)
    sounds = [known[word][0] for word in words[FIRST_WORD:]]
    return {
        "words": list(words),
        "stresses": empty + [sound.stresses for sound in sounds],
        "rhymes": empty + [sound.rhyme for sound in sounds],
        "onsets": empty + [sound.onset for sound in sounds],
        "open": empty + ["1" if sound.phones[0][-1].isdigit() else "" for sound in sounds],
        "weak": sorted(WEAK),
        "capitals": sorted(capitals & set(words)),
    }


def capitalised(texts: Iterable[str]) -> set[str]:
    """Words that are written with a capital within lines nearly always: names, God, I."""
    total, large = Counter[str](), Counter[str]()
    for text in texts:
        # After a small letter no sentence begins, so a capital is the word's own.
        for word in re.findall(r"(?<=[a-z] )[A-Za-z][A-Za-z']*", text):
            total[word.lower()] += 1
            large[word.lower()] += word[0].isupper()
    return {word for word, count in total.items() if large[word] >= 0.8 * count} | {"i", "i'll", "i'm"}
