"""Generated against real pictures as distributions: distances, precision, recall, variety, memorisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.images import contact_sheet, to_images
from workers.training.classifier.scene_classifier import SceneClassifier
from workers.training.common.feature_metrics import (
    SIZE,
    Array,
    Moments,
    frechet,
    kernel_distance,
    pooled,
    uint8_batches,
)
from workers.training.common.perceptual_teacher import Teacher
from workers.training.common.statistics import (
    closest_pair,
    mean_pairwise,
    memorisation,
    nearest,
    pairs_nearer_than,
    precision_recall,
)
from workers.training.generator.evaluation.prompts import Prompt
from workers.training.generator.evaluation.sampling import Pictures
from workers.training.matcher.captions import CaptionedPictures

PROTOCOL = (
    "{count} pictures for the captions of as many random training paintings, truncation 1, painted at "
    "256 px and reduced to 128 px by area, against {count} other training paintings at 128 px (equal "
    "counts; all {train} and the {held} held-out ones beside it). Features: mean-pooled fire9 of "
    "SqueezeNet 1.0, which the generator was never trained with; the Frechet distance is given in the "
    "features of the scene classifier, too. Frechet distance in thousands (the scene classifier's: times "
    "a thousand), kernel distance on features / 1000**0.5, precision and recall with k = 3 "
    "(Kynkaanniemi et al. 2019). real_to_real: two disjoint sets of {count} training paintings."
)
MEMORY_PROTOCOL = (
    "Distance to the nearest of {train} training paintings or their mirror images in fire9 features, "
    "of {count} made pictures and of {held} held-out real ones. The closest pairs are on a sheet that "
    "is not published."
)
VARIETY_PROTOCOL = (
    "Mean distance of two pictures of one prompt in fire9 features, over that of real paintings whose "
    "captions hold the prompt's words ({prompts} prompts with 8 such paintings or more). Repetition: "
    "pairs among the {sheet} pictures of the sheet that are nearer than the nearest pair of as many "
    "real paintings (median of 20 draws), beside the pairs that a draw of real paintings has (mean)."
)
CLOSEST = 24
"""Pairs on the sheet of made pictures beside their nearest training paintings."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Real paintings: ``views`` with teacher features, and two disjoint training sets of one size."""

    views: CaptionedPictures
    asked: npt.NDArray[np.int64]
    """Training rows whose captions are painted."""
    other: npt.NDArray[np.int64]
    """As many further training rows, for comparison."""

    @classmethod
    def split(cls, views: CaptionedPictures, count: int) -> Reference:
        """``count`` rows in each set, or half of the training paintings when there are fewer."""
        train = np.flatnonzero(~views.validation)
        order = np.random.default_rng(5).permutation(train)
        count = min(count, len(train) // 2)
        return cls(views, order[:count], order[count : 2 * count])

    @property
    def train(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(~self.views.validation)

    @property
    def held(self) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.views.validation)

    def centres(self, rows: npt.NDArray[np.int64]) -> Pictures:
        """Centres of some paintings, uint8 (n, 128, 128, 3): what their features were taken of."""
        edge = (self.views.pictures.shape[1] - SIZE) // 2
        return self.views.pictures[rows, edge : edge + SIZE, edge : edge + SIZE]


def _all(a: Array, b: Array) -> dict[str, float]:
    precision, recall = precision_recall(b, a)
    return {
        "frechet": round(frechet(Moments.of(a), Moments.of(b)), 2),
        "kernel": round(kernel_distance(a, b), 4),
        "precision": round(precision, 3),
        "recall": round(recall, 3),
    }


def likeness(
    made: Pictures, reference: Reference, teacher: Teacher, scenes: SceneClassifier | None
) -> tuple[dict[str, Any], Array]:
    """Figures of a set of made pictures, and its teacher features."""
    features, real = pooled(teacher, uint8_batches(made)), reference.views.features
    other, train, held = real[reference.other], real[reference.train], real[reference.held]
    moments = Moments.of(features)
    figures: dict[str, Any] = {
        "protocol": PROTOCOL.format(count=len(reference.asked), train=len(train), held=len(held)),
        "made": _all(features, other),
        "real_to_real": _all(real[reference.asked], other),
        "frechet_to_all_training": round(frechet(moments, Moments.of(train)), 2),
        "frechet_to_held_out": round(frechet(moments, Moments.of(held)), 2),
        "frechet_training_to_held_out": round(frechet(Moments.of(other), Moments.of(held)), 2),
    }
    if scenes is not None:
        sets = (made, reference.centres(reference.asked), reference.centres(reference.other))
        ours, first, second = (Moments.of(scenes.features(uint8_batches(pictures))) for pictures in sets)
        figures["scene_classifier_frechet"] = round(1e6 * frechet(ours, second), 2)
        figures["scene_classifier_frechet_real_to_real"] = round(1e6 * frechet(first, second), 2)
    return figures, features


def _mirrored(reference: Reference, teacher: Teacher) -> Array:
    batches = uint8_batches(reference.centres(reference.train))
    return pooled(teacher, (batch.flip(3) for batch in batches))


def memorisation_figures(
    made: Pictures, features: Array, reference: Reference, teacher: Teacher, sheet: Path | None
) -> dict[str, Any]:
    """Memorisation of training paintings; the closest pairs go to ``sheet``, which shows training data."""
    views = reference.views
    tables = [views.features[reference.train], _mirrored(reference, teacher)]
    near, index = nearest(features, tables)
    held, _ = nearest(views.features[reference.held], tables)
    if sheet is not None:
        order = near.argsort()[:CLOSEST]
        pairs = np.stack([made[order], reference.centres(reference.train[index[order]])], 1)
        batch = next(iter(uint8_batches(pairs.reshape(-1, *made.shape[1:]), 2 * len(order))))
        contact_sheet(to_images(batch), 8).save(sheet, quality=90)
    counts = {"train": len(reference.train), "count": len(made), "held": len(held)}
    return {"protocol": MEMORY_PROTOCOL.format(**counts)} | memorisation(near, held)


def variety(
    of_prompts: Mapping[Prompt, Pictures],
    sheet: Pictures,
    reference: Reference,
    teacher: Teacher,
    words_of: Callable[[str], tuple[str, ...]],
) -> dict[str, Any]:
    """Variety within prompts compared with real paintings, and pairs of the sheet that are nearly alike."""
    views = reference.views
    ratios = []
    for prompt, made in of_prompts.items():
        asked_words = [views.words.index(word) for word in words_of(prompt.english) if word in views.words]
        rows = np.flatnonzero((views.captions[:, asked_words] > 0).all(1))
        if asked_words and len(rows) >= 8 and len(made) > 1:
            within = mean_pairwise(pooled(teacher, uint8_batches(made)))
            ratios.append(within / mean_pairwise(views.features[rows[:400]]))
    features = pooled(teacher, uint8_batches(sheet))
    draw = np.random.default_rng(11)
    rows = reference.train
    real = [
        views.features[draw.choice(rows, min(len(features), len(rows)), replace=False)] for _ in range(20)
    ]
    limit = float(np.median([closest_pair(one) for one in real]))
    return {
        "protocol": VARIETY_PROTOCOL.format(prompts=len(ratios), sheet=len(sheet)),
        "within_prompt_over_real": round(float(np.mean(ratios)), 3) if ratios else None,
        "lowest_within_prompt_over_real": round(float(np.min(ratios)), 3) if ratios else None,
        "repeated_pairs": pairs_nearer_than(features, limit),
        "repeated_pairs_of_real": round(float(np.mean([pairs_nearer_than(one, limit) for one in real])), 2),
    }
