"""Pictures per second: the engine beside the raw forward loop of the same networks.

The raw loop is a lower bound of the cost: the generator's forward pass and the upscaler's until the size is
reached, with styles and noise drawn beforehand, without prompts, previews and encoding.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from workers import device as devices
from workers import weights
from workers.engines.base import SilentReport, Task
from workers.engines.paint import PaintEngine
from workers.engines.painting.pipeline import MODEL
from workers.nets.generator import Generator, GeneratorConfig, draw_many, without_frame
from workers.nets.upscaler import FACTOR, Upscaler, UpscalerConfig, draw_noise, enlarge
from workers.training.generator.evaluation.sampling import PARAMETERS

BATCHES = (1, 2, 4, 8, 16)
SIZE = 512
"""Side of the pictures, px."""
PROMPT = "a stormy sea at sunset"


class RawLoop:
    """The shipped generator and upscaler without an engine around them."""

    def __init__(self) -> None:
        loaded = weights.load(MODEL)
        self.device = devices.choose()
        self.generator = Generator(GeneratorConfig.from_card(loaded.card["config"]))
        self.generator.load_state_dict(loaded.tensors)
        brush = weights.load(str(loaded.card["helpers"]["upscaler"]))
        self.upscaler = Upscaler(UpscalerConfig.from_card(brush.card["config"]))
        self.upscaler.load_state_dict(brush.tensors)
        for net in (self.generator, self.upscaler):
            net.eval().requires_grad_(False).to(self.device)
        self.upscaler.to(memory_format=torch.channels_last)

    def prepare(self, count: int, size: int) -> Callable[[int], torch.Tensor]:
        """Draw for ``count`` pictures; the function then paints them, so many at a time, at ``size`` px."""
        config = self.generator.config
        stream = torch.Generator().manual_seed(1)
        latents = draw_many(config, count, stream).to(self.device)
        conditions = torch.randn(count, config.condition, generator=stream).to(self.device)
        styles = self.generator.styles(conditions, latents.z)
        planes = []
        side = config.size
        while side < size:
            planes.append(draw_noise(side, [stream] * count).to(self.device))
            side *= FACTOR

        @torch.inference_mode()
        def paint(chunk: int) -> torch.Tensor:
            found = []
            for start in range(0, count, chunk):
                part = slice(start, start + chunk)
                x = without_frame(
                    self.generator.synthesise(styles[part], [noise[part] for noise in latents.noise])
                )
                for plane in planes:
                    x = enlarge(self.upscaler, x.contiguous(memory_format=torch.channels_last), plane[part])
                found.append(x.clamp(-1, 1))
            if self.device.type == "cuda":
                torch.cuda.synchronize()
            return torch.cat(found)

        return paint


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def engine_run(engine: PaintEngine, count: int, size: int = SIZE, seed: int = 1) -> None:
    """``count`` pictures of one request. Raises what the engine answers instead."""
    asked = {"prompt": PROMPT, "count": count, "truncation": 1.0, "size": str(size)}
    (result,) = engine.run([Task({**PARAMETERS, **asked}, seed, SilentReport())])
    if result.error is not None:
        raise result.error


def throughput(
    engine: PaintEngine, raw: RawLoop, count: int, rounds: int = 3, size: int = SIZE
) -> dict[str, float]:
    """Pictures per second of both at ``count`` pictures, and the engine's share of the raw loop's.

    The fastest of ``rounds`` counts: what else a machine does only ever adds time. The raw loop may take the
    pictures one by one or all at once, whichever is faster.
    """
    paint = raw.prepare(count, size)
    chunks = sorted({1, count})
    engine_run(engine, count, size)
    best = min(chunks, key=lambda chunk: min(_seconds(lambda: paint(chunk)) for _ in range(2)))
    loops, engines = [], []
    # Turn by turn: when others use the machine, both meet them.
    for number in range(rounds):
        loops.append(_seconds(lambda: paint(best)))
        engines.append(_seconds(lambda seed=number: engine_run(engine, count, size, seed)))  # type: ignore[misc]
    return {
        "engine": round(count / min(engines), 2),
        "raw": round(count / min(loops), 2),
        "ratio": round(min(loops) / min(engines), 3),
    }


def seconds_for_four(engine: PaintEngine, rounds: int = 3) -> float:
    """Median seconds of four paintings of 512 px, warm."""
    engine_run(engine, 4)
    return statistics.median(_seconds(lambda: engine_run(engine, 4)) for _ in range(rounds))


def measure(
    engine: PaintEngine, batches: Sequence[int] = BATCHES, rounds: int = 3, size: int = SIZE
) -> dict[str, Any]:
    """Throughput by batch size and the seconds that a visitor waits for four paintings."""
    raw = RawLoop()
    return {
        "protocol": f"Paintings of {size} px a second for one request of so many pictures, fastest of "
        f"{rounds} rounds in turn with the raw loop: the forward passes of generator and upscaler on tensors "
        "drawn beforehand, one by one or all at once, whichever is faster. Four paintings: seconds at "
        f"{SIZE} px, warm.",
        "device": devices.describe(raw.device),
        "pictures_per_second": {str(n): throughput(engine, raw, n, rounds, size) for n in batches},
        "seconds_for_four": round(seconds_for_four(engine, rounds), 2),
    }
