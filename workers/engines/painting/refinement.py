"""Refining: gradient ascent on a latent for the score between picture and text.

The score is the mean over several looks (crops, mirrored, a little dirty), as one look alone is soon fooled
by patterns that only the matcher sees; the random part of the style keeps its length, so that the painter
stays among the latents that it was trained on (cf. Crowson et al. 2022, VQGAN-CLIP).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from workers.engines.painting.latents import Latent
from workers.engines.painting.pipeline import PaintingPipeline

CROPS = 3
RATE = 0.05
RATE_LEVELS = 0.25  # of RATE: how much slower each level may go its own way
PULL = 0.02  # how dear it is to leave the place where the walk began
PULL_LEVELS = 0.2  # the same for what one level does alone


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
    hears of each step with the pictures (N, 3, S, S) before it; when it returns False, the walk ends.
    """
    latent = pipeline.config.latent
    began = torch.stack([one.styles for one in latents]).to(pipeline.device)
    noise = pipeline.noise(latents)
    length = torch.linalg.vector_norm(began[..., :latent], dim=2, keepdim=True)
    shared = torch.zeros_like(began[:, :1, :latent]).requires_grad_()
    own = torch.zeros_like(began).requires_grad_()
    walk = torch.optim.Adam(
        [{"params": [shared], "rate": RATE}, {"params": [own], "rate": RATE * RATE_LEVELS}],
        lr=RATE,
        betas=(0.9, 0.95),
    )

    def styles() -> torch.Tensor:
        random, subject = torch.split(began + own, [latent, began.shape[2] - latent], 2)
        random = random + shared
        now = torch.linalg.vector_norm(random, dim=2, keepdim=True)
        return torch.cat([random * (length / now.clamp_min(1e-6)), subject], 2)

    for number in range(steps):
        for group in walk.param_groups:
            group["lr"] = group["rate"] * 0.5 * (1 + math.cos(math.pi * number / steps))
        with torch.enable_grad():
            pictures = pipeline.compose(styles(), noise)
            seen = augmented_crops(
                pictures, pipeline.matcher.net.config.size, generators
            )  # (LOOKS, N, 3, s, s)
            embedded = pipeline.matcher.pictures(seen.flatten(0, 1)).view(*seen.shape[:2], -1)
            score = (embedded * texts).sum(2).mean(0)  # (N,)
            # Sums over the pictures: each has the gradient that it would have alone.
            dear = PULL * shared.square().mean((1, 2)) + PULL_LEVELS * own.square().mean((1, 2))
            gradients = torch.autograd.grad((dear - score).sum(), [shared, own])
        shared.grad, own.grad = gradients
        walk.step()
        if not step(number + 1, pictures.detach()):
            break
    found = styles().detach().cpu()
    return [Latent(one.contiguous(), before.noise) for one, before in zip(found, latents, strict=True)]


def augmented_crops(pictures: torch.Tensor, size: int, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """LOOKS crops of each picture (N, 3, S, S), mirrored and a little dirty -> (LOOKS, N, 3, size, size)."""
    grids, dirt = [], []
    for generator in generators:
        chance = torch.rand(CROPS, 4, generator=generator)
        scale = 0.75 + 0.25 * chance[:, 0]
        room = 1 - scale
        mirror = torch.where(chance[:, 3] < 0.5, -1.0, 1.0)
        zero = torch.zeros(CROPS)
        across = torch.stack([scale * mirror, zero, room * (2 * chance[:, 1] - 1)], 1)
        down = torch.stack([zero, scale, room * (2 * chance[:, 2] - 1)], 1)
        grids.append(torch.stack([across, down], 1))  # (LOOKS, 2, 3)
        dirt.append(0.05 * torch.randn(CROPS, 3, size, size, generator=generator))
    affine = torch.stack(grids, 1).flatten(0, 1).to(pictures.device)  # (LOOKS * N, 2, 3)
    repeated = pictures[None].expand(CROPS, -1, -1, -1, -1).flatten(0, 1)
    grid = F.affine_grid(affine, [len(repeated), 3, size, size], align_corners=False)
    seen = F.grid_sample(repeated, grid, padding_mode="reflection", align_corners=False)
    dirty = seen + torch.stack(dirt, 1).flatten(0, 1).to(seen)
    return dirty.view(CROPS, len(pictures), 3, size, size)
