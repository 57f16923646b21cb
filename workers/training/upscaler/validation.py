"""Validation of the upscaler while it learns: its perceptual distance over bicubic's, and a sheet."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from workers import device as devices
from workers.images import contact_sheet, to_images
from workers.nets.upscaler import TEXTURE, Upscaler, draw_noise, enlarge
from workers.training.common.data import is_validation, load_squares, paintings
from workers.training.common.perceptual_distance import perceptual_distance
from workers.training.common.perceptual_teacher import Teacher
from workers.training.upscaler.patches import GeneratedPool

PICTURES = 8
"""Paintings that are measured."""


@torch.no_grad()
def enlarged(net: Upscaler, small: torch.Tensor, passes: int, texture: float = TEXTURE) -> torch.Tensor:
    """Pictures (N, 3, H, W) doubled ``passes`` times, clamped, with noise that is always the same."""
    for number in range(passes):
        streams = [devices.generator(number, index) for index in range(len(small))]
        noise = draw_noise((small.shape[-2], small.shape[-1]), streams).to(small.device)
        small = enlarge(net, small, noise, texture).clamp(-1, 1)
    return small


def bicubic(images: torch.Tensor, factor: int) -> torch.Tensor:
    """Enlarged by bicubic interpolation, clamped: the baseline of every measure."""
    found = F.interpolate(images, scale_factor=factor, mode="bicubic", align_corners=False)
    return found.clamp(-1, 1)


class Validation:
    """Some validation paintings, enlarged 4 times."""

    def __init__(
        self, data: Path, teacher: Teacher, device: torch.device, generated: GeneratedPool | None
    ) -> None:
        rows = [r for r in paintings(data) if "large" in r.shard and is_validation(r.file)]
        rows = rows[:: max(1, len(rows) // PICTURES)][:PICTURES]
        squares = torch.from_numpy(load_squares(data, [(r.shard, r.file) for r in rows], 256))
        self.teacher = teacher
        self.true = squares.permute(0, 3, 1, 2).float().div(127.5).sub(1).to(device)
        self.small = F.avg_pool2d(self.true, 4)
        self.bicubic = bicubic(self.small, 4)
        self.base = perceptual_distance(teacher, self.bicubic, self.true).mean()
        self.generated = (
            None if generated is None else generated.pictures[:4].float().div(127.5).sub(1).to(device)
        )

    def of_bicubic(self, net: Upscaler) -> float:
        """Mean perceptual distance to the true paintings over that of bicubic interpolation."""
        made = enlarged(net, self.small, 2)
        return float(perceptual_distance(self.teacher, made, self.true).mean() / self.base)

    def sheet(self, net: Upscaler, folder: Path) -> None:
        """``sheet.jpg``: bicubic, textures 0, 0.5 and 1, the truth; ``generated.jpg``: the generator's."""
        rows = [self.bicubic, *(enlarged(net, self.small, 2, texture) for texture in (0.0, TEXTURE, 1.0))]
        tiles = to_images(torch.cat([row[..., 40:216, 40:216] for row in (*rows, self.true)]))
        contact_sheet(tiles, PICTURES).save(folder / "sheet.jpg", quality=92)
        if self.generated is not None:
            pair = torch.cat([bicubic(self.generated, 4), enlarged(net, self.generated, 2)])
            contact_sheet(to_images(pair), len(self.generated)).save(folder / "generated.jpg", quality=92)
