"""The colour space Oklab (Ottosson 2020), in which equal distances look about equally far apart."""

from __future__ import annotations

import torch

# Both matrices as Ottosson publishes them: linear sRGB -> cone responses, their cube roots -> Oklab.
_TO_LMS = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def to_oklab(images: torch.Tensor) -> torch.Tensor:
    """sRGB pictures (N, 3, H, W) in [-1, 1] -> Oklab: lightness in [0, 1], then green-red and blue-yellow."""
    encoded = (images.clamp(-1, 1) + 1) / 2
    linear = torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    lms = torch.einsum("ij,njhw->nihw", _TO_LMS.to(images), linear)
    return torch.einsum("ij,njhw->nihw", _TO_LAB.to(images), lms.clamp_min(0) ** (1 / 3))


def from_oklab(lab: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`to_oklab`; colours outside the gamut of sRGB leave [-1, 1]."""
    lms = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_TO_LAB).to(lab), lab) ** 3
    linear = torch.einsum("ij,njhw->nihw", torch.linalg.inv(_TO_LMS).to(lab), lms)
    bright = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, bright) * 2 - 1
