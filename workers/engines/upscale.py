"""Kind ``upscale``: a picture two or four times as large, in tiles that leave no seams."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from workers import device as devices
from workers import images, weights
from workers.engines.base import InvalidRequest, Picture, Task
from workers.engines.batching import SequentialEngine
from workers.engines.request import Request
from workers.nets.upscaler import FACTOR, MARGIN, TEXTURE, Upscaler, UpscalerConfig, draw_noise, framed

MODEL = "paint-upscaler"
PASSES = {2: 1, 4: 2}
"""Factor -> number of doublings."""
LEAST_SIDE = 16  # sides of the picture, px: less cannot be mirrored beyond its edges
TILE_CPU = 256  # side of a tile of the small picture, px: about half a second, so a cancel is heard soon
TILE_GPU = 1024
PREVIEW_LONGEST = 640  # long side of the previews, px

Pixels = npt.NDArray[np.uint8]
Slices = tuple[slice, slice]
"""Rows and columns of a picture."""


@dataclass(frozen=True, slots=True)
class UpscaleRequest(Request):
    """The parameters of ``upscale``; ``factor`` is a key of PASSES, ``texture`` how much may be invented."""

    factor: str
    texture: float


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of the small picture, px."""

    top: int
    left: int
    bottom: int
    right: int


def tiles(height: int, width: int, side: int) -> list[Tile]:
    """Tiles of about equal size, at most ``side`` px (even) each way, that cover the picture once."""

    def cuts(length: int) -> list[tuple[int, int]]:
        step = math.ceil(length / math.ceil(length / side))
        step += step % 2  # the network works on pairs of pixels: every tile begins where a pair does
        return [(start, min(start + step, length)) for start in range(0, length, step)]

    return [Tile(top, left, bottom, right) for top, bottom in cuts(height) for left, right in cuts(width)]


