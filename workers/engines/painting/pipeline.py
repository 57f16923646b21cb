"""Generator, matcher and upscaler together, as ``paint`` and ``blend`` share them.

A worker process holds them once. Pictures are composed small from latents and finished large by the upscaler;
everything random comes from streams that the request names.
"""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from workers import device as devices
from workers import weights
from workers.engines.painting.latents import Latent
from workers.engines.vision.text_image_matcher import MatcherModel
from workers.nets.filters import softened
from workers.nets.generator import Generator, GeneratorConfig, Latents, draw, without_frame
from workers.nets.upscaler import FACTOR, Upscaler, UpscalerConfig, draw_noise, enlarge

MODEL = "paint"
CHUNK_CPU = 4  # pictures composed at once: a cancel is heard soon, and more are no faster on a CPU
CHUNK_GPU = 32
PIXELS_CPU = 4 * 128**2  # of the small pictures that the upscaler takes at once: memory stays bounded
PIXELS_GPU = 32 * 256**2
FINISH_WORK = 3  # the first doubling takes about as long as composing three pictures
UPSCALER_STREAM = 1 << 20  # added to a stream's index: the upscaler has random numbers of its own

_open: weakref.WeakValueDictionary[str, PaintingPipeline] = weakref.WeakValueDictionary()


