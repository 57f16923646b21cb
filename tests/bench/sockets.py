"""What the web process costs with many open sockets: ``python -m tests.bench.sockets [--sockets 200]``.

Every page is loaded first, then people open sockets on jobs that are at work, and previews fly. The target is
150 MB for 200 sockets, and no torch.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from tests.bench.studio import load, summary, warm_studio
from tests.live.stack import Stack
from tests.live.visitor import Visitor, live_socket

EACH = 10
"""Sockets that one person may have."""
LIMIT_MB = 150
PAGES = ("/", "/studio/paint/", "/studio/restyle/", "/studio/verse/", "/jobs/", "/works/", "/accounts/login/")


def megabytes(pid: int) -> float:
    """Resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def loads_torch(pid: int) -> bool:
    """Whether a library of torch is mapped into the process."""
    return "torch" in Path(f"/proc/{pid}/maps").read_text()


async def watch(stack: Stack, count: int, seconds: float) -> tuple[float, list[float]]:
    """Open ``count`` sockets and read them for a while: memory of the web, delays of the messages."""
    people = [f"p{number}" for number in range(-(-count // EACH))]
    cookies = {name: stack.cookie(name) for name in people}
    jobs = {name: stack.submit(owner=name, prompt="steps=2000 pause=0.05") for name in people}
    stack.wait_state(jobs[people[0]], "running")
    delays: list[float] = []

    async def read(socket: object) -> None:
        async for text in socket:  # type: ignore[attr-defined]
            message = json.loads(text)
            if message["type"] in ("job.progress", "job.preview"):
                delays.append(time.time() - message["ts"])

    pid = stack.children["web"].pid
    async with AsyncExitStack() as sockets:
        readers = []
        began = time.monotonic()
        for number in range(count):
            name = people[number // EACH]
            cookie = "; ".join(f"{key}={value}" for key, value in cookies[name].items())
            socket = live_socket(stack.url, cookie, jobs[name], compression=None)
            readers.append(asyncio.create_task(read(await sockets.enter_async_context(socket))))
        print(f"{count} sockets opened in {time.monotonic() - began:.1f} s")
        delays.clear()
        busy = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        print(f"web: {(cpu_seconds(pid) - busy) / seconds:.0%} of a core while {count} sockets are read")
        memory = megabytes(pid)
        assert not any(reader.done() for reader in readers), "a socket was closed"
        for reader in readers:
            reader.cancel()
    for name, job in jobs.items():
        stack.cancel(job, by=name)
    return memory, delays


def main() -> None:
    """Measure, and fail when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sockets", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    print(load())
    with warm_studio(toys=True) as stack:
        pid = stack.children["web"].pid
        print(f"after the first answer {megabytes(pid):.0f} MB")
        with Visitor(stack.url, stack.cookie("ana")) as visitor:
            for page in PAGES:
                visitor.get(page)
            job = visitor.submit("paint", prompt="steps=2")
            stack.wait_state(job, "succeeded")
            visitor.get(f"/jobs/{job}/")
        print(f"after every page       {megabytes(pid):.0f} MB")
        memory, delays = asyncio.run(watch(stack, given.sockets, given.seconds))
        print(f"with {given.sockets} sockets       {memory:.0f} MB (target < {LIMIT_MB})")
        print(f"published to received: {summary(delays)}")
        torch = loads_torch(pid)
        print(f"torch is {'LOADED' if torch else 'not loaded'}")
    raise SystemExit(1 if torch or memory >= LIMIT_MB else 0)


if __name__ == "__main__":
    main()
