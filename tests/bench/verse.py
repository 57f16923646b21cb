"""How fast quatrains are written, alone and together: ``python -m tests.bench.verse [--threads 2]``.

Poems of seven characters a line, each a task of its own on a theme of its own: the rate one at a time, the
rate when 8, 32 and 100 are asked for at once, how long one waits for the first character and the first line,
and the memory of the process. Rates are given by the clock, which means something on an idle machine only,
and by the time the processor spent, which means something on any.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from statistics import median

import torch

from tests.bench.studio import load
from tests.engine.parameters import complete
from workers.engines.base import SilentReport, Task
from workers.engines.verse import VerseEngine

TOGETHER = (8, 32, 100)
ALONE = 8
"""Poems that are written one after the other for the rate one at a time."""
TIMES = 10.0
"""How many times faster a hundred together must be than one at a time."""
FIRST = 0.2
"""Seconds until the first character of one poem."""
THEMES = (
    "秋夜思乡",
    "江上望月",
    "送友人",
    "梅花",
    "autumn moon",
    "山中隐士",
    "边塞",
    "春雨",
    "",
    "大海",
    "竹",
)


class Watch(SilentReport):
    """Notes when the first character was decided and when the first line could be read."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.character = self.line = 0.0

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        self.character = self.character or time.perf_counter() - self.began

    def text(self, text: str, index: int = 0) -> None:
        if len(text) == 7:
            self.line = self.line or time.perf_counter() - self.began


def request(number: int) -> Task:
    """What the page sends when somebody only gives a theme and a form."""
    parameters = complete("verse", prompt=THEMES[number % len(THEMES)], form="7jueju")
    return Task(parameters, 1000 + number, SilentReport())


def write(engine: VerseEngine, batches: Sequence[Sequence[Task]]) -> tuple[float, float]:
    """Poems a second by the clock, and a second of the processor."""
    began, spent = time.perf_counter(), time.process_time()
    for tasks in batches:
        for result in engine.run(tasks):
            if result.error is not None:
                raise result.error
    count = sum(len(tasks) for tasks in batches)
    return count / (time.perf_counter() - began), count / (time.process_time() - spent)


def first(engine: VerseEngine) -> tuple[float, float]:
    """Seconds until the first character and the first line of one poem."""
    watch = Watch()
    task = request(0)
    engine.run([Task(task.parameters, task.seed, watch)])
    return watch.character, watch.line


def main() -> None:
    """Measure, and fail when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (0: leave as it is)")
    given = parser.parse_args()
    if given.threads:
        torch.set_num_threads(given.threads)
    torch.set_flush_denormal(True)
    print(f"{load()}; {torch.get_num_threads()} threads of torch")
    engine = VerseEngine()
    before = _megabytes()
    engine.run([request(0)])
    sizes = [[[request(number)] for number in range(ALONE)]]
    sizes += [[[request(number) for number in range(count)]] for count in TOGETHER]
    # Round by round, so that whatever else the machine does falls on all sizes.
    rates = [[write(engine, batches) for batches in sizes] for _ in range(given.rounds)]
    alone, *together = [
        [median(round_[size][clock] for round_ in rates) for clock in (0, 1)] for size in range(len(sizes))
    ]
    print(f"  1 at a time: {alone[0]:.1f} poems/s, {alone[1]:.1f} a second of processor")
    for count, rate in zip(TOGETHER, together, strict=True):
        times = [one / single for one, single in zip(rate, alone, strict=True)]
        print(
            f"{count:>3} together: {rate[0]:.1f} poems/s, {rate[1]:.1f} a second of processor; "
            f"{times[0]:.1f} and {times[1]:.1f} times one at a time"
        )
    waits = [first(engine) for _ in range(given.rounds)]
    character, line = (median(wait[which] for wait in waits) for which in (0, 1))
    print(f"one poem: first character after {character:.3f} s, first line after {line:.3f} s")
    print(f"memory: {before:.0f} MB with the weights, {_megabytes():.0f} MB after a hundred together (peak)")
    met = together[-1][0] >= TIMES * alone[0] and character < FIRST
    print(
        f"a hundred at {TIMES:g} times the rate of one, a first character in {FIRST:g} s: "
        f"{'met' if met else 'MISSED'}"
    )
    print(load())
    raise SystemExit(0 if met else 1)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
