"""Calibration of zero-shot tags: mean and deviation of each word's cosine with views.

A word is a tag of a picture whose cosine is unusually high. Words are those of scenes, seasons and light
that the matcher separates well enough (its card's ``word_auc``). The report counts, over held-out views, how
often a word of the title is among the tags.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from workers import device as devices
from workers import weights
from workers.engines.language.prompt_lexicon import words_of
from workers.engines.vision.text_image_matcher import MODEL, MatcherModel
from workers.engines.vision.zero_shot_tags import MIN_DEVIATIONS, MOST, USUAL_FILE
from workers.training.common.data import is_validation, load_squares, paintings
from workers.training.common.setup import data_argument
from workers.training.matcher.captions import is_view, metadata_words

GOOD = 0.7
"""Area under the ROC curve from which on a word is used; not tuned."""
VIEWS = 1500
"""Training views whose cosines are measured."""
GENERAL = frozenset({"landscape"})


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``impressions`` command."""
    parser.epilog = __doc__
    data_argument(parser)
    parser.add_argument("--views", type=int, default=VIEWS, help="how many training views to measure")


@torch.inference_mode()
def cosines(
    matcher: MatcherModel, words: list[str], data: Path, entries: list[tuple[str, str]]
) -> torch.Tensor:
    """Cosines (N, W) of pictures with words."""
    texts = matcher.texts([[word] for word in words])
    found = []
    for start in range(0, len(entries), 64):
        pictures = load_squares(data, entries[start : start + 64], matcher.net.config.size)
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        found.append((matcher.pictures(x.to(matcher.device)) @ texts.T).cpu())
    return torch.cat(found)


def main(arguments: argparse.Namespace) -> None:
    """Write the table beside the matcher's weights and print how often tags agree with titles."""
    matcher = MatcherModel.load(MODEL, devices.choose())
    folder = weights.find(MODEL)
    aucs = weights.load_card(folder)["quality"]["word_auc"]
    words = [
        word
        for word in words_of("scene", "season", "light")
        if aucs.get(word, 0) >= GOOD and word not in GENERAL
    ]
    views = [row for row in paintings(arguments.data) if is_view(row)]
    train = [row for row in views if not is_validation(row.file)]
    chosen = np.random.default_rng(4).permutation(len(train))[: arguments.views]
    fits = cosines(matcher, words, arguments.data, [(train[n].shard, train[n].file) for n in sorted(chosen)])
    mean, deviation = fits.mean(0), fits.std(0)
    table = {
        word: [round(float(m), 4), round(float(d), 4)]
        for word, m, d in zip(words, mean.tolist(), deviation.tolist(), strict=True)
    }
    text = json.dumps({"matcher": matcher.digest, "words": table}) + "\n"
    (folder / USUAL_FILE).write_text(text, "utf-8")

    held_out = [row for row in views if is_validation(row.file)]
    scores = (
        cosines(matcher, words, arguments.data, [(row.shard, row.file) for row in held_out]) - mean
    ) / deviation
    titled = right = first = tags = 0
    for row, score in zip(held_out, scores, strict=True):
        best = [n for n in score.argsort(descending=True)[:MOST].tolist() if score[n] >= MIN_DEVIATIONS]
        tags += len(best)
        if known := metadata_words(row) & set(words):
            titled += 1
            right += any(words[n] in known for n in best)
            first += sum(len(best) > 0 and words[n] in known for n in best[:1])
    each = tags / len(held_out)
    print(f"{len(words)} words; {len(held_out)} held-out views, {each:.2f} tags each")
    print(
        f"of {titled} whose title names one of the words, {right} have it among theirs, {first} as the first"
    )
