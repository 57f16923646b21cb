"""Refining: gradient ascent on a latent for the matcher's score between picture and text.

The score is the mean over several augmented crops, as one view alone is soon exploited by patterns that only
the matcher sees. The random part of the style keeps its length, so that the latent stays among those that the
generator was trained on (cf. Crowson et al. 2022, VQGAN-CLIP).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import PaintingPipeline

# Set by hand.
CROPS = 3
CROP_SCALE = 0.75  # smallest side of a crop, as a share of the picture's
CROP_NOISE = 0.05  # deviation of the noise on a crop
RATE = 0.05  # of Adam
RATE_LEVELS = 0.25  # of RATE, for what each level changes alone
PENALTY = 0.02  # weight of the squared distance from the first latent
PENALTY_LEVELS = 0.2  # the same for what each level changes alone


def refine(
    pipeline: PaintingPipeline,
    latents: Sequence[Latent],
    texts: torch.Tensor,
    steps: int,
    generators: Sequence[torch.Generator],
    step: Callable[[int, torch.Tensor], bool],
) -> list[Latent]:
    """The latents after ``steps`` steps of Adam towards their texts (unit embeddings, (N, E)).

    Each picture has a generator of its own and no influence on the others. ``step(number, pictures)``
    receives the pictures (N, 3, S, S) before each step; when it returns False, refining ends.
    """
    latent = pipeline.config.latent
    first = torch.stack([one.styles for one in latents]).to(pipeline.device)  # (N, levels, style)
    noise = pipeline.noise(latents)
    length = torch.linalg.vector_norm(first[..., :latent], dim=2, keepdim=True)
    shared = torch.zeros_like(first[:, :1, :latent]).requires_grad_()  # change of all levels together
    own = torch.zeros_like(first).requires_grad_()  # change of each level alone
    optimiser = torch.optim.Adam(
        [{"params": [shared], "rate": RATE}, {"params": [own], "rate": RATE * RATE_LEVELS}],
        lr=RATE,
        betas=(0.9, 0.95),
    )

    def styles() -> torch.Tensor:
        random, subject = torch.split(first + own, [latent, first.shape[2] - latent], 2)
        random = random + shared
        now = torch.linalg.vector_norm(random, dim=2, keepdim=True)
        return torch.cat([random * (length / now.clamp_min(1e-6)), subject], 2)

    side = pipeline.matcher.net.config.size
    for number in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = group["rate"] * 0.5 * (1 + math.cos(math.pi * number / steps))
        with torch.enable_grad():
            pictures = pipeline.compose(styles(), noise)
            crops = augmented_crops(pictures, side, generators)  # (CROPS, N, 3, side, side)
            embedded = pipeline.matcher.pictures(crops.flatten(0, 1)).view(*crops.shape[:2], -1)
            score = (embedded * texts).sum(2).mean(0)  # (N,)
            # Sums over the pictures: each has the gradient that it would have alone.
            penalty = PENALTY * shared.square().mean((1, 2)) + PENALTY_LEVELS * own.square().mean((1, 2))
            gradients = torch.autograd.grad((penalty - score).sum(), [shared, own])
        shared.grad, own.grad = gradients
        optimiser.step()
        if not step(number + 1, pictures.detach()):
            break
    found = styles().detach().cpu()
    return [Latent(one.contiguous(), before.noise) for one, before in zip(found, latents, strict=True)]


def augmented_crops(pictures: torch.Tensor, size: int, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Random crops of pictures (N, 3, S, S), some mirrored, with noise -> (CROPS, N, 3, size, size)."""
    grids, noise = [], []
    for generator in generators:
        uniform = torch.rand(CROPS, 4, generator=generator)
        scale = CROP_SCALE + (1 - CROP_SCALE) * uniform[:, 0]
        slack = 1 - scale
        mirror = torch.where(uniform[:, 3] < 0.5, -1.0, 1.0)
        zero = torch.zeros(CROPS)
        across = torch.stack([scale * mirror, zero, slack * (2 * uniform[:, 1] - 1)], 1)
        down = torch.stack([zero, scale, slack * (2 * uniform[:, 2] - 1)], 1)
        grids.append(torch.stack([across, down], 1))  # (CROPS, 2, 3)
        noise.append(CROP_NOISE * torch.randn(CROPS, 3, size, size, generator=generator))
    affine = torch.stack(grids, 1).flatten(0, 1).to(pictures.device)  # (CROPS * N, 2, 3)
    repeated = pictures[None].expand(CROPS, -1, -1, -1, -1).flatten(0, 1)
    grid = F.affine_grid(affine, [len(repeated), 3, size, size], align_corners=False)
    crops = F.grid_sample(repeated, grid, padding_mode="reflection", align_corners=False)
    noisy = crops + torch.stack(noise, 1).flatten(0, 1).to(crops)
    return noisy.view(CROPS, len(pictures), 3, size, size)
