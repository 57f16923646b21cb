"""One claim of jobs, from its engine to its last row: it is run together, in smaller parts where that fails.

Every job of it is closed: succeeded, failed, canceled, or given back to the queue.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError

from gallery import failpoints, kinds
from gallery.models import Job
from gallery.services import jobs, storage
from gallery.services.artworks import PreparedArtwork, artworks_build
from workers.engines.base import (
    Animation,
    Engine,
    EngineError,
    JobCanceled,
    JobReleased,
    Output,
    Result,
    Task,
    TooLarge,
    model_of,
)
from workers.registry import EngineUnavailable, Registry
from workers.runtime import errors
from workers.runtime.database_retry import retry_while_database_down
from workers.runtime.embedding import Embedder
from workers.runtime.heartbeat import WorkerHeartbeat
from workers.runtime.inputs import LocalInputs
from workers.runtime.lease import Lease
from workers.runtime.outputs import as_file, with_embedding
from workers.runtime.reporting import JobReport

logger = logging.getLogger(__name__)

LOADING_SECONDS = 300.0
"""Loading a model takes no steps; longer than this is a hang."""
LIMIT_SECONDS = 600.0
"""Memory that ran out once may have been taken by one huge job, or by somebody else on the device."""


def parameters_of(job: Job) -> dict[str, Any]:
    """The complete parameters of a job: one that an earlier version queued gets defaults for new ones."""
    spec = kinds.KINDS.get(job.kind)
    if spec is None:
        return dict(job.parameters)
    complete = spec.complete(job.parameters)
    if dropped := sorted(set(job.parameters) - set(complete)):
        logger.warning("job %s: %s does not know %s any more", job.pk, job.kind, ", ".join(dropped))
    return complete


class BatchLimits:
    """How many jobs of a kind have proved to fit into this device's memory; believed for a while."""

    def __init__(self) -> None:
        self._limits: dict[str, tuple[int, float]] = {}

    def remember_batch_limit(self, kind: str, limit: int) -> None:
        """More than ``limit`` at once is too much for this device."""
        self._limits[kind] = (max(1, limit), time.monotonic() + LIMIT_SECONDS)

    def batch_limit(self, kind: str) -> int | None:
        """The limit that is remembered, if any."""
        limit, until = self._limits.get(kind, (0, 0.0))
        return limit if time.monotonic() < until else None


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed job at work."""

    job: Job
    task: Task
    report: JobReport


class Batch:
    """One claim, from its engine to its last row."""

    def __init__(
        self,
        lease: Lease,
        inputs: LocalInputs,
        *,
        registry: Registry,
        embedder: Embedder,
        limits: BatchLimits,
        heartbeat: WorkerHeartbeat,
    ) -> None:
        self._lease = lease
        self._inputs = inputs
        self._registry = registry
        self._embedder = embedder
        self._limits = limits
        self._heartbeat = heartbeat

    def make(self, claimed: list[Job]) -> None:
        """Run the jobs of one claim, which are of one kind, and close each of them by what became of it.

        Raises DeviceBroken and StorageUnavailable after giving back what is left, and django.db.Error when
        the database stays away.
        """
        try:
            engine = self._engine(claimed)
        except EngineUnavailable as problem:
            logger.error("%s", problem)
            for job in claimed:
                self._fail(job, problem, ())
            return
        works = self._start(claimed, engine)
        # The claim could not ask an engine that was not loaded yet: its batch may be too large or too mixed.
        groups: dict[str, list[Work]] = {}
        for work in works:
            groups.setdefault(engine.batch_key(work.task.parameters), []).append(work)
        for group in groups.values():
            for begin in range(0, len(group), max(1, engine.batch_size)):
                self._run(engine, group[begin : begin + max(1, engine.batch_size)])

    def _engine(self, claimed: Sequence[Job]) -> Engine:
        """The engine, loaded under watch; pages hear that it loads. Raises EngineUnavailable."""
        kind = claimed[0].kind
        engine = self._registry.peek(kind)
        if engine is None:
            job_ids = [job.pk for job in claimed]
            retry_while_database_down(
                lambda: jobs.job_enter_phase(job_ids=job_ids, token=self._lease.token, phase="loading")
            )
            self._lease.watch(LOADING_SECONDS)
            engine = self._registry.engine(kind)
            self._lease.watch(None)
        return engine

    def _start(self, claimed: list[Job], engine: Engine) -> list[Work]:
        """starting -> running; those that were canceled meanwhile are closed."""
        running = self._start_running(claimed, engine)
        works = []
        for job in claimed:
            if job.pk not in running:
                self._cancel(job)
                continue
            retry_while_database_down(job.refresh_from_db)
            report = JobReport(job, self._lease)
            try:
                brought = self._inputs.bring(job)
            except errors.InputMissing as problem:
                self._fail(job, problem, [problem.note])
                continue
            task = Task(parameters_of(job), job.seed, report, brought.paths, brought.works)
            works.append(Work(job, task, report))
        return works

    def _start_running(self, claimed: list[Job], engine: Engine) -> set[UUID]:
        """Write down that they run, each with the model that decides its result; those that do."""
        by_model: dict[tuple[str, str], list[UUID]] = {}
        for job in claimed:
            by_model.setdefault(model_of(engine, parameters_of(job)), []).append(job.pk)
        running: set[UUID] = set()
        for (name, digest), job_ids in by_model.items():
            start = partial(jobs.job_start_running, job_ids=job_ids, token=self._lease.token, phase="")
            running |= retry_while_database_down(partial(start, model_name=name, model_digest=digest))
        return running

    def _run(self, engine: Engine, works: list[Work]) -> None:
        """Run works together; where that fails, in smaller parts, so that only the guilty one is charged."""
        parts = [works]
        while parts:
            part = parts.pop(0)
            if self._lease.is_stopping:
                for work in part:
                    self._settle(work, Result(error=JobReleased("the worker is stopping")))
                continue
            self._lease.watch(engine.stall_seconds)
            try:
                results = engine.run([work.task for work in part])
                if len(results) != len(part):
                    raise EngineError(f"{len(results)} results for {len(part)} tasks")
            except Exception as error:
                results = [Result(error=error)] * len(part)
                if len(part) > 1 and not errors.is_device_broken(error):
                    parts = self._smaller(part, error) + parts
                    continue
            finally:
                self._lease.watch(None)
            for work, result in zip(part, results, strict=True):
                if result.error is not None and errors.is_device_broken(result.error):
                    self._release_all()
                    raise errors.DeviceBroken(str(result.error)) from result.error
                self._settle(work, result)

    def _smaller(self, part: list[Work], error: Exception) -> list[list[Work]]:
        if not errors.is_out_of_memory(error):
            if not isinstance(error, JobCanceled | JobReleased):
                logger.warning("a batch of %d failed, its jobs are tried singly: %r", len(part), error)
            return [[work] for work in part]
        half = len(part) // 2
        logger.warning("no memory for %d at once, trying %d", len(part), half)
        self._limits.remember_batch_limit(part[0].job.kind, half)
        errors.free_device_memory()
        return [part[:half], part[half:]]

    def _settle(self, work: Work, result: Result) -> None:
        """Close one job by what became of it."""
        error = result.error
        if isinstance(error, JobReleased):
            retry_while_database_down(
                lambda: jobs.job_release(job_ids=[work.job.pk], token=self._lease.token)
            )
        elif isinstance(error, JobCanceled):
            self._cancel(work.job)
        elif error is not None:
            if errors.is_out_of_memory(error):
                error = TooLarge(str(error))
            work.report.flush()
            self._fail(work.job, error, work.report.notes)
        else:
            work.report.flush()
            self._finish(work, result.outputs)
        self._lease.close(work.job.pk)

    def _finish(self, work: Work, outputs: Sequence[Output]) -> None:
        try:
            prepared = self._store(work, outputs)
            failpoints.reach("written")
            finished = retry_while_database_down(
                lambda: jobs.job_finish(
                    job_id=work.job.pk, token=self._lease.token, outputs=prepared, notes=work.report.notes
                )
            )
        except (OperationalError, InterfaceError):
            raise
        except errors.StorageUnavailable:
            self._release_all()
            raise
        except Exception as problem:
            # What was made could not become a work: a job that cannot succeed must not wait for ever.
            self._fail(work.job, problem, work.report.notes)
            return
        if finished:
            self._heartbeat.count()
        else:
            self._cancel(work.job)

    def _store(self, work: Work, outputs: Sequence[Output]) -> list[PreparedArtwork]:
        if not outputs:
            raise EngineError("the engine made nothing")
        if any(isinstance(output, Animation) for output in outputs):
            work.report.phase("finishing")
        try:
            stored = [as_file(output) for output in outputs]
            # The first picture may load the embedding network, and that may hang as any loading may.
            self._lease.watch(LOADING_SECONDS)
            stored = [with_embedding(file, self._embedder) for file in stored]
            self._lease.watch(None)
            return retry_while_database_down(lambda: artworks_build(work.job, stored))
        except OSError as problem:
            if storage.cause_of(problem):
                raise errors.StorageUnavailable(f"{type(problem).__name__}: {problem}") from problem
            raise errors.StorageFailed(f"{type(problem).__name__}: {problem}") from problem

    def _fail(self, job: Job, error: Exception, notes: jobs.Notes) -> None:
        report = errors.failure_report(error)
        logger.error("job %s failed (%s): %s", job.pk, report.code, report.operator)
        failed = retry_while_database_down(
            lambda: jobs.job_fail(
                job_id=job.pk,
                token=self._lease.token,
                code=report.code,
                visitor=report.visitor,
                operator=report.operator,
                notes=notes,
            )
        )
        if failed:
            self._heartbeat.count(error=f"{report.code}: {report.operator.strip().splitlines()[-1]}")
        self._lease.close(job.pk)

    def _cancel(self, job: Job) -> None:
        # Nothing happens when the lease is lost instead: then the job is somebody else's.
        retry_while_database_down(lambda: jobs.job_confirm_cancel(job_id=job.pk, token=self._lease.token))
        self._lease.close(job.pk)

    def _release_all(self) -> None:
        held = self._lease.held
        retry_while_database_down(lambda: jobs.job_release(job_ids=held, token=self._lease.token))
