"""Several styles as one: a weighted mean of their codes, with the colour statistics of all together."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from workers.nets.style_transfer import COLOUR


def normalise_weights(weights: Sequence[float]) -> list[float]:
    """Weights as shares of 1. Raises ValueError when none is above 0, or one is below."""
    total = sum(weights)
    if min(weights, default=0) < 0 or total <= 0:
        raise ValueError(f"no style has a weight: {weights}")
    return [weight / total for weight in weights]


def mix_codes(codes: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """One full style code (1, code_size) of several, by ``weights`` that need not add up to 1.

    The learned part is mixed linearly (Dumoulin et al. 2017). The colours are those of a canvas covered by
    the styles in these shares: the mean of the means, and a covariance that includes the distances between
    the means. One style alone is exactly that style's code.
    """
    shares = normalise_weights(weights)
    used = [(code, share) for code, share in zip(codes, shares, strict=True) if share > 0]
    if len(used) == 1:
        return used[0][0]
    stacked = torch.cat([code for code, _ in used])  # (K, code_size)
    share = stacked.new_tensor([share for _, share in used])[:, None]
    learned = (stacked[:, :-COLOUR] * share).sum(0)
    means, spreads = stacked[:, -COLOUR : 3 - COLOUR], stacked[:, 3 - COLOUR :]
    mean = (means * share).sum(0)
    apart = means - mean  # (K, 3)
    covariance = (spreads * share).sum(0).view(3, 3) + (apart * share).T @ apart
    return torch.cat([learned, mean, covariance.flatten()])[None]
