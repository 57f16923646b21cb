"""Feed-forward style transfer: an encoder turns a picture into a code, which conditions an image transformer.

The code predicts the scale and shift of every conditional instance norm of an image-to-image network
(Dumoulin et al. 2017; Ghiasi et al. 2017). The colours of the style need no learning: the content is
first carried onto the style's colour mean and covariance in closed form (Pitie & Kokaram 2007), so
the network has only strokes, edges and textures to learn. Images are float (N, 3, H, W), RGB in [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

COLOUR = 12  # of a code: mean (3) and covariance (9, row by row) of the style's colours
_NOISE = 1e-3  # variance added to the content's colours, or the noise of a grey picture would be amplified

Progress = Callable[[int, int], None]
Moments = tuple[torch.Tensor, torch.Tensor]
"""Mean and variance of every channel over a whole picture."""


@dataclass(frozen=True, slots=True)
class StyleTransferConfig:
    """Sizes of the network. ``widths``: channels at 1/2, 1/4 and 1/8 of the resolution."""

    widths: tuple[int, int, int] = (24, 48, 96)
    full: int = 12  # channels at full resolution, where they cost most
    blocks: int = 4  # residual blocks at 1/8, where strokes are composed: they see 100 px around
    code: int = 128  # floats of learned style beside the colours
    style_widths: tuple[int, int, int, int] = (32, 64, 96, 128)
    hidden: int = 192  # of the projected code that conditions the norms
    project: int = 16  # channels of which the style encoder takes second-order statistics

    def as_dict(self) -> dict[str, Any]:
        """JSON-safe: what a model card keeps."""
        return asdict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> StyleTransferConfig:
        """The inverse of :meth:`as_dict`."""
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return StyleTransferConfig(**known)


def colour_statistics(image: torch.Tensor) -> torch.Tensor:
    """(N, 3, H, W) -> (N, 12): mean and covariance of the colours."""
    flat = image.float().flatten(2)
    mean = flat.mean(2)
    centred = flat - mean[..., None]
    covariance = centred @ centred.transpose(1, 2) / flat.shape[2]
    statistics: torch.Tensor = torch.cat([mean, covariance.flatten(1)], 1)
    return statistics


def _root(matrix: torch.Tensor, power: float) -> torch.Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: torch.Tensor = (vectors * values.clamp_min(1e-8).pow(power)[:, None, :]) @ vectors.transpose(1, 2)
    return root


def match_colours(image: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Map colours of statistics ``source`` (N, 12) to ``target`` (N, 12): the linear optimal transport."""
    eye = torch.eye(3, dtype=torch.float64, device=image.device)
    a = source[:, 3:].double().view(-1, 3, 3)
    b = target[:, 3:].double().view(-1, 3, 3)
    spread = a.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    a = a + (_NOISE + 0.02 * spread) * eye
    b = b + 1e-5 * eye
    half, inverse = _root(a, 0.5), _root(a, -0.5)
    carry = (inverse @ _root(half @ b @ half, 0.5) @ inverse).to(image.dtype)
    shift = target[:, :3, None] - carry @ source[:, :3, None]
    return (carry @ image.flatten(2) + shift).view_as(image)


