"""From a checkpoint of the poem model to a weights folder with everything that writing needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workers import weights
from workers.engines.poetry.bloom_filter import BloomFilter
from workers.engines.poetry.chinese import prosody
from workers.nets.chinese_verse_lstm import START, UNKNOWN, ChineseVerseLSTM, ChineseVerseLSTMConfig
from workers.training.chinese_verse import corpus as poems

KNOWN_LINES_BYTES = 1_000_000
"""Size of the Bloom filter of training lines."""

SOURCES = [
    {
        "what": "149,953 Tang and Song poems of four regular forms (simplified characters), variants folded",
        "source": "chinese-poetry/chinese-poetry",
        "rights": "MIT; the poems are in the public domain",
    },
    {
        "what": "the Pingshui rhyme book: tone and rhyme of characters, completed by how the poets use them",
        "source": "charlesix59/chinese_word_rhyme",
        "rights": "MIT",
    },
]
LIMITS = [
    "It knows the diction of the Tang and the Song: modern things have no word here, the nearest is taken.",
    "It learned the Pingshui tradition; asked for today's rhymes it keeps them, but by a rule that it was "
    "not trained on, and by the commonest reading of each character.",
    "A line is usually good Chinese and pictures follow each other; an argument over a whole poem is rare, "
    "couplets are parallel more often in tone and image than in grammar, and allusions may be hollow.",
    "Stock phrases (不知, 何处, 无限) recur, the end of a poem is often its weakest place, and a word for an "
    "idea (悼亡) may be taken by its characters instead of its sense.",
    "About one in fourteen characters of the tradition is outside the vocabulary of 5,600.",
]


def export(
    folder: Path,
    state: dict[str, torch.Tensor],
    config: ChineseVerseLSTMConfig,
    words: Sequence[str],
    tables: poems.Tables,
    training: Sequence[poems.FormCorpus],
    steps: int,
    training_facts: dict[str, Any],
) -> str:
    """Write ``model.safetensors`` and ``card.json``; returns the digest.

    Beside the network: the tables of :class:`workers.engines.poetry.chinese.decoding.Rules`, and
    ``known_lines``, a Bloom filter of the training lines by which the engine avoids repeating one.
    """
    tensors = {name: tensor.clone() for name, tensor in state.items()}
    ChineseVerseLSTM(config).load_state_dict(tensors)  # refuses what does not fit
    # An unknown character is never seen in training: it reads as an average one.
    character = tensors["character.weight"]
    character[UNKNOWN] = character[START + 1 :].mean(0)
    tensors["tones"] = torch.from_numpy(tables.tones)
    tensors["rhymes"] = torch.from_numpy(tables.rhymes.astype(np.uint8))
    doubles = poems.doubled(training, len(words))
    tensors["doubles"] = torch.from_numpy(doubles.astype(np.uint8))
    tensors["couplet_above"], tensors["couplet_below"] = poems.couplets(training, len(words))
    known = BloomFilter.of(training_lines(words, training), KNOWN_LINES_BYTES)
    tensors["known_lines"] = torch.frombuffer(bytearray(known.data), dtype=torch.uint8)
    patterns = [np.bincount(c.pattern, minlength=5)[1:] for c in training]
    rhymes = [
        np.bincount(c.rhyme[c.pattern > 0], minlength=len(tables.rhyme_names) + 1)[1:] for c in training
    ]
    card = {
        "name": "verse",
        "architecture": "LSTM conditioned on theme, rhyme, tones, poet and the line above "
        "(workers/nets/chinese_verse_lstm.py)",
        "config": config.as_dict()
        | {
            "specials": list(poems.SPECIALS),
            "characters": "".join(words[len(poems.SPECIALS) :]),
            "rhymes_named": tables.rhyme_names,
            "authors_named": list(poems.POETS[: config.authors - 1]),
            "pattern_weights": [_shares(counts) for counts in patterns],
            # Flattened, so that rarer rhymes are drawn more often; the power is not tuned.
            "rhyme_weights": [_shares(counts**0.7) for counts in rhymes],
            "forms_ordered": [form.slug for form in prosody.FORMS],
        },
        "data": SOURCES,
        "steps": steps,
        "training": training_facts,
        "quality": {},
        "limits": LIMITS,
    }
    return weights.save(folder, tensors, card)


def training_lines(words: Sequence[str], training: Sequence[poems.FormCorpus]) -> set[str]:
    """Every different line that was trained on."""
    table = np.array(words)
    lines: set[str] = set()
    for corpus in training:
        for row in table[corpus.tokens].reshape(-1, corpus.form.length):
            lines.add("".join(row))
    return lines


def _shares(counts: Any) -> list[float]:
    total = float(np.sum(counts)) or 1.0
    return [round(float(count) / total, 5) for count in counts]
