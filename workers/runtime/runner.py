"""The only module that knows both sides: job -> engine -> progress -> files -> gallery.services.

A bell wakes the work thread up. It then claims a batch, makes it, closes every job of it, and claims
again until nothing waits. Nothing here decides what happened to a job: the row does, by its token.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar
from uuid import UUID

from django.db import Error as DatabaseProblem
from django.db import InterfaceError, OperationalError, connection

from artsite.logging import job_context
from gallery import catalogue, failpoints
from gallery.live import publisher
from gallery.models import Job, JobState
from gallery.services import jobs
from gallery.services.artworks import (
    AnimationFile,
    PictureFile,
    PoemText,
    PreparedArtwork,
    artworks_build,
)
from gallery.services.artworks import Output as OutputFile
from gallery.services.provenance import DIGITAL_SOURCE_TYPE
from workers.engines.base import (
    Animation,
    Engine,
    EngineError,
    JobCanceled,
    JobReleased,
    Output,
    Picture,
    Poem,
    Result,
    Task,
    TooLarge,
    model_of,
)
from workers.registry import EngineUnavailable, Registry
from workers.runtime import errors, video_encoding
from workers.runtime.embedding import Embedder
from workers.runtime.embedding_backfill import Filler
from workers.runtime.heartbeat import Presence
from workers.runtime.inputs import LocalInputs
from workers.runtime.lease import Lease, LeaseKeeper, end_process
from workers.runtime.reporting import JobReport

logger = logging.getLogger(__name__)

LOADING_SECONDS = 300.0
"""Loading a model takes no steps; longer than this is a hang."""
PERSIST_SECONDS = 60.0
"""How long a closing transaction is tried again while the database is away."""
FITS_SECONDS = 600.0
"""Memory that ran out once may have been taken by one huge job, or by somebody else on the device."""
DEVICE_EXIT = 75

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed job at work."""

    job: Job
    task: Task
    report: JobReport


