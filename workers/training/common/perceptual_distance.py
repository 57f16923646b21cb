"""How far apart two pictures are to the eye: a distance in teacher features, and PSNR.

One definition for training's checks, the evaluation and the model card. The distance of a picture to the
true one is, for each of fire3, fire5 and fire7, the mean absolute difference of the features over the mean
of the true picture's, averaged over the layers: 0 for the same picture, about 1 for an unrelated one.
"""

from __future__ import annotations

import torch

from workers.training.common.perceptual_teacher import Teacher

LAYERS = ("fire3", "fire5", "fire7")


def distance(made: dict[str, torch.Tensor], true: dict[str, torch.Tensor]) -> torch.Tensor:
    """Features by layer -> (N,), differentiable in ``made``."""
    parts = [
        (made[layer] - true[layer]).abs().mean((1, 2, 3)) / (true[layer].mean((1, 2, 3)) + 1e-3)
        for layer in LAYERS
    ]
    return torch.stack(parts).mean(0)


@torch.no_grad()
def perceptual_distance(teacher: Teacher, made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Pictures (N, 3, H, W) in [-1, 1] of one size -> (N,)."""
    return distance(teacher(made.clamp(-1, 1), LAYERS), teacher(true, LAYERS))


def psnr(made: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio in dB of pictures (N, 3, H, W) in [-1, 1] -> (N,)."""
    error = (made.clamp(-1, 1) - true).square().mean((1, 2, 3)).clamp_min(1e-10)
    return 10 * torch.log10(4 / error)
