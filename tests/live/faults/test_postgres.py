"""Claims, closing transactions and sweeps of several processes at once, on PostgreSQL with its row locks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.faults.invariants import Witness, assert_hold
from tests.live.faults.supervision import ENVIRONMENT, LEASE_SECONDS
from tests.live.stack import Console, Stack, fresh_database

pytestmark = [pytest.mark.faults, pytest.mark.postgres]
PROCESSES = 4
CONSOLE_ACTIONS = "import_module('tests.live.console_actions')"


@pytest.fixture
def stack(tmp_path: Path, postgres_url: str) -> Iterator[Stack]:
    url = fresh_database(postgres_url, "faults_claims")
    with Stack(tmp_path / "claims", env=ENVIRONMENT, database_url=url) as one:
        yield one


def claim_all(console: Console, name: str, most: int) -> list[tuple[str, str]]:
    """Claim until nothing waits."""
    taken: list[tuple[str, str]] = []
    while found := console.call(
        "evaluate", expression=f"{CONSOLE_ACTIONS}.claim(name, most)", name=name, most=most
    ):
        taken += [(job, token) for job, token in found]
    return taken


def finish(console: Console, job: str, token: str) -> bool:
    return bool(
        console.call("evaluate", expression=f"{CONSOLE_ACTIONS}.finish(job, token)", job=job, token=token)
    )


def sweep(console: Console) -> int:
    return int(console.call("evaluate", expression="sweep.job_sweep().requeued"))


def test_no_job_is_claimed_or_closed_twice(stack: Stack) -> None:
    jobs = [
        stack.submit("verse", owner=f"p{n % 5}", prompt=str(n), request={"idempotency_key": f"k{n}"})
        for n in range(60)
    ]
    consoles = [stack.start_console() for _ in range(PROCESSES)]
    with Witness(stack) as witness, ThreadPoolExecutor(2 * PROCESSES) as threads:
        names = [f"w{number}" for number in range(PROCESSES)]
        mosts = [1, 1, 3, 8]
        claims = [*threads.map(claim_all, consoles, names, mosts)]
        taken = [job for claim in claims for job, _ in claim]
        assert Counter(taken) == Counter(jobs), "every job once"
        assert sum(1 for claim in claims if claim) > 1, "several processes had a share"

        # Two processes close the same job at the same moment; only one of them makes a poem.
        pairs = [pair for claim in claims for pair in claim]
        closed, left = pairs[:20], pairs[20:]
        for job, token in closed:
            ours = [threads.submit(finish, console, job, token) for console in consoles[:2]]
            assert sorted(one.result() for one in ours) == [False, True]

        # Everybody else falls silent. Several sweeps at once put each job back once.
        time.sleep(LEASE_SECONDS + 0.5)
        assert sum(threads.map(sweep, consoles)) == len(left)
        # Who wakes up now is fenced off.
        assert not any(finish(consoles[0], job, token) for job, token in left[:5])
        again = [pair for claim in threads.map(claim_all, consoles, names, mosts) for pair in claim]
        assert Counter(job for job, _ in again) == Counter(job for job, _ in left)
        for number, (job, token) in enumerate(again):
            assert finish(consoles[number % PROCESSES], job, token)
    assert_hold(stack, jobs, witness)
