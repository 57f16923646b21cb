"""How fast the engine paints: ``python -m tests.bench.paint [--rounds 5] [--threads 2]``.

On one machine in one run: the engine's throughput at 8 pictures beside the raw forward loop of the same
networks (workers/training/generator/evaluation/speed.py), turn by turn, and the seconds of four paintings of
512 px.
"""

from __future__ import annotations

import argparse
import time

import torch

from tests.bench.studio import load
from workers import device as devices
from workers.engines.paint import PaintEngine
from workers.training.generator.evaluation.speed import SIZE, RawLoop, seconds_for_four, throughput

BATCH = 8
RATIO = 0.9
FOUR_SECONDS = 3.0


def main() -> None:
    """Measure, and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[1, 4, BATCH], help="pictures of one request"
    )
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    print(f"{load()}; {devices.describe(devices.choose())}")
    began = time.perf_counter()
    engine, raw = PaintEngine(), RawLoop()
    print(f"loaded in {time.perf_counter() - began:.1f} s")
    met = True
    for count in sorted({*given.batches, BATCH}):
        found = throughput(engine, raw, count, given.rounds)
        line = f"{count:>2} of {SIZE} px: engine {found['engine']:.2f}/s, raw loop {found['raw']:.2f}/s, "
        line += f"ratio {found['ratio']:.2f}"
        if count == BATCH:
            met = found["ratio"] >= RATIO
            line += f" (target >= {RATIO}: {'met' if met else 'MISSED'})"
        print(line)
    four = seconds_for_four(engine, given.rounds)
    print(
        f"four paintings of {SIZE} px: {four:.2f} s (target < {FOUR_SECONDS:g} s: "
        f"{'met' if four < FOUR_SECONDS else 'MISSED'})"
    )
    print(load())
    raise SystemExit(0 if met and four < FOUR_SECONDS else 1)


if __name__ == "__main__":
    main()
