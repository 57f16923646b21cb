"""Contents and styles that the style transfer network learns from, in memory, and random crops of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from PIL import Image

from workers import images
from workers.training.common import data


class Pictures:
    """Contents and styles in memory, and random crops of them. Everything it returns is in [-1, 1]."""

    def __init__(
        self, folder: Path, count: int, random: torch.Generator, contents: bool = True, short: int = 192
    ) -> None:
        """``count`` paintings of ``short`` px, and the photographs unless there are to be no ``contents``.

        Above 192 px only the large paintings are taken: no others have so many.
        """
        self.random = random
        photos = [entry for entry in data.photos(folder) if not data.is_validation(entry[1])]
        paintings = [p for p in data.paintings(folder) if not data.is_validation(p.file)]
        if short > 192:
            paintings = [p for p in paintings if "large" in p.shard] or paintings
        rows = [(p.shard, p.file) for p in paintings]
        chosen = torch.randperm(len(rows), generator=random)[:count].tolist()
        self.photos = data.load_squares(folder, photos if contents else [], 224)
        self.paintings = data.load_squares(folder, [rows[i] for i in chosen], short)
        self.famous = [famous_tensor(entry.path, max(256, short)) for entry in data.styles(folder)]

    def _uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand((), generator=self.random))

    def _integer(self, below: int) -> int:
        return int(torch.randint(below, (), generator=self.random))

    def crop(self, picture: torch.Tensor, size: int, least: float) -> torch.Tensor:
        """A random square of (1, 3, H, W), ``least`` to all of its short side, resized to ``size`` px."""
        height, width = picture.shape[2:]
        side = round(min(height, width) * self._uniform(least, 1))
        top, left = self._integer(height - side + 1), self._integer(width - side + 1)
        part = picture[:, :, top : top + side, left : left + side]
        if self._integer(2):
            part = part.flip(3)
        return F.interpolate(part, (size, size), mode="bilinear", antialias=True, align_corners=False)

    def contents(self, count: int, size: int) -> torch.Tensor:
        """(count, 3, size, size): three photographs for each painting."""
        found = []
        for _ in range(count):
            pool = self.photos if self._integer(4) else self.paintings
            picture = picture_tensor(pool[self._integer(len(pool))])
            # Never enlarged: from blurred contents it would learn to blur.
            found.append(self.crop(picture, size, max(0.45, min(0.95, size / picture.shape[2]))))
        return torch.cat(found)

    def style(self, size: int) -> torch.Tensor:
        """(1, 3, size, size): a crop of a random painting, one in six of a famous one."""
        famous = self._integer(6) == 0
        if famous:
            return self.crop(self.famous[self._integer(len(self.famous))], size, 0.55)
        return self.crop(picture_tensor(self.paintings[self._integer(len(self.paintings))]), size, 0.55)


def famous_tensor(path: Path, short: int) -> torch.Tensor:
    """A picture with its short side at ``short`` px: (1, 3, H, W)."""
    with Image.open(path) as picture:
        scale = short / min(picture.size)
        size = (round(picture.width * scale), round(picture.height * scale))
        return images.to_tensor(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS))


def picture_tensor(picture: npt.NDArray[np.uint8]) -> torch.Tensor:
    """uint8 (H, W, 3) -> (1, 3, H, W) in [-1, 1]."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float().div_(127.5).sub_(1)
