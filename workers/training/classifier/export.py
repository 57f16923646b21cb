"""``python -m workers.training export-classify``: a ``classify`` checkpoint becomes calibrated weights.

Probabilities are calibrated (temperature scaling, Guo et al. 2017) on paintings that are neither trained on
nor measured on. Beside the network go the embeddings of known paintings with their titles (text: the
paintings themselves are not shipped), and the cosines above which the matcher's words count as present.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from workers import device as devices
from workers import weights
from workers.engines.vision.classifier import KNOWN, MODEL, ClassifierModel
from workers.engines.vision.picture_analysis import KNOWN_FILE, SEASONS
from workers.engines.vision.text_image_matcher import MODEL as MATCHER
from workers.engines.vision.text_image_matcher import MatcherModel
from workers.nets.classifier import Classifier, ClassifierConfig
from workers.training.classifier.data import (
    CALIBRATION,
    TRAINING,
    ClassificationData,
    load_classification_data,
)
from workers.training.classifier.labels import UNKNOWN
from workers.training.classifier.train import logits_of, whole_picture
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.setup import cache_argument, data_argument, target_argument
from workers.training.matcher.captions import CaptionedPictures, load_views

DATA = (
    "About 15,700 paintings by painters who died in 1955 or before, and Song and Ming scrolls, with artist, "
    "style, genre and title; public domain in most countries (works published after 1930 may not be in the "
    "US). Among the collections: WikiArt scans (CC BY-NC-SA collection), the Art Institute of Chicago (CC0), "
    "PeopleArt (research use). 1,500 photographs (BSDS500: non-commercial research; PACS and others) and "
    "1,500 drawn pictures as outliers. Teacher, in training only and not shipped: SqueezeNet 1.0 (BSD)."
)
MOST_KNOWN = 9000
"""Paintings whose embeddings are shipped, at most: 2.3 MB."""
PASSED = 0.95
"""Share of paintings that must not be called unlike all that the network knows; chosen, not tuned."""
OBJECTS = (
    "sea", "river", "lake", "mountain", "forest", "field", "garden", "city", "street", "bridge", "boat",
    "house", "church", "snow", "rain", "night", "sunset", "moon", "flowers", "cliff", "waterfall", "road",
    "harbour", "storm", "fog",
)  # fmt: skip
PRECISION = 0.75
"""Precision on training pictures of the cosine from which on a word counts as present; not tuned."""
FEWEST = 12
"""A word that reaches PRECISION on fewer pictures is left out; not tuned."""
SIDES = (0, 16, 32)
"""Pixels that are tried beyond the side of training."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the ``export-classify`` command."""
    parser.epilog = __doc__
    data_argument(parser)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint.pt of a `classify` run")
    cache_argument(parser)
    target_argument(parser, weights.SHIPPED)


def temperature_of(logits: torch.Tensor, known: torch.Tensor) -> float:
    """The temperature in 0.3..3 at which the log-likelihood of the labels ``known`` (N,) is highest."""
    grid = torch.linspace(0.3, 3.0, 109)
    losses = [float(F.cross_entropy(logits / t, known, ignore_index=UNKNOWN)) for t in grid]
    return round(float(grid[int(np.argmin(losses))]), 4)


def best_side(net: Classifier, data: ClassificationData, rows: npt.NDArray[np.int64]) -> int:
    """The side, from that of training on, at which the right labels of ``rows`` are likeliest.

    Random crops show objects larger than whole pictures do, so a network that learned from them is more
    accurate on somewhat larger pictures (Touvron et al. 2019).
    """
    losses = {}
    for side in (net.config.side + more for more in SIDES):
        losses[side] = 0.0
        for head, logits in logits_of(net, data, rows, side).items():
            known = torch.from_numpy(data.labels[head][rows])
            temperature = temperature_of(logits, known)
            losses[side] += float(F.cross_entropy(logits / temperature, known, ignore_index=UNKNOWN))
    print("negative log-likelihood by side:", {side: round(loss, 4) for side, loss in losses.items()})
    return min(losses, key=losses.__getitem__)


@torch.inference_mode()
def embeddings(
    net: Classifier, data: ClassificationData, rows: npt.NDArray[np.int64], side: int | None = None
) -> torch.Tensor:
    """Unit embeddings (n, E) of whole pictures, of about ``side**2`` pixels (None: as for answers)."""
    device = next(net.parameters()).device
    found = []
    for row in rows:
        x = whole_picture(data, int(row), side or net.config.side).to(device)
        both = F.normalize(net.embedding(net.features(torch.cat([x, x.flip(3)]))), dim=1)
        found.append(F.normalize(both.mean(0), dim=0).cpu())
    return torch.stack(found)


def quantised(vectors: torch.Tensor) -> torch.Tensor:
    """Vectors (N, E) -> int8, each scaled to its largest number."""
    return (vectors / vectors.abs().amax(1, keepdim=True) * 127).round().to(torch.int8)


