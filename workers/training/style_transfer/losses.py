"""Losses of style transfer on features of the teacher (Gatys et al. 2016; Johnson et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from workers.training.style_transfer.style_space import StyleStatistics

STYLE_LAYERS = ("conv1", "fire2", "fire4", "fire5", "fire6", "fire7")
# Their Gram matrices cost a fifth of a step; fire5 and fire7 are much like their neighbours.
GRAM_LAYERS = ("conv1", "fire2", "fire4", "fire6")
CONTENT_LAYER = "fire5"
RANGE_WEIGHT = 10.0
"""Of :func:`range_loss`: not tuned; large enough that results stay within [-1, 1]."""


def _softened(error: torch.Tensor) -> torch.Tensor:
    # Quadratic near the target, linear far from it: one dark style must not drown the others.
    return error / (1 + error).sqrt()


def style_loss(
    found: dict[str, torch.Tensor],
    wanted: dict[str, StyleStatistics],
    gram_layers: Sequence[str] = GRAM_LAYERS,
) -> torch.Tensor:
    """Mean over the batch of the layers' relative errors in mean, deviation and, of ``gram_layers``, Gram."""
    errors = []
    for name, target in wanted.items():
        ours = StyleStatistics.of(found[name], name, with_gram=name in gram_layers)
        moments = (ours.mean - target.mean).pow(2).sum(1) + (ours.deviation - target.deviation).pow(2).sum(1)
        errors.append(_softened(moments / (target.mean.pow(2).sum(1) + target.deviation.pow(2).sum(1))))
        if name in gram_layers:
            products = (ours.gram - target.gram).pow(2).sum((1, 2)) / target.gram.pow(2).sum((1, 2))
            errors.append(_softened(products))
    return torch.stack(errors).sum(0).mean()


def content_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared difference over mean square, per picture, mean over the batch."""
    a, b = found.float(), wanted.float()
    return ((a - b).pow(2).mean((1, 2, 3)) / b.pow(2).mean((1, 2, 3))).mean()


def total_variation(image: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of neighbours, across and down."""
    return image.diff(dim=2).abs().mean() + image.diff(dim=3).abs().mean()


def range_loss(image: torch.Tensor) -> torch.Tensor:
    """Mean square of what lies outside [-1, 1]."""
    return (image.abs() - 1).clamp_min(0).pow(2).mean()


def transfer_losses(
    painted: torch.Tensor,
    found: dict[str, torch.Tensor],
    wanted: dict[str, StyleStatistics],
    content: torch.Tensor,
    gram_layers: Sequence[str] = GRAM_LAYERS,
) -> dict[str, torch.Tensor]:
    """The losses of pictures ``painted`` (N, 3, H, W), not weighted, by the names of the log.

    ``found``: their features at STYLE_LAYERS; ``wanted``: the statistics of the styles; ``content``: the
    features of the contents at CONTENT_LAYER.
    """
    return {
        "style": style_loss(found, wanted, gram_layers),
        "content": content_loss(found[CONTENT_LAYER], content),
        "tv": total_variation(painted),
        "outside": range_loss(painted),
    }


def weighted(losses: dict[str, torch.Tensor], content_weight: float, tv_weight: float) -> torch.Tensor:
    """The sum that is minimised; style counts once."""
    weights = {"content": content_weight, "tv": tv_weight, "outside": RANGE_WEIGHT}
    return torch.stack([weights.get(name, 1.0) * loss for name, loss in losses.items()]).sum()