class PaintingPipeline:
    """Latents -> finished pictures. Every method is deterministic given its arguments."""

    def __init__(
        self,
        generator: Generator,
        upscaler: Upscaler,
        matcher: MatcherModel,
        name: str,
        digest: str,
        generator_digest: str,
    ) -> None:
        self.device = matcher.device
        self.matcher = matcher
        self.name = name
        self.digest = digest
        """sha256 over the digests of the three files: together they decide a picture."""
        self.generator_digest = generator_digest
        """sha256 of the generator's file: it alone decides what a latent means."""
        self._generator = generator.eval().requires_grad_(False).to(self.device)
        self._upscaler = (
            upscaler.eval().requires_grad_(False).to(self.device).to(memory_format=torch.channels_last)
        )
        gpu = self.device.type != "cpu"
        self.chunk = CHUNK_GPU if gpu else CHUNK_CPU
        """Pictures that are composed together."""
        self.finish_chunk = 8 if gpu else 1
        """Pictures that are finished together."""
        self._pixels = PIXELS_GPU if gpu else PIXELS_CPU

    @property
    def config(self) -> GeneratorConfig:
        """Sizes of the generator."""
        return self._generator.config

    def draw(self, seed: int, index: int) -> torch.Tensor:
        """The random part of a style, (latent,) on the CPU, of the stream ``(seed, index)``."""
        return draw(self.config, [devices.generator(seed, index)]).z[0]

    @torch.no_grad()
    def subjects(self, conditions: torch.Tensor) -> torch.Tensor:
        """Conditions (N, K) -> the part of a style that says what to paint, (N, embedding) on the device."""
        embedded: torch.Tensor = self._generator.embed(conditions)
        return embedded

    def styles(self, z: torch.Tensor, subject: torch.Tensor) -> torch.Tensor:
        """``z`` (N, latent), subjects (N, embedding) -> the same style at every level, (N, levels, style)."""
        style = torch.cat([z.to(self.device), subject], 1)
        return style[:, None].expand(-1, self.config.levels, -1)

    def noise(self, latents: Sequence[Latent]) -> tuple[torch.Tensor, ...]:
        """The noise maps of some latents, one (N, 2, r, r) per block, on the device."""
        drawn: dict[tuple[int, int], Latents] = {}
        for latent in latents:
            for source in latent.noise:
                key = (source.seed, source.index)
                if key not in drawn:
                    drawn[key] = draw(self.config, [devices.generator(*key)])
        blocks = range(len(self.config.channels) - 1)
        maps = []
        for block in blocks:
            rows = []
            for latent in latents:
                parts = [
                    source.shares[block] * drawn[source.seed, source.index].noise[block]
                    for source in latent.noise
                ]
                rows.append(torch.stack(parts).sum(0) if len(parts) > 1 else parts[0])
            maps.append(torch.cat(rows).to(self.device))
        return tuple(maps)

    def compose(self, styles: torch.Tensor, noise: Sequence[torch.Tensor]) -> torch.Tensor:
        """Styles (N, levels, style) and noise maps -> small pictures (N, 3, S, S) in [-1, 1].

        Differentiable in the styles.
        """
        return without_frame(self._generator.synthesise(styles, noise).float())

    @torch.no_grad()
    def compose_latents(self, latents: Sequence[Latent]) -> torch.Tensor:
        """Small pictures (N, 3, S, S) of at most ``chunk`` latents."""
        styles = torch.stack([latent.styles for latent in latents]).to(self.device)
        return self.compose(styles, self.noise(latents))

    def passes(self, size: int) -> int:
        """How often a small picture is doubled until it has ``size`` px."""
        side, count = self.config.size, 0
        while side < size:
            side, count = side * FACTOR, count + 1
        return count

    def cost(self, size: int) -> int:
        """Work of finishing one picture at ``size`` px, in units of composing one (at least 1)."""
        return max(1, FINISH_WORK * sum(int(4**number) for number in range(self.passes(size))))

    @torch.no_grad()
    def finish(
        self,
        pictures: torch.Tensor,
        size: int,
        noise_streams: Sequence[tuple[int, int]],
        tick: Callable[[torch.Tensor, int], None] | None = None,
    ) -> torch.Tensor:
        """Small pictures (N, 3, S, S) -> (N, 3, size, size) in [-1, 1] on the device.

        ``noise_streams``: seed and index of each picture's upscaler noise. ``tick(pictures, work)`` is
        called after each doubling with the pictures so far and its work in units of :meth:`cost`;
        it may raise to stop.
        """
        generators = [devices.generator(seed, UPSCALER_STREAM + index) for seed, index in noise_streams]
        pictures = pictures.to(self.device)
        if pictures.shape[-1] < size and not self.config.soft:
            # The finest scale of what was composed is a checkerboard; fine detail is the upscaler's to add.
            pictures = softened(pictures)
        work = FINISH_WORK
        while pictures.shape[-1] < size:
            noise = draw_noise(pictures.shape[-1], generators)
            count = max(1, self._pixels // pictures.shape[-1] ** 2)
            doubled = [
                enlarge(
                    self._upscaler, some.contiguous(memory_format=torch.channels_last), plane.to(self.device)
                )
                .float()
                .clamp(-1, 1)
                for some, plane in zip(torch.split(pictures, count), torch.split(noise, count), strict=True)
            ]
            pictures = torch.cat(doubled)
            if tick is not None:
                tick(pictures, work)
            work *= 4
        if pictures.shape[-1] != size:
            pictures = F.interpolate(pictures, (size, size), mode="bicubic", antialias=True).clamp(-1, 1)
        if work == FINISH_WORK and tick is not None:  # it was large enough as it was composed
            tick(pictures, 1)
        return pictures


def open_pipeline(name: str = MODEL) -> PaintingPipeline:
    """The pipeline of the generator ``name`` and of the helpers that its card names; one per process.

    Raises :class:`workers.weights.WeightsError`.
    """
    device = devices.choose()
    loaded = weights.load(name)
    try:
        helpers = loaded.card["helpers"]
        matcher_name, upscaler_name = str(helpers["matcher"]), str(helpers["upscaler"])
        generator = Generator(GeneratorConfig.from_card(loaded.card["config"]))
        generator.load_state_dict(loaded.tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise weights.WeightsCorrupt(f"{loaded.folder}: not a generator: {error}") from error
    matcher = MatcherModel.load(matcher_name, device)
    if matcher.net.config.embedding != generator.config.condition:
        raise weights.WeightsCorrupt(
            f"{loaded.folder}: not a generator: it takes conditions of {generator.config.condition} numbers, "
            f"{matcher_name} gives {matcher.net.config.embedding}"
        )
    enlarger = weights.load(upscaler_name)
    try:
        upscaler = Upscaler(UpscalerConfig.from_card(enlarger.card["config"]))
        upscaler.load_state_dict(enlarger.tensors)
    except (TypeError, ValueError, RuntimeError) as error:
        raise weights.WeightsCorrupt(f"{enlarger.folder}: not an upscaler: {error}") from error
    digest = hashlib.sha256("".join((loaded.digest, matcher.digest, enlarger.digest)).encode()).hexdigest()
    # The words of the matcher and the sizes are on the cards, outside the digests.
    sizes = [loaded.card["config"], matcher.net.config.to_card(), enlarger.card["config"]]
    key = f"{device} {digest} {json.dumps(sizes, sort_keys=True)}"
    pipeline = _open.get(key)
    if pipeline is None:
        pipeline = PaintingPipeline(
            generator, upscaler, matcher, str(loaded.card["name"]), digest, loaded.digest
        )
        _open[key] = pipeline
    return pipeline
