"""Pseudo-labels: words that titles leave out, predicted from the pictures.

Titles name the sea in one seascape of three. A linear classifier on teacher features, trained on the pictures
whose title has the word and applied to held-out folds only, adds the word to the pictures that score higher
than most of those that have it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

_PREDICTED = """sea mountain forest city lake boat tree street bridge waterlily field night sunset fog harbour
    flower cliff village wheat blossom church coast"""
PREDICTED = tuple(_PREDICTED.split())
"""Words that the classifier predicts well (area under the curve about 0.8 or more on held-out folds)."""

IMPLIED: dict[str, tuple[str, ...]] = {
    "coast": ("sea", "water"),
    "beach": ("sea", "coast"),
    "wave": ("sea", "water"),
    "sea": ("water",),
    "harbour": ("boat", "water"),
    "river": ("water",),
    "lake": ("water",),
    "pond": ("water",),
    "canal": ("water",),
    "waterlily": ("pond", "water", "flower"),
    "waterfall": ("water",),
    "himalaya": ("mountain",),
    "haystack": ("field",),
    "wheat": ("field",),
    "meadow": ("field",),
    "street": ("city",),
    "venice": ("city", "water"),
    "paris": ("city",),
    "london": ("city",),
    "forest": ("tree",),
    "willow": ("tree",),
    "poplar": ("tree",),
    "pine": ("tree",),
    "blossom": ("tree",),
    "moon": ("night",),
    "ice": ("winter",),
    "snow": ("winter",),
    "ship": ("boat",),
    "sailboat": ("boat", "water"),
    "fishing": ("water",),
    "cathedral": ("church",),
    "cottage": ("house",),
    "orchard": ("tree",),
    "avenue": ("tree",),
    "square": ("city",),
    "stream": ("river", "water"),
    "riverbank": ("river", "water"),
    "seine": ("river", "water"),
    "bay": ("sea", "coast", "water"),
    "tide": ("sea", "water"),
    "alps": ("mountain",),
    "tibet": ("mountain",),
    "montmartre": ("paris", "city"),
    "rome": ("italy",),
    "naples": ("italy",),
    "sunrise": ("morning",),
    "afternoon": ("day",),
}
"""A picture with the word on the left also shows those on the right."""

_FOLDS = 4
"""Of the cross-validation: each picture is labelled by a classifier that did not see it."""
_CONFIDENCE = 0.75
"""A picture gets a word when it scores above this quantile of the pictures that have it; not tuned."""


def implied(words: set[str]) -> set[str]:
    """``words`` and those that IMPLIED adds (two rounds are enough for the table)."""
    for _ in range(2):
        words = words | {more for word in words for more in IMPLIED.get(word, ())}
    return words


def predict_words(
    features: npt.NDArray[np.float64], sets: Sequence[set[str]], words: Sequence[str] = PREDICTED
) -> list[set[str]]:
    """Words to add to each of ``sets``, predicted from ``features`` (N, D). Deterministic."""
    x = torch.from_numpy((features - features.mean(0)) / (features.std(0) + 1e-6)).float()
    known = torch.tensor([[float(word in one) for word in words] for one in sets])
    fold = torch.arange(len(x)) % _FOLDS
    scores = torch.zeros_like(known)
    for held in range(_FOLDS):
        train = fold != held
        weight = torch.zeros(x.shape[1], len(words), requires_grad=True)
        bias = torch.zeros(len(words), requires_grad=True)
        positive = known[train].sum(0).clamp(min=1)
        balance = ((~(known[train] > 0)).sum(0) / positive).clamp(max=30)
        optimiser = torch.optim.LBFGS([weight, bias], max_iter=40, line_search_fn="strong_wolfe")

        def closure(
            train: torch.Tensor = train,
            weight: torch.Tensor = weight,
            bias: torch.Tensor = bias,
            balance: torch.Tensor = balance,
            optimiser: torch.optim.LBFGS = optimiser,
        ) -> torch.Tensor:
            optimiser.zero_grad()
            logits = x[train] @ weight + bias
            loss = F.binary_cross_entropy_with_logits(logits, known[train], pos_weight=balance)
            loss = loss + 2e-3 * weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            scores[~train] = x[~train] @ weight + bias
    limits = torch.stack(
        [
            torch.quantile(scores[known[:, k] > 0, k], _CONFIDENCE)
            if known[:, k].any()
            else torch.tensor(torch.inf)
            for k in range(len(words))
        ]
    )
    # The teacher learned from photographs: ink scrolls score high for snow, cliffs and everything else.
    ink = torch.tensor(["ink" in one for one in sets])
    new = (scores > limits) & (known == 0) & ~ink[:, None]
    return [{words[k] for k in row.nonzero().flatten().tolist()} for row in new]
