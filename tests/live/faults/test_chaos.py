"""F25: everything that can go wrong, at random and at once; then every invariant.

``ARTSITE_CHAOS_SECONDS`` (default 60) says for how long, ``ARTSITE_CHAOS_SEED`` repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable

import pytest

from tests.live.conftest import MakeStack
from tests.live.faults.invariants import Witness, assert_hold
from tests.live.faults.supervision import (
    ENVIRONMENT,
    LEASE_SECONDS,
    NOTIFY_AGAIN_SECONDS,
    READY_SECONDS,
    Keeper,
)
from tests.live.stack import Child, Stack

SECONDS = float(os.environ.get("ARTSITE_CHAOS_SECONDS", "60"))
SEED = int(os.environ.get("ARTSITE_CHAOS_SEED", "2026"))
pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS * 2 + 300)]
WORKERS = ("one", "two")
# What a job may fail of here; any other error is a bug of ours.
BLAMELESS = {"worker_lost", "engine_failed", "invalid_request"}


class Chaos:
    """Draws misfortunes and carries them out."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self.stack = stack
        self.random = random.Random(seed)
        self.accepted: list[str] = []
        self.counts: Counter[str] = Counter()
        self._later: list[tuple[float, Callable[[], object]]] = []
        self._weights: dict[Callable[[], None], int] = {
            self.submit: 30,
            self.cancel: 8,
            self.ring_again: 6,
            self.kill_worker: 4,
            self.stop_worker: 2,
            self.freeze_worker: 4,
            self.kill_broker: 2,
            self.wipe_broker: 2,
            self.freeze_broker: 2,
            self.kill_scheduler: 2,
        }

    def step(self) -> None:
        """One misfortune, and whatever ends by now."""
        self.settle(time.monotonic())
        (action,) = self.random.choices(list(self._weights), list(self._weights.values()))
        self.counts[action.__name__] += 1
        action()

    def settle(self, until: float) -> None:
        """Carry out what was put off and is due."""
        due = [item for item in self._later if item[0] <= until]
        self._later = [item for item in self._later if item[0] > until]
        for _, action in sorted(due, key=lambda item: item[0]):
            action()

    def _put_off(self, seconds: float, action: Callable[[], object]) -> None:
        self._later.append((time.monotonic() + seconds, action))

    def submit(self) -> None:
        draw = self.random
        prompt = f"steps={draw.randint(1, 8)} pause={draw.choice([0, 0.02, 0.1])}"
        prompt += draw.choice([*[""] * 20, " fail", " invalid", " kill"])
        kind, parameters = draw.choice([("paint", {"count": draw.randint(1, 3)}), ("verse", {})])
        request = {"idempotency_key": uuid.UUID(int=draw.getrandbits(128)).hex}
        owner = draw.choice(["ana", "ben", "cem"])
        # A hurried person sends it twice.
        for _ in range(draw.choice([1, 1, 2])):
            job = self.stack.submit(kind, owner=owner, request=request, prompt=prompt, **parameters)
            self.accepted.append(job)

    def cancel(self) -> None:
        if self.accepted:
            job = self.random.choice(self.accepted[-10:])
            self.stack.ask("jobs.job_cancel(job_id=job, by=Job.objects.get(pk=job).owner).state", job=job)

    def ring_again(self) -> None:
        if self.accepted:
            job = self.random.choice(self.accepted)
            self.stack.ask(
                "dispatch.notify([(row.pk, row.queue) for row in Job.objects.filter(pk=job)] * 20)", job=job
            )

    def kill_worker(self) -> None:
        self._worker().kill()

    def stop_worker(self) -> None:
        worker = self._worker()
        if worker.alive:
            worker.signal(self.random.choice([signal.SIGTERM, signal.SIGQUIT, signal.SIGINT]))

    def freeze_worker(self) -> None:
        worker = self._worker()
        if worker.alive:
            worker.freeze()
            thaw_after(self.random.uniform(0.2, 3 * LEASE_SECONDS), worker)

    def kill_broker(self) -> None:
        self._end_broker(wipe=False)

    def wipe_broker(self) -> None:
        self._end_broker(wipe=True)

    def freeze_broker(self) -> None:
        broker = self.stack.children["broker"]
        if broker.alive:
            broker.freeze()
            thaw_after(self.random.uniform(0.2, 3), broker)

    def kill_scheduler(self) -> None:
        self.stack.kill("scheduler")

    def _worker(self) -> Child:
        return self.stack.worker(self.random.choice(WORKERS))

    def _end_broker(self, *, wipe: bool) -> None:
        if self.stack.children["broker"].alive:
            self.stack.kill("broker")
            if wipe:
                self.stack.wipe_broker()
            self._put_off(self.random.choice([0.1, 1, 3]), self.stack.start_broker)


def thaw_after(seconds: float, child: Child) -> None:
    """Let it go on later, whatever this thread waits for: it may be waiting for this very process."""

    def thaw() -> None:
        if child.alive:
            child.thaw()

    threading.Timer(seconds, thaw).start()


def test_f25_everything_at_once(make_stack: MakeStack) -> None:
    stack = make_stack(env=ENVIRONMENT)
    stack.start_broker()
    chaos = Chaos(stack, SEED)
    keeper = Keeper(
        stack,
        scheduler=stack.start_scheduler,
        one=lambda: stack.start_worker("one", ready=False),
        two=lambda: stack.start_worker("two", ready=False),
    )
    with Witness(stack) as witness:
        with keeper:
            stack.wait_for(lambda: stack.ask("workers.online().count()") == len(WORKERS))
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                chaos.step()
                time.sleep(chaos.random.uniform(0, 0.4))
            chaos.settle(float("inf"))
            # I7: whatever was killed last is ready again within half a minute.
            for name in WORKERS:
                stack.wait_for(lambda name=name: is_ready(stack, name), READY_SECONDS)  # type: ignore[misc]
            waiting = len(set(chaos.accepted))
            stack.wait_final(
                *set(chaos.accepted), timeout=3 * (NOTIFY_AGAIN_SECONDS + LEASE_SECONDS) + waiting
            )
        # No worker is at work any more, so no file may be on its way.
        stack.kill(*WORKERS)
    assert_hold(stack, chaos.accepted, witness)
    ends_of = Counter(stack.ask("[*Job.objects.values_list('state', flat=True)]"))
    failures = set(stack.ask("[*Job.objects.filter(state='failed').values_list('error_code', flat=True)]"))
    about = f"seed {SEED}: {dict(chaos.counts)}; {keeper.starts} starts; {dict(ends_of)}; {failures}"
    print(about)
    assert failures <= BLAMELESS, about
    assert ends_of["succeeded"] >= ends_of.total() / 3, about


def is_ready(stack: Stack, name: str) -> bool:
    """Whether the worker runs and the studio has seen this very process."""
    child = stack.worker(name)
    return child.alive and bool(stack.ask("workers.online().filter(pid=pid).exists()", pid=child.pid))
