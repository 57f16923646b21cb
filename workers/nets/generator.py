"""Generator: a small conditional generator of paintings, trained as a GAN.

From Liu et al. 2021 (FastGAN) it takes the size, from Brock et al. 2019 (BigGAN) the conditional
normalisation, from Karras et al. 2019 the mapping network, the per-pixel noise and the style per level (so
that pictures can be mixed by depth), from Shi et al. 2016 the pixel shuffle that makes the last doubling
nearly free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from workers.nets.filters import softened

BASE = 4
"""Side of the first feature map."""


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """The sizes that rebuild a Generator. ``channels[i]`` is the width at ``4 * 2**i`` px.

    ``condition`` is the length of the prompt's embedding.
    """

    condition: int = 256
    latent: int = 128
    embedding: int = 128
    channels: tuple[int, ...] = (512, 256, 160, 80, 40)
    soft: bool = False
    """Whether the output is low-pass filtered, so that training works around the checkerboard."""
    mapping: bool = False
    """Whether latent and condition pass a residual network together before they are the style."""
    limit: float | None = None
    """Largest root mean square over channels of one position after a styled norm; None: unlimited.

    Batch normalisation scales channels, never positions: without a limit one position can grow from block to
    block until a corner of the picture is a spot of pure colour. 2.5 cures it; the median is 1.
    """

    @property
    def size(self) -> int:
        """Side of the square result, px."""
        return int(BASE * 2 ** len(self.channels))

    @property
    def levels(self) -> int:
        """How many styles a picture has: for the start, each block and the last norm."""
        return len(self.channels) + 1

    @property
    def style(self) -> int:
        """Length of a style: the latent, then the embedded condition."""
        return self.latent + self.embedding

    def to_card(self) -> dict[str, Any]:
        """JSON-safe form for the model card."""
        return asdict(self)

    @classmethod
    def from_card(cls, config: Mapping[str, Any]) -> GeneratorConfig:
        """Raises ValueError or TypeError when the card's config is not one of a Generator."""
        fields = dict(config)
        channels = tuple(int(c) for c in fields.pop("channels"))
        if len(channels) < 2 or min(channels) < 1:
            raise ValueError("a generator needs channels")
        return cls(channels=channels, **fields)


@dataclass(frozen=True, slots=True)
class Latents:
    """All random inputs of N pictures: ``z`` (N, latent) and one noise map (N, 2, r, r) per block."""

    z: torch.Tensor
    noise: tuple[torch.Tensor, ...]

    def to(self, device: torch.device) -> Latents:
        """The same numbers on ``device``."""
        return Latents(self.z.to(device), tuple(noise.to(device) for noise in self.noise))

    def truncated(self, truncation: torch.Tensor) -> Latents:
        """``z`` scaled by ``truncation`` (N,) in (0, 1]: smaller is closer to the typical picture."""
        return Latents(self.z * truncation[:, None].to(self.z), self.noise)


def draw(config: GeneratorConfig, generators: Sequence[torch.Generator]) -> Latents:
    """Latents of one picture per CPU generator, in order; independent of the rest of the batch."""
    rows = []
    for generator in generators:
        z = torch.randn(config.latent, generator=generator)
        rows.append([z, *(torch.randn(2, r, r, generator=generator) for r in _resolutions(config))])
    z, *noise = (torch.stack(column) for column in zip(*rows, strict=True))
    return Latents(z, tuple(noise))


def draw_many(config: GeneratorConfig, count: int, generator: torch.Generator | None = None) -> Latents:
    """Latents of ``count`` pictures from one CPU stream: for training, where speed matters."""
    z = torch.randn(count, config.latent, generator=generator)
    return Latents(z, tuple(torch.randn(count, 2, r, r, generator=generator) for r in _resolutions(config)))


def _resolutions(config: GeneratorConfig) -> list[int]:
    return [BASE * 2 ** (level + 1) for level in range(len(config.channels) - 1)]


