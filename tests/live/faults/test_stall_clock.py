"""A hang is told by the time that a work thread had, not by the wall: a busy machine is only slow."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import pytest

from workers.runtime.lease import STALLED_EXIT, Lease, LeaseKeeper

LIMIT = 0.6


def stalls(work: Callable[[threading.Event], None], limit: float = LIMIT) -> bool:
    """Whether the keeper takes ``work`` for hung. ``work`` ends when the event is set."""
    ended: list[int] = []
    done = threading.Event()

    def noticed(code: int) -> None:
        ended.append(code)
        done.set()

    keeper = LeaseKeeper(on_stall=noticed)
    lease = Lease(uuid4(), [], threading.Event())

    def run() -> None:
        lease.watch(limit)
        keeper.hold(lease)
        try:
            work(done)
        finally:
            lease.watch(None)
            keeper.drop(lease)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert set(ended) <= {STALLED_EXIT}
    return bool(ended)


def test_an_engine_that_waits_for_nothing_is_hung() -> None:
    def wait(done: threading.Event) -> None:
        assert done.wait(20), "nobody noticed"

    assert stalls(wait)


def test_an_engine_that_computes_for_ever_is_hung() -> None:
    def compute(done: threading.Event) -> None:
        until = time.monotonic() + 25
        while not done.is_set() and time.monotonic() < until:
            sum(range(1000))

    assert stalls(compute)


STARVED = """
import os, sys, threading, time
from uuid import uuid4
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.nice(10)
from workers.runtime.lease import Lease, LeaseKeeper
ended = []
keeper = LeaseKeeper(on_stall=ended.append)
lease = Lease(uuid4(), [], threading.Event())
lease.watch(float(sys.argv[1]))
keeper.hold(lease)
print("watched", flush=True)
sys.stdin.readline()
began, computed = time.monotonic(), time.thread_time()
while time.thread_time() - computed < float(sys.argv[1]) / 2:
    sum(range(1000))
print("stalled" if ended else "went on", time.monotonic() - began)
"""
BUSY = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print("busy", flush=True)
while True:
    pass
"""


@pytest.mark.skipif(not hasattr(threading, "get_native_id") or sys.platform != "linux", reason="needs Linux")
def test_an_engine_that_gets_no_processor_goes_on() -> None:
    """Half of the limit in processor time, while another program takes most of the only core."""
    limit = 1.2
    run = [sys.executable, "-c"]
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": ":".join(sys.path)}
    with (
        subprocess.Popen([*run, BUSY], stdout=subprocess.PIPE) as busy,
        subprocess.Popen(
            [*run, "import django; django.setup()\n" + STARVED, str(limit)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        ) as starved,
    ):
        try:
            assert busy.stdout is not None
            busy.stdout.readline()
            assert starved.stdout is not None
            assert starved.stdin is not None
            assert starved.stdout.readline() == "watched\n"
            starved.stdin.write("go\n")
            starved.stdin.flush()
            verdict, _, seconds = starved.stdout.readline().rpartition(" ")
        finally:
            busy.kill()
            starved.kill()
    # By the wall it was over the limit: only then does the verdict say something.
    assert float(seconds) > limit
    assert verdict == "went on"
