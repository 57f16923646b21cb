"""From a checkpoint of the model of English verse to a weights folder with everything that writing needs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import torch

from workers import weights
from workers.engines.bloom import BloomFilter
from workers.engines.english.lexicon import FIRST_WORD, packed
from workers.nets.lyricist import UNKNOWN, Lyricist, LyricistConfig
from workers.training import english_corpus as corpus
from workers.training.pronunciation import WEAK, dictionary

KNOWN_LINES_BYTES = 450_000

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
    "A line is usually English and lines follow each other; an argument over a whole poem is rare.",
]


def export(folder: Path, checkpoint: Mapping[str, Any], data: Path, hardware: str) -> str:
    """Write ``model.safetensors`` and ``card.json`` of a checkpoint; returns the digest.

    ``data``: the folder that it was trained with.

    Beside the network: the columns of :class:`workers.engines.english.lexicon.Lexicon`, and
    ``known_lines``, a Bloom filter of the training lines by which the engine avoids repeating one.
    """
    state = checkpoint["state"]
    config, words = LyricistConfig.from_dict(state["config"]), state["words"]
    tensors = {name: tensor.clone() for name, tensor in state["model"].items()}
    Lyricist(config).load_state_dict(tensors)  # refuses what does not fit
    # An unknown word is never a target: as an input it reads as an average one.
    tensors["word.weight"][UNKNOWN] = tensors["word.weight"][FIRST_WORD:].mean(0)
    # Tables for a machine, not for a reader of the card.
    tensors["lexicon"] = packed(lexicon(words, capitalised(corpus.raw(data))))
    known = BloomFilter.of(training_lines(corpus.read(data)), KNOWN_LINES_BYTES)
    tensors["known_lines"] = torch.frombuffer(bytearray(known.data), dtype=torch.uint8)
    card = {
        "name": "verse-english",
        "architecture": "workers.nets.lyricist.Lyricist: LSTM that writes lines backwards",
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


def lexicon(words: Sequence[str], capitals: Set[str]) -> dict[str, list[str]]:
    """Columns by token: ``words``, ``stresses`` ("01"), ``rhymes``, ``onsets``; and lists of words.

    A word that may be said in several ways has the first. "" where there is nothing to say. ``weak``: words
    that carry no weight of sense; ``capitals``: those of the vocabulary that are written with a capital.
    """
    known = dictionary()
    empty = [""] * len(corpus.SPECIALS)
    sounds = [known[word][0] for word in words[FIRST_WORD:]]
    return {
        "words": list(words),
        "stresses": empty + [sound.stresses for sound in sounds],
        "rhymes": empty + [sound.rhyme for sound in sounds],
        "onsets": empty + [sound.onset for sound in sounds],
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