def without_frame(images: torch.Tensor) -> torch.Tensor:
    """(N, 3, S, S) without its outermost pixels, at the same size.

    Convolutions are padded with zeros, which shows as a frame along the edge.
    """
    size = images.shape[-1]
    edge = max(1, size * 3 // 64)
    inner = images[..., edge:-edge, edge:-edge]
    return F.interpolate(inner, size=(size, size), mode="bicubic", align_corners=False).clamp(-1, 1)


class StyledNorm(nn.Module):
    """Batch normalisation whose gain and offset come from the style (N, S); ``limit`` as in the config."""

    def __init__(self, channels: int, style: int, limit: float | None = None) -> None:
        super().__init__()
        self.limit = limit
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.affine = nn.Linear(style, channels * 2)
        nn.init.normal_(self.affine.weight, std=0.02)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        gain, offset = self.affine(style)[:, :, None, None].chunk(2, 1)  # (N, C, 1, 1) each
        normal: torch.Tensor = self.norm(x)
        styled: torch.Tensor = normal * (1 + gain) + offset
        if self.limit is None:
            return styled
        size = styled.float().square().mean(1, keepdim=True).sqrt()  # (N, 1, H, W)
        return styled * (self.limit / size.clamp(min=self.limit)).to(styled.dtype)


class Block(nn.Module):
    """(N, I, r, r) -> (N, O, 2r, 2r): upsampled, then a residual branch of two styled convolutions.

    ``style`` (N, S) steers both norms; ``noise`` (N, 2, 2r, 2r) is added before each of them, one map each.
    """

    def __init__(self, inputs: int, outputs: int, style: int, limit: float | None = None) -> None:
        super().__init__()
        self.narrow = nn.Conv2d(inputs, outputs, 1)
        self.norms = nn.ModuleList(StyledNorm(outputs, style, limit) for _ in range(2))
        self.convs = nn.ModuleList(nn.Conv2d(outputs, outputs, 3, padding=1) for _ in range(2))
        self.strength = nn.Parameter(torch.zeros(2, outputs, 1, 1))

    def forward(self, x: torch.Tensor, style: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = self.narrow(x)  # (N, O, r, r)
        x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)  # (N, O, 2r, 2r)
        h = x
        for i, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            noisy = h + self.strength[i] * noise[:, i : i + 1]  # (O, 1, 1) * (N, 1, 2r, 2r)
            h = conv(F.leaky_relu(norm(noisy, style), 0.2))  # (N, O, 2r, 2r)
        return x + h


class Generator(nn.Module):
    """Condition (N, K) and latents -> pictures (N, 3, size, size) in [-1, 1]."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Sequential(
            nn.Linear(config.condition, config.embedding),
            nn.LeakyReLU(0.2),
            nn.Linear(config.embedding, config.embedding),
        )
        if config.mapping:
            last = nn.Linear(config.style, config.style)
            # Begins as the identity, so that a generator without it can be taken over.
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.mapping = nn.Sequential(nn.Linear(config.style, config.style), nn.LeakyReLU(0.2), last)
        self.start = nn.Linear(config.style, config.channels[0] * BASE * BASE)
        widths = config.channels
        self.blocks = nn.ModuleList(Block(i, o, config.style, config.limit) for i, o in pairwise(widths))
        self.last_norm = StyledNorm(widths[-1], config.style, config.limit)
        self.to_rgb = nn.Conv2d(widths[-1], 12, 3, padding=1)
        # The four sub-pixels start equal, so that training does not begin with a checkerboard.
        with torch.no_grad():
            for values in (self.to_rgb.weight, self.to_rgb.bias):
                assert values is not None
                values.copy_(values[::4].repeat_interleave(4, 0))

    def styles(self, condition: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Condition (N, K) and ``z`` (N, latent) -> the same style at every level, (N, levels, style)."""
        style = torch.cat([z, self.embed(condition)], 1)
        if self.config.mapping:
            style = style + self.mapping(style)
        return style[:, None].expand(-1, self.config.levels, -1)

    def synthesise(self, styles: torch.Tensor, noise: Sequence[torch.Tensor]) -> torch.Tensor:
        """Styles (N, levels, style), coarse to fine, and noise maps -> pictures in [-1, 1]."""
        return torch.tanh(self.colours(styles, noise))

    def colours(self, styles: torch.Tensor, noise: Sequence[torch.Tensor]) -> torch.Tensor:
        """The pictures of :meth:`synthesise` before the tanh that bounds them: (N, 3, size, size)."""
        x = self.start(styles[:, 0]).unflatten(1, (self.config.channels[0], BASE, BASE))  # (N, C0, 4, 4)
        for level, (block, plane) in enumerate(zip(self.blocks, noise, strict=True), 1):
            x = block(x, styles[:, level], plane)  # (N, C[level], 4 * 2**level, 4 * 2**level)
        x = F.leaky_relu(self.last_norm(x, styles[:, -1]), 0.2)
        rgb = F.pixel_shuffle(self.to_rgb(x), 2)  # (N, 12, size / 2, size / 2) -> (N, 3, size, size)
        return softened(rgb) if self.config.soft else rgb

    def forward(self, condition: torch.Tensor, latents: Latents) -> torch.Tensor:
        return self.synthesise(self.styles(condition, latents.z), latents.noise)
