"""The worker's loop: claim a batch, make it, close every job of it, and claim again until nothing waits.

A notification wakes the work thread up. Nothing here decides what happened to a job: the row does, by its
token.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from django.db import Error as DatabaseProblem
from django.db import connection

from artsite.logging import job_context
from gallery import kinds
from gallery.live import publisher
from gallery.models import Job, JobState
from gallery.services import jobs, storage
from workers.registry import EngineUnavailable, Registry
from workers.runtime import errors
from workers.runtime.batch import Batch, BatchLimits
from workers.runtime.embedding import Embedder
from workers.runtime.embedding_backfill import EmbeddingBackfill
from workers.runtime.heartbeat import WorkerHeartbeat
from workers.runtime.inputs import LocalInputs
from workers.runtime.lease import Lease, LeaseKeeper, end_process

logger = logging.getLogger(__name__)

DEVICE_EXIT = 75
"""Exit status of a process whose device is broken."""


class Runner:
    """Everything that one worker process does, in its one work thread."""

    def __init__(
        self,
        *,
        name: str,
        queues: Sequence[str],
        registry: Registry,
        heartbeat: WorkerHeartbeat,
        stopping: threading.Event,
        keeper: LeaseKeeper | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """``stopping``: once set, jobs at work are given back at their next step and none is taken."""
        self._name = name
        self._queues = tuple(queues)
        self._registry = registry
        self._heartbeat = heartbeat
        self._stopping = stopping
        self._keeper = keeper or LeaseKeeper()
        self._embedder = embedder or Embedder()
        self._backfill = EmbeddingBackfill(self._embedder)
        self._limits = BatchLimits()
        self._full_until = 0.0

    def work(self) -> None:
        """Make what waits, until nothing waits. Raises nothing: what could not be done is swept."""
        while not self._stopping.is_set():
            if not self._has_room():
                return
            try:
                claimed = jobs.job_claim(
                    queues=self._queues, worker_name=self._name, limit_for=self._limit_for
                )
            except DatabaseProblem as problem:
                logger.warning("cannot claim: %s", problem)
                connection.close()
                return
            if not claimed:
                return
            try:
                self._make_claim(claimed)
            except errors.DeviceBroken as problem:
                logger.critical("the device is broken, this process ends: %s", problem)
                self._heartbeat.report_error(str(problem))
                self._heartbeat.stop()
                publisher.flush()
                end_process(DEVICE_EXIT)
            except errors.StorageUnavailable as problem:
                self._full_until = time.monotonic() + storage.RETRY_SECONDS
                self._report_no_room(str(problem))
            except Exception:
                # The leases are dropped with the claim: the sweep gives the jobs to somebody else.
                logger.exception("a batch of %d was given up", len(claimed))
                connection.close()

    def _has_room(self) -> bool:
        """Whether results could be stored. The sweep notifies of what waits until somebody takes it."""
        if time.monotonic() < self._full_until:
            return False
        if storage.is_low():
            self._report_no_room("less is free than ARTSITE_MIN_FREE_MB")
            return False
        return True

    def _report_no_room(self, why: str) -> None:
        logger.error("the disk takes no results, no work is taken: %s", why)
        self._heartbeat.report_error(f"the disk takes no results: {why}")

    def warm(self) -> None:
        """Load the engines of our queues before anybody waits for them; jobs that come go first."""
        for kind in self._registry.kinds:
            self.work()
            spec = kinds.KINDS.get(kind)
            if self._stopping.is_set() or spec is None or spec.queue not in self._queues:
                continue
            try:
                self._registry.engine(kind)
            except EngineUnavailable as problem:
                logger.error("%s", problem)
                self._heartbeat.report_error(str(problem))
        if self._makes_pictures and not self._stopping.is_set():
            self.work()
            self._embedder.load_model()
        self.work()

    def idle(self) -> None:
        """Make what waits without a notification; if nothing does, fill in embeddings until a job comes."""
        self.work()
        if self._makes_pictures:
            self._backfill.fill(self._is_wanted)
            self.work()

    @property
    def _makes_pictures(self) -> bool:
        return any(spec.makes == "picture" and spec.queue in self._queues for spec in kinds.KINDS.values())

    def _is_wanted(self) -> bool:
        waiting = Job.objects.filter(state=JobState.QUEUED, queue__in=self._queues)
        return self._stopping.is_set() or waiting.exists()

    def _limit_for(self, kind: str) -> int:
        spec = kinds.KINDS.get(kind)
        engine = self._registry.peek(kind)
        limits = [spec.batch_limit if spec else 1]
        if engine is not None:
            limits.append(engine.batch_size)
        remembered = self._limits.batch_limit(kind)
        if remembered is not None:
            limits.append(remembered)
        return max(1, min(limits))

    def _make_claim(self, claimed: list[Job]) -> None:
        token = claimed[0].lease_token
        assert token is not None
        lease = Lease(token, [job.pk for job in claimed], self._stopping)
        self._keeper.hold(lease)
        self._heartbeat.set_current_job(claimed[0].pk)
        try:
            with LocalInputs() as inputs, job_context(*(job.pk for job in claimed)):
                batch = Batch(
                    lease,
                    inputs,
                    registry=self._registry,
                    embedder=self._embedder,
                    limits=self._limits,
                    heartbeat=self._heartbeat,
                )
                batch.make(claimed)
        finally:
            lease.watch(None)
            self._keeper.drop(lease)
            self._heartbeat.set_current_job(None)
