"""Losses of style transfer on features of the teacher (Gatys et al. 2016; Johnson et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from workers.training.style_transfer.style_space import Target

STYLE_LAYERS = ("conv1", "fire2", "fire4", "fire5", "fire6", "fire7")
# Their Gram matrices cost a fifth of a step; fire5 and fire7 are much like their neighbours.
GRAM_LAYERS = ("conv1", "fire2", "fire4", "fire6")
CONTENT_LAYER = "fire5"


def _softened(error: torch.Tensor) -> torch.Tensor:
    # Quadratic near the target, linear far from it: one dark style must not drown the others.
    return error / (1 + error).sqrt()


def style_loss(
    found: dict[str, torch.Tensor], wanted: dict[str, Target], pairs: Sequence[str] = GRAM_LAYERS
) -> torch.Tensor:
    """Mean over the batch of the layers' relative errors in mean, deviation and, of ``pairs``, Gram."""
    errors = []
    for name, target in wanted.items():
        ours = Target.of(found[name], name, pairs=name in pairs)
        moments = (ours.mean - target.mean).pow(2).sum(1) + (ours.deviation - target.deviation).pow(2).sum(1)
        errors.append(_softened(moments / (target.mean.pow(2).sum(1) + target.deviation.pow(2).sum(1))))
        if name in pairs:
            products = (ours.gram - target.gram).pow(2).sum((1, 2)) / target.gram.pow(2).sum((1, 2))
            errors.append(_softened(products))
    return torch.stack(errors).sum(0).mean()


def content_loss(found: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Squared difference over mean square, per picture, mean over the batch."""
    a, b = found.float(), wanted.float()
    return ((a - b).pow(2).mean((1, 2, 3)) / b.pow(2).mean((1, 2, 3))).mean()


def variation(image: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of neighbours, across and down."""
    return image.diff(dim=2).abs().mean() + image.diff(dim=3).abs().mean()