class UpscaleEngine(SequentialEngine):
    """Enlarges pictures tile by tile."""

    kind: ClassVar[str] = "upscale"
    request: ClassVar[type[UpscaleRequest]] = UpscaleRequest

    def __init__(self) -> None:
        """Load the weights. Raises :class:`workers.weights.WeightsError`."""
        loaded = weights.load(MODEL)
        self.device = devices.choose()
        self.model_name = str(loaded.card["name"])
        self.model_digest = loaded.digest
        try:
            net = Upscaler(UpscalerConfig.from_card(loaded.card["config"]))
            net.load_state_dict(loaded.tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise weights.WeightsCorrupt(f"{loaded.folder}: not an upscaler: {error}") from error
        self._net = net.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        self.tile = TILE_CPU if self.device.type == "cpu" else TILE_GPU
        """Side of the tiles, px of the picture that is being doubled."""

    def make(self, task: Task) -> Picture:
        """The enlarged picture. Raises InvalidRequest for one that is too small."""
        task.report.phase("loading")
        request = UpscaleRequest.from_parameters(task.parameters)
        factor = int(request.factor)
        image = open_flattened(task.input("image"))
        if min(image.size) < LEAST_SIDE:
            raise InvalidRequest(
                f"{image.size} is too small",
                visitor=f"This picture is too small: it needs at least {LEAST_SIDE} pixels each way.",
            )
        task.report.phase("painting")
        width, height = image.size
        steps = sum(
            len(tiles(height * FACTOR**number, width * FACTOR**number, self.tile))
            for number in range(PASSES[factor])
        )
        preview = _PreviewCanvas(image, task)
        done = 0

        def painted(pixels: Pixels, place: Slices) -> None:
            nonlocal done
            done += 1
            preview.show(pixels, place)
            task.report.step(done, steps)

        picture = self.enlarge(image, factor, request.texture, task.seed, painted)
        task.report.phase("finishing")
        return Picture(
            picture,
            details={"factor": factor, "texture": request.texture, "size_before": [width, height]},
        )

    def enlarge(
        self,
        image: Image.Image,
        factor: int,
        texture: float = TEXTURE,
        seed: int = 0,
        painted: Callable[[Pixels, Slices], None] | None = None,
    ) -> Image.Image:
        """An RGB picture, 2 or 4 times as large. ``painted(pixels, place)``, after each tile, may raise.

        ``pixels`` is the whole result of this doubling so far, uint8 (H, W, 3), and ``place`` its new part.
        """
        stream = devices.generator(seed)
        grey = _is_grey(image)
        for _ in range(PASSES[factor]):
            pixels = np.empty((image.height * FACTOR, image.width * FACTOR, 3), np.uint8)
            for place, piece in self._doubled(image, stream, texture):
                pixels[place] = piece.mean(2, keepdims=True).round() if grey else piece
                if painted is not None:
                    painted(pixels, place)
            image = Image.fromarray(pixels, "RGB")
        return image

    @torch.inference_mode()
    def _doubled(
        self, picture: Image.Image, stream: torch.Generator, texture: float
    ) -> Iterator[tuple[Slices, Pixels]]:
        """Double an RGB picture tile by tile: the tile's slices of the result, and uint8 (h, w, 3).

        Each tile is computed with the network's whole receptive field around it, and the noise is drawn for
        the whole picture, so the tiles together equal one pass over all of it.
        """
        source = images.to_tensor(picture)
        noise = draw_noise((picture.height, picture.width), [stream])
        source, noise = framed(source, noise)
        amount = torch.full((1,), texture, device=self.device)
        reach = self._net.config.reach
        for tile in tiles(picture.height, picture.width, self.tile):
            rows, top = _window(tile.top, tile.bottom, reach, source.shape[2])
            columns, left = _window(tile.left, tile.right, reach, source.shape[3])
            piece = source[:, :, rows, columns].contiguous(memory_format=torch.channels_last).to(self.device)
            painted = self._net(piece, noise[:, :, rows, columns].to(self.device), amount)[0]
            height, width = (tile.bottom - tile.top) * FACTOR, (tile.right - tile.left) * FACTOR
            painted = painted[:, top : top + height, left : left + width]
            place = (
                slice(tile.top * FACTOR, tile.bottom * FACTOR),
                slice(tile.left * FACTOR, tile.right * FACTOR),
            )
            yield place, np.asarray(images.to_image(painted))


def _window(start: int, end: int, reach: int, length: int) -> tuple[slice, int]:
    """The pixels of the framed picture that a tile needs, and where in their result the tile begins."""
    first = max(0, start + MARGIN - reach)
    last = min(length, end + end % 2 + MARGIN + reach)
    return slice(first, last), (start + MARGIN - first) * FACTOR


def open_flattened(path: Path) -> Image.Image:
    """Any picture as RGB; transparency is composed onto white."""
    with Image.open(path) as source:
        if source.has_transparency_data:
            clear = source.convert("RGBA")
            white = Image.new("RGBA", clear.size, "white")
            return Image.alpha_composite(white, clear).convert("RGB")
        if source.mode.startswith("I;16"):
            # Pillow would clip everything above 255.
            return Image.fromarray((np.asarray(source) // 257).astype(np.uint8)).convert("RGB")
        return source.convert("RGB")


def _is_grey(image: Image.Image) -> bool:
    """Whether the picture has no colour: its result then has none either."""
    red, green, blue = image.split()
    return red.tobytes() == green.tobytes() == blue.tobytes()


class _PreviewCanvas:
    """The preview: the picture as it was, on which each finished tile is pasted."""

    def __init__(self, image: Image.Image, task: Task) -> None:
        self._report: Callable[[Image.Image], None] = task.report.preview
        scale = min(2.0, PREVIEW_LONGEST / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        self._canvas = image.resize(size, Image.Resampling.BICUBIC)
        self._report(self._canvas.copy())

    def show(self, pixels: Pixels, place: Slices) -> None:
        """Paste a finished tile and report the whole."""
        rows, columns = place
        down, across = self._canvas.height / pixels.shape[0], self._canvas.width / pixels.shape[1]
        box = [round(columns.start * across), round(rows.start * down)]
        end = [round(columns.stop * across), round(rows.stop * down)]
        size = (max(1, end[0] - box[0]), max(1, end[1] - box[1]))
        piece = Image.fromarray(np.ascontiguousarray(pixels[place]))
        self._canvas.paste(piece.resize(size, Image.Resampling.BOX), (box[0], box[1]))
        self._report(self._canvas.copy())
