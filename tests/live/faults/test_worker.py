"""Workers that are killed, frozen, hung and stopped: every job is done once, or fails saying why."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from gallery.services.sweep import LEAST_JUMP_SECONDS
from tests.live.faults.invariants import Witness, assert_hold
from tests.live.faults.supervision import (
    ENVIRONMENT,
    LEASE_SECONDS,
    NOTIFY_AGAIN_SECONDS,
    REPEATS,
    Keeper,
    drain,
    wait_frozen,
)
from tests.live.stack import Child, Stack, fresh_database
from workers.runtime.lease import STALLED_EXIT

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300 + 60 * REPEATS)]
POINTS = ("claimed", "step", "written", "commit", "committed")
REDONE_SECONDS = LEASE_SECONDS + 5


ON_SQLITE = pytest.mark.parametrize("stack", ["sqlite"], indirect=True, scope="module")
ON_BOTH = pytest.mark.parametrize(
    "stack",
    ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[Stack]:
    """Broker, scheduler, and the worker ``healthy``; shared by the tests of this module."""
    url = ""
    if request.param == "postgres":
        url = fresh_database(request.getfixturevalue("postgres_url"), "faults_worker")
    folder = tmp_path_factory.mktemp(request.param)
    with Stack(folder, env=ENVIRONMENT, database_url=url, template=migrated) as one:
        one.start_broker()
        one.start_scheduler()
        one.start_worker("healthy")
        yield one


@pytest.fixture
def witness(stack: Stack) -> Iterator[Witness]:
    with Witness(stack) as one:
        yield one


accepted: dict[Stack, list[str]] = {}


def submit(stack: Stack, kind: str = "paint", **request: object) -> str:
    """Submit, and remember it for the invariants."""
    job = stack.submit(kind, **request)  # type: ignore[arg-type]
    accepted.setdefault(stack, []).append(job)
    return job


def hold(stack: Stack, witness: Witness) -> None:
    stack.wait_final(*accepted[stack])
    assert_hold(stack, accepted[stack], witness)


@pytest.fixture(autouse=True)
def _afterwards(stack: Stack) -> Iterator[None]:
    """Whatever a test did: in the end ``healthy`` is the only worker, and takes jobs."""
    yield
    for name in {"doomed", "second", "painter", "poet"} & set(stack.children):
        stack.kill(name)
    drain(stack, "healthy", draining=False)


def start_doomed(stack: Stack, point: str, action: str) -> None:
    """The worker ``doomed``, which is killed or frozen at ``point``. It alone takes jobs."""
    drain(stack, "healthy")
    stack.start_worker("doomed", env={"ARTSITE_FAILPOINTS": f"{point}:{action}"}, ready=False)


def freeze_at(stack: Stack, point: str) -> str:
    """A job whose worker (``doomed``) sleeps at ``point``.

    Once in a while another thread of that worker is writing its heartbeat just then, more often where the
    disk is slow. On SQLite it would sleep with the one write lock, and everybody would wait for it: that is
    no zombie, so try again.
    """
    for _ in range(25):
        start_doomed(stack, point, "stop")
        job = submit(stack, prompt="steps=3", count=2)
        wait_frozen(stack, stack.worker("doomed"))
        if point == "commit" or can_write(stack):
            return job
        stack.kill("doomed")
        drain(stack, "healthy", draining=False)
        stack.wait_final(job)
    raise AssertionError("the worker always slept inside a transaction")


def can_write(stack: Stack) -> bool:
    """Whether nobody holds the lock of SQLite for long."""
    if "DATABASE_URL" in stack.env:
        return True
    with closing(sqlite3.connect(stack.data / "artsite.sqlite3", timeout=1, isolation_level=None)) as one:
        try:
            one.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        one.execute("ROLLBACK")
    return True


@ON_BOTH
@pytest.mark.parametrize("point", POINTS)
def test_f1_a_killed_worker_loses_nothing(stack: Stack, witness: Witness, point: str) -> None:
    for _ in range(REPEATS):
        start_doomed(stack, point, "kill")
        # They wait together, so one claim leases both.
        batch = [submit(stack, prompt="steps=3", count=2) for _ in range(2)]
        assert stack.worker("doomed").wait(30) == -signal.SIGKILL
        died = time.time()
        drain(stack, "healthy", draining=False)
        rows = stack.wait_final(*batch)
        assert {row["state"] for row in rows} == {"succeeded"}
        # What was committed stays; whatever was not is made again, soon.
        redone = [row for row in rows if row["attempt"] > 1]
        assert len(redone) >= (1 if point == "committed" else 2)
        late = "Job.objects.filter(pk__in=jobs).latest('started_at').started_at.timestamp()"
        assert stack.ask(late, jobs=batch) - died < REDONE_SECONDS
    hold(stack, witness)


@ON_BOTH
@pytest.mark.parametrize("point", ["claimed", "written", "commit"])
def test_f4_a_worker_that_wakes_up_after_its_lease_changes_nothing(
    stack: Stack, witness: Witness, point: str
) -> None:
    if point == "commit" and "DATABASE_URL" not in stack.env:
        pytest.skip("whoever sleeps inside a transaction of SQLite holds up everybody: there is no zombie")
    for _ in range(REPEATS):
        job, zombie = freeze_at(stack, point), stack.worker("doomed")
        drain(stack, "healthy", draining=False)
        if point == "commit":
            # Its transaction is open: nobody else can take the job, and it ends well.
            time.sleep(2 * LEASE_SECONDS)
            zombie.thaw()
            winner = "doomed@test"
        else:
            winner = "healthy@test"
        before = stack.wait_state(job, "succeeded", timeout=20)
        assert before["worker_name"] == winner
        drain(stack, "healthy")
        zombie.thaw()
        # It is a good worker again: the next job is its own.
        later = submit(stack, prompt="later")
        assert stack.wait_state(later, "succeeded", timeout=20)["worker_name"] == "doomed@test"
        assert stack.job(job) == before
        stack.kill("doomed")
    hold(stack, witness)


SLEEP_SECONDS = 4 * LEASE_SECONDS + LEAST_JUMP_SECONDS


@ON_BOTH
def test_f27_everything_sleeps_longer_than_a_lease_and_no_attempt_is_charged(
    stack: Stack, witness: Witness
) -> None:
    """A laptop that is closed: the sweep may wake up before the worker does."""
    drain(stack, "healthy", draining=False)
    job = submit(stack, prompt="steps=40 pause=0.1")
    stack.wait_state(job, "running")
    parts = [stack.children["scheduler"], stack.worker("healthy")]
    for part in parts:
        part.freeze()
    time.sleep(SLEEP_SECONDS)
    parts[0].thaw()
    # By the clock the lease is over; a sweep that saw nothing but the clock takes the job away now.
    stack.wait_for(lambda: stack.ask("not jobs.leases_expired().filter(pk=job)", job=job))
    assert stack.state(job) == "running"
    parts[1].thaw()
    row = stack.wait_state(job, "succeeded", timeout=30)
    assert (row["attempt"], row["worker_name"]) == (1, "healthy@test")
    drain(stack, "healthy")
    hold(stack, witness)


SIGNALS = {"TERM": [signal.SIGTERM], "QUIT": [signal.SIGQUIT], "double Ctrl-C": [signal.SIGINT] * 2}


@ON_SQLITE
@pytest.mark.parametrize("numbers", SIGNALS.values(), ids=SIGNALS)
def test_f17_a_stopped_worker_releases_its_batch_uncharged(
    stack: Stack, witness: Witness, numbers: Sequence[int]
) -> None:
    for _ in range(REPEATS):
        drain(stack, "healthy")
        batch = [submit(stack, prompt="steps=200 pause=0.05", count=1) for _ in range(3)]
        stopped = stack.start_worker("doomed", ready=False)
        for job in batch:
            stack.wait_state(job, "running")
        for number in numbers:
            stopped.signal(number)
            time.sleep(0.1)
        stopped.wait(10)
        for row in map(stack.job, batch):
            assert (row["state"], row["attempt"], row["lease_token"]) == ("queued", 0, None)
            stack.cancel(row["id"])
        drain(stack, "healthy", draining=False)
    hold(stack, witness)


# name -> where the worker sleeps while somebody cancels
PHASES = {"waiting": "", "claimed": "claimed", "mid-step": "step", "file written": "written"}


@ON_SQLITE
@pytest.mark.parametrize("point", PHASES.values(), ids=PHASES)
def test_f21_a_cancel_holds_in_every_phase(stack: Stack, witness: Witness, point: str) -> None:
    for _ in range(REPEATS):
        if point:
            job = freeze_at(stack, point)
        else:
            drain(stack, "healthy")
            job = submit(stack, prompt="steps=3")
        assert stack.cancel(job) == ("canceling" if point else "canceled")
        if point:
            stack.worker("doomed").thaw()
        row = stack.wait_state(job, "canceled", timeout=5)
        assert row["artworks"] == []
        if point:
            stack.kill("doomed")
    hold(stack, witness)


@ON_SQLITE
def test_f21_a_cancel_after_the_commit_changes_nothing(stack: Stack, witness: Witness) -> None:
    job = freeze_at(stack, "committed")
    assert stack.cancel(job) == "succeeded"
    assert len(stack.job(job)["artworks"]) == 2
    stack.kill("doomed")
    hold(stack, witness)


@ON_SQLITE
def test_a_busy_worker_leaves_notifications_to_an_idle_one(stack: Stack, witness: Witness) -> None:
    long = submit(stack, "verse", prompt="steps=2000 pause=0.05")
    stack.wait_state(long, "running")
    stack.start_worker("second")
    # Celery looks for more every ten seconds at the latest.
    time.sleep(11)
    for _ in range(3):
        job = submit(stack, prompt="steps=1")
        stack.wait_state(job, "succeeded", timeout=NOTIFY_AGAIN_SECONDS / 2)
    stack.cancel(long)
    hold(stack, witness)


@ON_BOTH
def test_f12_a_notification_sent_a_hundred_times_makes_one_work(stack: Stack, witness: Witness) -> None:
    stack.start_worker("second")
    for _ in range(REPEATS):
        jobs = [submit(stack, prompt="steps=4 pause=0.05", count=1) for _ in range(2)]
        jobs.append(submit(stack, "verse", prompt="steps=4"))
        stack.ask(
            "(dispatch.notify([(job.pk, job.queue) for job in Job.objects.filter(pk__in=jobs)] * 100),"
            " dispatch.flush(10))[1]",
            jobs=jobs,
        )
        rows = stack.wait_final(*jobs)
        assert {(row["state"], row["attempt"]) for row in rows} == {("succeeded", 1)}
    hold(stack, witness)


@ON_SQLITE
def test_f3_f5_jobs_that_kill_or_hang_their_worker_fail_and_others_go_on(
    stack: Stack, witness: Witness
) -> None:
    drain(stack, "healthy")
    guilty = [submit(stack, prompt="kill"), submit(stack, "verse", prompt="hang")]
    others = [submit(stack, kind, owner="ben", prompt="steps=2") for kind in ("paint", "verse") for _ in "12"]
    stalled: list[int] = []

    def start(name: str, queue: str) -> Child:
        ended = stack.children.get(name)
        stalled.extend([ended.process.returncode] if ended is not None else [])
        return stack.start_worker(name, queues=queue, ready=False)

    with Keeper(stack, painter=lambda: start("painter", "gan"), poet=lambda: start("poet", "rnn")):
        rows = stack.wait_final(*guilty, *others, timeout=120)
    for row in rows[:2]:
        assert (row["state"], row["error_code"], row["attempt"]) == ("failed", "worker_lost", 3)
    assert {row["state"] for row in rows[2:]} == {"succeeded"}
    assert set(stalled) == {-signal.SIGKILL, STALLED_EXIT}
    drain(stack, "healthy", draining=False)
    hold(stack, witness)