class ConditionalNorm(nn.Module):
    """Instance norm whose scale and shift come from the style code."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.channels = channels
        self.affine = nn.Linear(code, 2 * channels)
        # Codes have unit variance: styles differ from the first step on.
        nn.init.normal_(self.affine.weight, std=0.03)
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: torch.Tensor, code: torch.Tensor, moments: Moments | None = None) -> torch.Tensor:
        """(N, C, H, W), (N, code) -> (N, C, H, W).

        ``moments``: mean and variance (N * C each) of the whole picture when ``x`` is only a part of it.
        """
        n, c, h, w = x.shape
        scale, shift = self.affine(code).view(n, 2, c).unbind(1)
        if h * w == 1 and moments is None:
            raise ValueError("one pixel has no statistics: pictures need 16 px each way at least")
        # Batch norm over (1, N*C, H, W) is instance norm with one affine pair per picture, in one kernel.
        flat = x.reshape(1, n * c, h, w)
        weight, bias = (1 + scale).reshape(-1), shift.reshape(-1)
        mean, variance = moments or (None, None)
        normed: torch.Tensor = F.batch_norm(
            flat, mean, variance, weight, bias, training=moments is None, eps=1e-4
        )
        return normed.view(n, c, h, w)


class ConvNorm(nn.Module):
    """Convolution, conditional norm."""

    def __init__(self, inputs: int, outputs: int, code: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        # No bias: the norm would remove it. Edges are repeated: with zero padding the network aligned
        # stripes to the border.
        self.conv = nn.Conv2d(
            inputs, outputs, kernel, stride, kernel // 2, bias=False, padding_mode="replicate"
        )
        self.norm = ConditionalNorm(outputs, code)

    def forward(self, x: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """(N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""
        normed: torch.Tensor = self.norm(self.conv(x), code)
        return normed


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.first = ConvNorm(channels, channels, code)
        self.second = ConvNorm(channels, channels, code)

    def forward(self, x: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> the same shape."""
        changed: torch.Tensor = self.second(F.relu(self.first(x, code)), code)
        return x + changed


class StyleEncoder(nn.Module):
    """A picture of any size -> (N, code): statistics of four levels of features, then a small MLP."""

    def __init__(self, config: StyleTransferConfig) -> None:
        super().__init__()
        widths = (3, *config.style_widths)
        self.levels = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in pairwise(widths))
        self.projections = nn.ModuleList(nn.Conv2d(b, config.project, 1) for b in config.style_widths)
        pairs = config.project * (config.project + 1) // 2
        features = COLOUR + sum(2 * b + pairs for b in config.style_widths)
        self.norm = nn.LayerNorm(features)
        self.hidden = nn.Linear(features, 2 * config.code)
        self.out = nn.Linear(2 * config.code, config.code)

    def forward(self, style: torch.Tensor, colours: torch.Tensor) -> torch.Tensor:
        """``style`` (N, 3, H, W), its colour statistics (N, 12) -> (N, code)."""
        found = [colours]
        x = style
        for level, projection in zip(self.levels, self.projections, strict=True):
            x = F.relu(level(x))
            found += [x.mean((2, 3)), (x.var((2, 3), correction=0) + 1e-5).sqrt()]
            flat = projection(x).flatten(2)
            gram = flat @ flat.transpose(1, 2) / flat.shape[2]
            row, column = torch.triu_indices(gram.shape[1], gram.shape[1], device=gram.device)
            pairs = gram[:, row, column]
            # Signed root: second-order statistics on the scale of the others.
            found.append(pairs.sign() * (pairs.abs() + 1e-4).sqrt())
        hidden = F.relu(self.hidden(self.norm(torch.cat(found, 1))))
        code: torch.Tensor = self.out(hidden)
        return code


class TransformNet(nn.Module):
    """The image transformer: a U-Net that composes strokes at 1/8; edges come through the skips."""

    def __init__(self, config: StyleTransferConfig) -> None:
        super().__init__()
        half, quarter, eighth = config.widths
        code = config.hidden
        self.read = nn.Linear(config.code + COLOUR, config.hidden)
        self.down1 = ConvNorm(6, half, code, kernel=5, stride=2)
        self.down2 = ConvNorm(half, quarter, code, stride=2)
        self.down3 = ConvNorm(quarter, eighth, code, stride=2)
        self.blocks = nn.ModuleList(Residual(eighth, code) for _ in range(config.blocks))
        # 1x1 before the upsampling, not 3x3 after it: four times cheaper.
        self.up3 = nn.Conv2d(eighth, quarter, 1)
        self.block2 = Residual(quarter, code)
        self.up2 = nn.Conv2d(quarter, half, 1)
        self.block1 = Residual(half, code)
        self.up1 = nn.Conv2d(half, config.full, 1)
        self.full = ConvNorm(config.full + 6, config.full, code)
        self.out = nn.Conv2d(config.full, 3, 3, 1, 1, padding_mode="replicate")
        self.keep = nn.Linear(code, 3)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.keep.weight)
        nn.init.ones_(self.keep.bias)

    @property
    def stages(self) -> int:
        """How many times ``progress`` is called by one forward pass."""
        return len(self.blocks) + 3

    def forward(
        self,
        image: torch.Tensor,
        coloured: torch.Tensor,
        code: torch.Tensor,
        progress: Progress | None = None,
    ) -> torch.Tensor:
        """``image``, ``coloured`` (N, 3, H, W), H and W multiples of 8 -> (N, 3, H, W), unclamped."""
        code = F.relu(self.read(code))
        done = 0

        def tell() -> None:
            nonlocal done
            done += 1
            if progress is not None:
                progress(done, self.stages)

        both = torch.cat([image, coloured], 1)  # (N, 6, H, W)
        first = F.relu(self.down1(both, code))  # (N, half, H/2, W/2)
        x = self.compose(first, code, tell)
        x = torch.cat([_twice(x), both], 1)  # (N, full + 6, H, W)
        x = F.relu(self.full(x, code))
        keep = self.keep(code)[..., None, None]
        painted: torch.Tensor = keep * coloured + self.out(x)
        tell()
        return painted

    def compose(self, first: torch.Tensor, code: torch.Tensor, tell: Callable[[], None]) -> torch.Tensor:
        """Everything below full resolution: (N, half, H/2, W/2) -> (N, full, H/2, W/2).

        ``code`` is projected by :attr:`read`; ``tell`` is called after each stage but the last.
        """
        second = F.relu(self.down2(first, code))  # (N, quarter, H/4, W/4)
        x = F.relu(self.down3(second, code))  # (N, eighth, H/8, W/8)
        tell()
        for block in self.blocks:
            x = block(x, code)
            tell()
        x = second + _twice(self.up3(x))
        x = self.block2(x, code)
        x = first + _twice(self.up2(x))
        x = self.block1(x, code)
        tell()
        composed: torch.Tensor = self.up1(x)
        return composed


def _twice(x: torch.Tensor) -> torch.Tensor:
    # Bilinear and a convolution, never a transposed convolution: no checkerboard.
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class StyleTransferNet(nn.Module):
    """Style encoder and image transformer. A full code: ``config.code`` learned floats, then 12 of colour."""

    def __init__(self, config: StyleTransferConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = StyleEncoder(config)
        self.painter = TransformNet(config)  # a name in the keys of shipped weights

    @property
    def code_size(self) -> int:
        """Floats of a full style code."""
        return self.config.code + COLOUR

    def encode(self, style: torch.Tensor) -> torch.Tensor:
        """Pictures (N, 3, H, W), 16 px or more each way -> full style codes (N, code_size)."""
        colours = colour_statistics(style)
        return torch.cat([self.encoder(style, colours), colours], 1)

    def forward(
        self, content: torch.Tensor, code: torch.Tensor, progress: Progress | None = None
    ) -> torch.Tensor:
        """``content`` (N, 3, H, W), sides multiples of 8 and 16 px at least, in styles (N, code_size).

        Returns (N, 3, H, W), about [-1, 1], unclamped. ``progress(done, of)`` is called after each
        stage and may raise to stop.
        """
        coloured = match_colours(content, colour_statistics(content), code[:, self.config.code :])
        painted: torch.Tensor = self.painter(content, coloured, code, progress)
        return painted
