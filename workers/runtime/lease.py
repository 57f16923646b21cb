"""Leases of jobs while they are made: renewal, the person's cancel, and detection of a stalled engine."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import NoReturn
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseProblem
from django.db import connection

from gallery.models import JobState
from gallery.services import jobs
from workers.engines.base import JobCanceled, JobReleased
from workers.stall_clock import StallClock

logger = logging.getLogger(__name__)

READ_SECONDS = 0.5
"""How often the step loop reads from the row whether the person canceled."""
TICK_SECONDS = 0.5
STALLED_EXIT = 70
"""Exit status of a process whose engine made no step for too long."""


class LeaseLost(JobCanceled):
    """Another worker may have the job now: drop the work in silence."""


class Lease:
    """The jobs of one claim. Shared by the work thread and the keeper's thread."""

    def __init__(self, token: UUID, job_ids: Iterable[UUID], stopping: threading.Event) -> None:
        self.token = token
        self._stopping = stopping
        self._lock = threading.Lock()
        self._held = set(job_ids)
        self._canceled: set[UUID] = set()
        self._finishing: set[UUID] = set()
        self._finishing_read_at = 0.0
        self._states_read_at = self.renewed_at = time.monotonic()
        self._stall_clock: StallClock | None = None
        self._stall_seconds = 0.0
        self._spent = 0.0
        self._is_waiting = False

    @property
    def held(self) -> set[UUID]:
        """Jobs that are not closed yet."""
        with self._lock:
            return set(self._held)

    @property
    def is_stopping(self) -> bool:
        """Whether the worker has been told to stop."""
        return self._stopping.is_set()

    def close(self, job_id: UUID) -> None:
        """The job needs no lease any more."""
        with self._lock:
            self._held.discard(job_id)

    def check(self, job_id: UUID) -> None:
        """Between two steps: raises JobCanceled, LeaseLost (one of these), or JobReleased. Cheap."""
        now = time.monotonic()
        self.reset_stall_timer()
        if now - self._states_read_at >= READ_SECONDS:
            self._states_read_at = now
            try:
                with self.waiting():
                    self.apply_states(jobs.job_states(job_ids=self.held, token=self.token))
            except DatabaseProblem as problem:
                # Not knowing is no reason to stop: the closing transaction asks again.
                logger.warning("cannot look for cancels: %s", problem)
                connection.close()
        with self._lock:
            if job_id not in self._held:
                raise LeaseLost(f"the lease of job {job_id} is lost")
            if job_id in self._canceled:
                raise JobCanceled(f"job {job_id} was canceled")
        if self._stopping.is_set():
            raise JobReleased("the worker is stopping")

    def is_finishing_early(self, job_id: UUID) -> bool:
        """Whether the person wants to keep what there is now. Cheap; the row is asked now and then."""
        now = time.monotonic()
        if job_id not in self._finishing and now - self._finishing_read_at >= READ_SECONDS:
            self._finishing_read_at = now
            try:
                with self.waiting():
                    self._finishing |= jobs.jobs_finishing_early(job_ids=self.held, token=self.token)
            except DatabaseProblem as problem:
                logger.warning("cannot look for jobs to finish early: %s", problem)
                connection.close()
        return job_id in self._finishing

    def renew(self) -> None:
        """Renew the lease. Raises django.db.Error."""
        held = self.held
        if held:
            self.apply_states(jobs.job_heartbeat(job_ids=held, token=self.token), asked=held)
        self.renewed_at = time.monotonic()

    def apply_states(self, states: dict[UUID, str], asked: set[UUID] | None = None) -> None:
        """Take in what the rows say about the jobs that were asked for (default: all held ones)."""
        with self._lock:
            for job_id in (self._held if asked is None else self._held & asked) - set(states):
                logger.warning("the lease of job %s is lost", job_id)
                self._held.discard(job_id)
            self._canceled |= {job_id for job_id, state in states.items() if state == JobState.CANCELING}

    def watch(self, stall_seconds: float | None) -> None:
        """From now on this thread owes a step every ``stall_seconds`` of its time; None ends the watch."""
        self._spent = 0.0
        self._stall_seconds = stall_seconds or 0.0
        self._stall_clock = None if stall_seconds is None else StallClock()

    def overdue(self) -> float | None:
        """Seconds since the last step that the engine could have used, when they are too many, else None.

        Asked by the keeper's thread at every tick: see :mod:`workers.stall_clock`.
        """
        clock = self._stall_clock
        if clock is None:
            return None
        spent = clock.advance()
        if self._is_waiting:
            return None
        self._spent += spent
        return self._spent if self._spent > self._stall_seconds else None

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The work thread asks the database: should that take long, it is not the engine that hangs."""
        self._is_waiting = True
        try:
            yield
        finally:
            self.reset_stall_timer()
            self._is_waiting = False

    def reset_stall_timer(self) -> None:
        """Count the time without a step anew: there was one, or there could be none."""
        self._spent = 0.0


def end_process(code: int) -> NoReturn:
    """End at once, whatever other threads do."""
    logging.shutdown()
    os._exit(code)


class LeaseKeeper:
    """One thread that renews the leases this process holds, and ends the process when its engine hangs.

    A hung engine cannot be interrupted from Python: ending the process is the only honest way. The
    supervisor starts it again, and the sweep gives its jobs to somebody else.
    """

    def __init__(self, on_stall: Callable[[int], object] = end_process) -> None:
        self._on_stall = on_stall
        self._leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def hold(self, lease: Lease) -> None:
        """Look after ``lease`` until :meth:`drop`."""
        with self._lock:
            self._leases.add(lease)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()

    def drop(self, lease: Lease) -> None:
        """Nothing of ``lease`` is at work any more."""
        with self._lock:
            self._leases.discard(lease)

    def _run(self) -> None:
        every = settings.ARTSITE_LEASE_SECONDS / 4
        tick = min(TICK_SECONDS, every)
        before = time.monotonic()
        while True:
            time.sleep(tick)
            now = time.monotonic()
            frozen = now - before > tick + every
            with self._lock:
                leases = list(self._leases)
            for lease in leases:
                spent = lease.overdue()
                if frozen:  # the whole process was: SIGSTOP, or a laptop that slept
                    lease.reset_stall_timer()
                    spent = None
                if spent is not None:
                    logger.critical(
                        "no step in %.0f s of its own time: the engine hangs, this process ends; "
                        "%s go to another worker",
                        spent,
                        ", ".join(map(str, sorted(lease.held))),
                    )
                    self._on_stall(STALLED_EXIT)
                    self.drop(lease)
                elif now - lease.renewed_at >= every:
                    self._renew(lease)
            before = time.monotonic()

    @staticmethod
    def _renew(lease: Lease) -> None:
        try:
            lease.renew()
        except DatabaseProblem as problem:
            # Tried again at the next tick; if the lease runs out meanwhile, its token fences us off.
            logger.warning("the lease could not be renewed: %s", problem)
            connection.close()