def known_paintings(data: ClassificationData) -> npt.NDArray[np.int64]:
    """Training paintings with a title and an artist, at most MOST_KNOWN."""
    rows = [
        n for n in data.indices(TRAINING) if n < len(data.rows) and data.rows[n].title and data.rows[n].artist
    ]
    order = np.random.default_rng(2).permutation(np.array(rows, np.int64))
    return np.sort(order[:MOST_KNOWN])


@torch.inference_mode()
def word_thresholds(matcher: MatcherModel, views: CaptionedPictures) -> dict[str, float]:
    """Word -> cosine with a picture from which on it counts as present, measured on training views."""
    train = np.flatnonzero(~views.validation)
    side = matcher.net.config.size
    seen = []
    for start in range(0, len(train), 64):
        pictures = [Image.fromarray(p) for p in views.pictures[train[start : start + 64]]]
        small = np.stack([np.asarray(p.resize((side, side), Image.Resampling.LANCZOS)) for p in pictures])
        x = torch.from_numpy(small).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        seen.append(matcher.pictures(x.to(matcher.device)).cpu())
    pictures_seen = torch.cat(seen)
    found = {}
    for word in (*OBJECTS, *SEASONS):
        if word not in matcher.vocabulary.words or word not in views.words:
            continue
        fits = (pictures_seen @ matcher.texts([[word]])[0].cpu()).numpy()
        truth = views.captions[train, views.words.index(word)] > 0
        order = np.argsort(-fits)
        right = np.cumsum(truth[order]) / np.arange(1, len(order) + 1)
        enough = np.flatnonzero(right >= PRECISION)
        if len(enough) and enough[-1] + 1 >= FEWEST:
            found[word] = round(float(fits[order[enough[-1]]]), 4)
    return found


def main(arguments: argparse.Namespace) -> None:
    """Calibrate, embed the known paintings and write weights with their card."""
    device = devices.choose()
    saved = torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)
    config = ClassifierConfig.from_card(saved["state"]["config"])
    net = Classifier(config)
    net.load_state_dict(saved["state"]["average"])
    net.eval().to(device)
    teacher = Teacher(arguments.data).to(device)
    data = load_classification_data(arguments.data, teacher, arguments.cache)
    rows = data.indices(CALIBRATION)
    config = dataclasses.replace(config, side=best_side(net, data, rows))
    net.config = config
    answers = logits_of(net, data, rows, config.side)
    labels = {head: torch.from_numpy(known[rows]) for head, known in data.labels.items()}
    temperature = {head: temperature_of(answers[head], labels[head]) for head in answers}
    is_painting = answers["source"].div(temperature["source"]).softmax(1)[:, 0]
    unlike_below = float(is_painting[labels["source"] == 0].quantile(1 - PASSED))
    known = known_paintings(data)
    matcher = MatcherModel.load(MATCHER, device)
    thresholds = word_thresholds(matcher, load_views(arguments.data, 140, teacher, arguments.cache))
    tensors = dict(net.state_dict()) | {f"{KNOWN}vectors": quantised(embeddings(net, data, known))}
    card = {
        "name": MODEL,
        "kind": "analyse",
        "architecture": "Classifier: residual network, means and deviations of three depths, a head per "
        "question (workers/nets/classifier.py)",
        "config": config.to_card(),
        "parameters": sum(p.numel() for p in net.parameters()),
        "temperature": temperature,
        "unlike_below": round(unlike_below, 4),
        "sure_of": thresholds,
        "matcher": matcher.digest,
        "data": DATA,
        "steps": saved["step"],
        "training": {
            "minutes": round(saved["elapsed"] / 60),
            "side": saved["state"]["config"]["side"],
            "device": f"{device.type}, float32",
            "gpu_recipe": "python -m workers.training classify --data DIR --minutes 60 --batch 256 "
            "--rate 0.003 --stem 48 --widths 96 192 384 --blocks 2 3 4",
        },
        "quality": {},
        "limits": [
            "Knows twelve styles, forty painters and seven genres, all of 1955 or before: whatever it is "
            "shown, it answers with one of these, and says when the picture is unlike all it knows.",
            "Realism and Renaissance are hardly ever guessed: the data has few of them.",
            "Style and painter go together in its data: it partly recognises hands, not movements.",
            "Heat maps say what the network relied on, not what a historian would.",
            "Objects and season are read in landscapes and city views only.",
        ],
    }
    folder = arguments.to / MODEL
    folder.mkdir(parents=True, exist_ok=True)
    titles = [[data.rows[n].title[:120], data.rows[n].artist] for n in known]
    (folder / KNOWN_FILE).write_text(json.dumps(titles, ensure_ascii=False, indent=0) + "\n", "utf-8")
    digest = weights.save(folder, tensors, card)
    ClassifierModel.load(device)
    print(digest, temperature, unlike_below, thresholds)