class Runner:
    """Everything that one worker process does, in its one work thread."""

    def __init__(
        self,
        *,
        name: str,
        queues: Sequence[str],
        registry: Registry,
        presence: Presence,
        stopping: threading.Event,
        keeper: LeaseKeeper | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        """``stopping``: once set, jobs at work are given back at their next step and none is taken."""
        self._name = name
        self._queues = tuple(queues)
        self._registry = registry
        self._presence = presence
        self._stopping = stopping
        self._keeper = keeper or LeaseKeeper()
        self._embedder = embedder or Embedder()
        self._filler = Filler(self._embedder)
        # kind -> what has proved to fit into this device's memory, and until when that is believed
        self._fits: dict[str, tuple[int, float]] = {}

    def work(self) -> None:
        """Make what waits, until nothing waits. Raises nothing: what could not be done is swept."""
        while not self._stopping.is_set():
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
                self._presence.trouble(str(problem))
                self._presence.stop()
                publisher.flush()
                end_process(DEVICE_EXIT)
            except Exception:
                # The leases are dropped with the claim: the sweep gives the jobs to somebody else.
                logger.exception("a batch of %d was given up", len(claimed))
                connection.close()

    def warm(self) -> None:
        """Load the engines of our queues before anybody waits for them; jobs that come go first."""
        for kind in self._registry.kinds:
            self.work()
            spec = catalogue.KINDS.get(kind)
            if self._stopping.is_set() or spec is None or spec.queue not in self._queues:
                continue
            try:
                self._registry.engine(kind)
            except EngineUnavailable as problem:
                logger.error("%s", problem)
                self._presence.trouble(str(problem))
        if self._makes_pictures and not self._stopping.is_set():
            self.work()
            self._embedder.sight  # noqa: B018 (asking loads it)
        self.work()

    def idle(self) -> None:
        """Look whether something waits that no bell told of; if not, do what can wait, and stop for a job."""
        self.work()
        if self._makes_pictures:
            self._filler.fill(self._is_wanted)
            self.work()

    @property
    def _makes_pictures(self) -> bool:
        return any(
            spec.makes == "picture" and spec.queue in self._queues for spec in catalogue.KINDS.values()
        )

    def _is_wanted(self) -> bool:
        waiting = Job.objects.filter(state=JobState.QUEUED, queue__in=self._queues)
        return self._stopping.is_set() or waiting.exists()

    def _limit_for(self, kind: str) -> int:
        spec = catalogue.KINDS.get(kind)
        engine = self._registry.peek(kind)
        limits = [spec.batch_limit if spec else 1]
        if engine is not None:
            limits.append(engine.batch_size)
        fits, until = self._fits.get(kind, (0, 0.0))
        if time.monotonic() < until:
            limits.append(fits)
        return max(1, min(limits))

    def _make_claim(self, claimed: list[Job]) -> None:
        token = claimed[0].lease_token
        assert token is not None
        lease = Lease(token, [job.pk for job in claimed], self._stopping)
        self._keeper.hold(lease)
        self._presence.works_on(claimed[0].pk)
        try:
            with LocalInputs() as inputs, job_context(*(job.pk for job in claimed)):
                _Batch(self, lease, inputs).make(claimed)
        finally:
            lease.watch(None)
            self._keeper.drop(lease)
            self._presence.works_on(None)

    # What a batch needs of its runner.

    def engine(self, kind: str, lease: Lease, claimed: Sequence[Job]) -> Engine:
        """The engine, loaded under watch; pages hear that it loads. Raises EngineUnavailable."""
        engine = self._registry.peek(kind)
        if engine is None:
            persist(
                lambda: jobs.job_enter_phase(
                    job_ids=[job.pk for job in claimed], token=lease.token, phase="loading"
                )
            )
            lease.watch(LOADING_SECONDS)
            engine = self._registry.engine(kind)
            lease.watch(None)
        return engine

    def fits(self, kind: str, limit: int) -> None:
        """Remember for a while that more than ``limit`` at once is too much for this device."""
        self._fits[kind] = (max(1, limit), time.monotonic() + FITS_SECONDS)

    def embed(self, files: Sequence[OutputFile]) -> list[OutputFile]:
        """The same, each picture with its embedding when this worker can see. Raises nothing."""
        return [file if isinstance(file, PoemText) else self._embedded(file) for file in files]

    def _embedded(self, file: PictureFile | AnimationFile) -> OutputFile:
        shown = file.image if isinstance(file, PictureFile) else file.poster
        return replace(file, embedding=self._embedder.embed(shown))

    def count(self, error: str | None = None) -> None:
        """One more job ended."""
        self._presence.count(error=error)


class _Batch:
    """One claim, from its engine to its last row."""

    def __init__(self, runner: Runner, lease: Lease, inputs: LocalInputs) -> None:
        self._runner = runner
        self._lease = lease
        self._inputs = inputs

    def make(self, claimed: list[Job]) -> None:
        kind = claimed[0].kind
        try:
            engine = self._runner.engine(kind, self._lease, claimed)
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

    def _start(self, claimed: list[Job], engine: Engine) -> list[Work]:
        """starting -> running; those that were canceled meanwhile are closed."""
        running = self._start_running(claimed, engine)
        works = []
        for job in claimed:
            if job.pk not in running:
                self._cancel(job)
                continue
            persist(job.refresh_from_db)
            report = JobReport(job, self._lease)
            try:
                brought = self._inputs.bring(job)
            except errors.InputMissing as problem:
                self._fail(job, problem, [problem.note])
                continue
            task = Task(job.parameters, job.seed, report, brought.paths, brought.works)
            works.append(Work(job, task, report))
        return works

    def _start_running(self, claimed: list[Job], engine: Engine) -> set[UUID]:
        """Write down that they run, each with the model that decides its result; those that do."""
        by_model: dict[tuple[str, str], list[UUID]] = {}
        for job in claimed:
            by_model.setdefault(model_of(engine, job.parameters), []).append(job.pk)
        running: set[UUID] = set()
        for (name, digest), job_ids in by_model.items():
            start = partial(jobs.job_start_running, job_ids=job_ids, token=self._lease.token, phase="")
            running |= persist(partial(start, model_name=name, model_digest=digest))
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
        self._runner.fits(part[0].job.kind, half)
        errors.free_device_memory()
        return [part[:half], part[half:]]

    def _settle(self, work: Work, result: Result) -> None:
        """Close one job by what became of it."""
        error = result.error
        if isinstance(error, JobReleased):
            persist(lambda: jobs.job_release(job_ids=[work.job.pk], token=self._lease.token))
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
            finished = persist(
                lambda: jobs.job_finish(
                    job_id=work.job.pk, token=self._lease.token, outputs=prepared, notes=work.report.notes
                )
            )
        except (OperationalError, InterfaceError):
            raise
        except Exception as problem:
            # What was made could not become a work: a job that cannot succeed must not wait for ever.
            self._fail(work.job, problem, work.report.notes)
            return
        if finished:
            self._runner.count()
        else:
            self._cancel(work.job)

    def _store(self, work: Work, outputs: Sequence[Output]) -> list[PreparedArtwork]:
        if not outputs:
            raise EngineError("the engine made nothing")
        if any(isinstance(output, Animation) for output in outputs):
            work.report.phase("finishing")
        try:
            plain = [as_file(output) for output in outputs]
            # The first picture may load the network that sees, and that may hang as any loading may.
            self._lease.watch(LOADING_SECONDS)
            plain = self._runner.embed(plain)
            self._lease.watch(None)
            return persist(lambda: artworks_build(work.job, plain))
        except OSError as problem:
            raise errors.StorageFailed(f"{type(problem).__name__}: {problem}") from problem

    def _fail(self, job: Job, error: Exception, notes: jobs.Notes) -> None:
        trouble = errors.trouble_of(error)
        logger.error("job %s failed (%s): %s", job.pk, trouble.code, trouble.operator)
        failed = persist(
            lambda: jobs.job_fail(
                job_id=job.pk,
                token=self._lease.token,
                code=trouble.code,
                visitor=trouble.visitor,
                operator=trouble.operator,
                notes=notes,
            )
        )
        if failed:
            self._runner.count(f"{trouble.code}: {trouble.operator.strip().splitlines()[-1]}")
        self._lease.close(job.pk)

    def _cancel(self, job: Job) -> None:
        # Nothing happens when the lease is lost instead: then the job is somebody else's.
        persist(lambda: jobs.job_confirm_cancel(job_id=job.pk, token=self._lease.token))
        self._lease.close(job.pk)

    def _release_all(self) -> None:
        held = self._lease.held
        persist(lambda: jobs.job_release(job_ids=held, token=self._lease.token))


def as_file(output: Output) -> OutputFile:
    """What an engine made as the gallery keeps it; loops are encoded here. Raises EngineError, OSError."""
    if isinstance(output, Picture):
        return PictureFile(output.image, output.details, output.generated)
    if isinstance(output, Poem):
        return PoemText(output.lines, output.title, output.details)
    frames, seconds = output.frames, output.seconds
    video_encoding.check_loop(frames, seconds)
    return AnimationFile(
        poster=frames[0],
        loop=video_encoding.encode_webp(frames, seconds),
        video=video_encoding.encode_mp4(frames, seconds, comment=DIGITAL_SOURCE_TYPE),
        frames=len(frames),
        seconds=seconds,
        details=output.details,
    )


def persist(write: Callable[[], T]) -> T:
    """Call ``write``, again and again while the database is away. Raises its error after a minute.

    Writes are compare-and-set with a token, so one whose answer got lost may be repeated.
    """
    deadline = time.monotonic() + PERSIST_SECONDS
    pause = 0.1
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as problem:
            connection.close()
            if time.monotonic() + pause > deadline:
                raise
            logger.warning("the database does not answer, trying again: %s", problem)
            time.sleep(pause)
            pause = min(2 * pause, 2.0)
