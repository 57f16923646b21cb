"""How fast the engine repaints, and what it takes: ``python -m tests.bench.restyle [--rounds 3]``.

Seconds of one picture as a visitor asks for it (defaults of the page, previews included), the share of them
that the network's forward pass alone takes on this machine in this run, and the peak memory of a process
that paints 2048 px with the finest brush, where the canvas is as large as the picture. Seconds mean
something on an idle machine only; the share and the memory do on any.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from PIL import Image

from tests.bench.studio import load
from tests.engine.parameters import complete
from workers import device as devices
from workers import images
from workers.engines.base import SilentReport, Task
from workers.engines.restyle import LEAST_SIDE, MARGIN, RestyleEngine
from workers.engines.stylisation.resizing import canvas_side, mirror_pad
from workers.nets.tiled_style_transfer import paint_in_strips
from workers.training.common.data import sample_pictures
from workers.training.style_transfer.optimisation_baseline import peak_megabytes

TARGETS = {512: 1.5, 1024: 6.0, 2048: 0.0}
"""px -> seconds that it may take on two idle cores; 0: no target."""
MEGABYTES = 2000


def request(path: Path, size: int, style: str) -> Task:
    """What the page sends when somebody only chooses a style and a size."""
    return Task(complete("restyle", style=style, size=size), 1, SilentReport(), {"image": path})


@torch.inference_mode()
def forward(engine: RestyleEngine, picture: Image.Image, brush: float = 0.5) -> float:
    """Seconds of the network alone on the canvas of ``picture``, and of nothing else."""
    canvas = images.to_tensor(images.resize_longest(picture, canvas_side(max(picture.size), brush))).to(
        engine.device
    )
    framed = mirror_pad(canvas, MARGIN, LEAST_SIDE)[0].to(memory_format=torch.channels_last)
    code = engine.code(engine.styles[0])
    began = time.perf_counter()
    engine.net(framed, code)
    return time.perf_counter() - began


def main() -> None:
    """Measure, and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    print(f"{load()}; {devices.describe(devices.choose())}")
    engine = RestyleEngine()
    met = True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "photo.png"
        sample_pictures(512)[0].resize((2048, 2048), Image.Resampling.LANCZOS).save(path)
        for size, target in TARGETS.items():
            task = request(path, size, engine.styles[0])
            picture = images.resize_longest(images.open_rgb(path), size)
            whole, alone = [], []
            for _ in range(given.rounds + 1):  # the first round warms up
                began = time.perf_counter()
                (result,) = engine.run([task])
                whole.append(time.perf_counter() - began)
                alone.append(forward(engine, picture))
                if result.error is not None:
                    raise result.error
            seconds, share = median(whole[1:]), median(alone[1:]) / median(whole[1:])
            line = f"{size:>4} px: {seconds:.2f} s, of which the network alone {share:.0%}"
            if target:
                met = met and seconds < target
                line += f" (target < {target:g} s: {'met' if seconds < target else 'MISSED'})"
            print(line, flush=True)
    strips = _strips_share(engine, given.rounds)
    print(f"1024 px in strips: {strips:.2f} times one pass", flush=True)
    peak = peak_megabytes(2048)
    verdict = "met" if peak < MEGABYTES else "MISSED"
    print(f"2048 px, finest brush: {peak:.0f} MB (target < {MEGABYTES}: {verdict})")
    print(load())
    raise SystemExit(0 if met and peak < MEGABYTES else 1)


@torch.inference_mode()
def _strips_share(engine: RestyleEngine, rounds: int) -> float:
    """What strips cost beside one pass, in time."""
    picture = torch.rand(1, 3, 1024, 1024, device=engine.device) * 2 - 1
    code = engine.code(engine.styles[0])
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        engine.net(picture.to(memory_format=torch.channels_last), code)
        between = time.perf_counter()
        paint_in_strips(engine.net, picture, code)
        found.append((time.perf_counter() - between) / (between - began))
    return median(found)


if __name__ == "__main__":
    main()
