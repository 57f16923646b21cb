"""Patches of pictures to learn enlarging from: paintings of 256 px, larger style pictures, photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from workers.images import shrink
from workers.nets.filters import softened
from workers.nets.generator import Generator, GeneratorConfig, draw_many, without_frame
from workers.training.common.data import is_validation, load_squares, paintings, photos, styles

LARGE, PHOTO = 256, 224
SMALLEST = 64
"""Side of the smallest patch that the teacher has features for, px."""
SHARES = (0.6, 0.27, 0.13)
"""Of paintings, style pictures and photographs: not tuned. The style pictures are few, but the only ones that
show brushwork at the size at which our pictures end."""


def random_patches(pictures: torch.Tensor, count: int, side: int, generator: torch.Generator) -> torch.Tensor:
    """Random crops of uint8 (N, 3, H, W), half of them mirrored: float (count, 3, side, side) in [-1, 1]."""
    chosen = torch.randint(len(pictures), (count,), generator=generator).tolist()
    return torch.stack([_patch(pictures[number], side, generator) for number in chosen])


def _patch(picture: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    top = int(torch.randint(picture.shape[1] - side + 1, (), generator=generator))
    left = int(torch.randint(picture.shape[2] - side + 1, (), generator=generator))
    patch = picture[:, top : top + side, left : left + side].float().div_(127.5).sub_(1)
    return patch.flip(2) if float(torch.rand((), generator=generator)) < 0.5 else patch


class PatchSource:
    """Training pictures in memory (uint8); validation pictures are left out."""

    def __init__(self, data: Path, limit: int) -> None:
        """Read at most ``limit`` paintings, and photographs and styles in proportion, from ``data``."""
        rows = [r for r in paintings(data) if "large" in r.shard and not is_validation(r.file)]
        rows.sort(key=lambda r: (r.genre not in ("landscape", "cityscape"), r.file))
        found = [entry for entry in photos(data) if not is_validation(entry[1])]
        self.paintings = _squares(data, [(r.shard, r.file) for r in rows[:limit]], LARGE)
        self.photos = _squares(data, found[: max(1, limit // 3)], PHOTO)
        self.styles = [picture for style in styles(data) for picture in _sizes(style.path)]

    def draw(self, count: int, side: int, generator: torch.Generator) -> torch.Tensor:
        """Random patches: float (count, 3, side, side) in [-1, 1]."""
        kinds = torch.multinomial(torch.tensor(SHARES), count, True, generator=generator).tolist()
        pools = (self.paintings, self.styles, self.photos)
        found = []
        for kind in kinds:
            pool = pools[kind]
            number = int(torch.randint(len(pool), (), generator=generator))
            found.append(_patch(pool[number], side, generator))
        return torch.stack(found)


class GeneratedPool:
    """Pictures of a generator, filtered as they are before they are enlarged, and replaced in turn."""

    def __init__(self, checkpoint: Path, count: int = 256) -> None:
        """``checkpoint``: ``checkpoint.pt`` of a ``gan`` run; ``count`` pictures, a multiple of 16."""
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)["state"]
        self.net = Generator(GeneratorConfig.from_card(state["config"])).eval().requires_grad_(False)
        self.net.load_state_dict(state["average"])
        self.conditions = state["conditions"]
        self.pictures = torch.cat([self._generate(16) for _ in range(count // 16)])

    @torch.no_grad()
    def _generate(self, count: int) -> torch.Tensor:
        condition = self.conditions[torch.randint(len(self.conditions), (count,))].float()
        generated = without_frame(self.net(condition, draw_many(self.net.config, count)))
        if not self.net.config.soft:
            generated = softened(generated)
        return generated.add(1).mul(127.5).round().to(torch.uint8)

    def renew(self, count: int = 2) -> None:
        """Replace ``count`` random pictures of the pool."""
        self.pictures[torch.randint(len(self.pictures), (count,))] = self._generate(count)


def _squares(data: Path, entries: list[tuple[str, str]], size: int) -> torch.Tensor:
    return torch.from_numpy(load_squares(data, entries, size)).permute(0, 3, 1, 2).contiguous()


def _sizes(path: Path) -> list[torch.Tensor]:
    """A picture as it is, and smaller: strokes of all widths, and the smaller one is sharp and clean."""
    with Image.open(path) as file:
        image = file.convert("RGB")
    longest = max(image.size)
    smaller = [shrink(image, round(longest * scale)) for scale in (1.0, 0.7, 0.5)]
    return [
        torch.from_numpy(np.asarray(one).copy()).permute(2, 0, 1) for one in smaller if min(one.size) >= 128
    ]
