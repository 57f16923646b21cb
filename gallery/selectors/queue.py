"""How long a job will wait: its position in the queue, and a range of seconds from a simulation.

What is counted is what the workers that serve the job's queue will serve before it, in all their
queues. How long one job takes is taken from the last ones of its kind that succeeded.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Min, Q
from django.utils import timezone

from gallery.kinds import KINDS, registry
from gallery.models import Job, JobState
from gallery.models.job import LEASED
from gallery.selectors.workers import online

SAMPLES = 50
"""Durations are quantiles over so many of the newest successes of a kind."""
HORIZON = 300
"""With more jobs than this in front, the rest is extrapolated."""

Seconds = tuple[float, float]
"""A range (low, high) of seconds."""


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a waiting job stands.

    ``position``: waiting jobs that are served before it (0: it is next). ``ahead``: these, and the jobs
    that are at work now on the workers of its queue. ``eta_start``: seconds until it starts, None when
    nothing is known. ``feasible``: some online worker serves its queue.
    """

    position: int
    ahead: int
    eta_start: Seconds | None
    feasible: bool


@dataclass(frozen=True, slots=True)
class Expected:
    """What a job submitted now could expect. ``duration``: median seconds of its kind, or None."""

    waiting: int
    start: Seconds | None
    duration: float | None
    feasible: bool


@dataclass(frozen=True, slots=True)
class _Durations:
    """Quartiles of one kind, in seconds."""

    low: float
    median: float
    high: float


@dataclass(slots=True)
class _Waiting:
    """One waiting job as the simulation needs it."""

    kind: str
    queue: str
    batch_key: str
    alone: bool


@dataclass(slots=True)
class _Server:
    """One worker: its queues, and how long it has been at what it holds (kind -> seconds)."""

    queues: frozenset[str]
    held: list[tuple[str, float]] = field(default_factory=list)


def position(job: Job) -> QueuePosition | None:
    """Where ``job`` stands now; None when it does not wait."""
    if job.state != JobState.QUEUED:
        return None
    earlier = (
        Q(turn__lt=job.turn)
        | Q(turn=job.turn, created_at__lt=job.created_at)
        | Q(turn=job.turn, created_at=job.created_at, pk__lt=job.pk)
    )
    servers = _servers()
    waiting, busy, feasible = _counts(job.queue, servers, earlier)
    last = _Waiting(job.kind, job.queue, job.batch_key, alone=job.attempt > 0)
    return QueuePosition(
        position=waiting,
        ahead=waiting + busy,
        eta_start=_start(last, servers, earlier) if feasible else None,
        feasible=feasible,
    )


def expected_wait(kind: str) -> Expected:
    """What a job of ``kind`` could expect if somebody without waiting jobs submitted it now.

    Raises UnknownKind.
    """
    spec = registry.kind(kind)
    servers = _servers()
    earlier = Q(turn__lte=serving_turn(spec.queue))
    waiting, _, feasible = _counts(spec.queue, servers, earlier)
    durations = _durations([spec.slug]).get(spec.slug)
    return Expected(
        waiting=waiting,
        start=_start(_Waiting(spec.slug, spec.queue, "", alone=True), servers, earlier) if feasible else None,
        duration=durations.median if durations else None,
        feasible=feasible,
    )


def serving_turn(queue: str) -> int:
    """The turn that is being served now: a newcomer gets it, behind those who have it already.

    A queue where nobody waits goes on at the turn of the others: one worker may serve several queues, and
    whoever submits to the empty one again and again shall not overtake everybody else.
    """
    waiting = Job.objects.filter(state=JobState.QUEUED)
    turn: int | None = waiting.filter(queue=queue).aggregate(turn=Min("turn"))["turn"]
    if turn is None:
        turn = waiting.aggregate(turn=Min("turn"))["turn"]
    return turn or 0


def _servers() -> list[_Server]:
    """The online workers that take jobs, and what they hold now."""
    now = timezone.now()
    found = {
        name: _Server(frozenset(queues))
        for name, queues in online().filter(draining=False).values_list("name", "queues")
    }
    held = Job.objects.filter(state__in=LEASED, worker_name__in=found)
    for name, kind, started in held.values_list("worker_name", "kind", "started_at"):
        found[name].held.append((kind, _age(started, now)))
    return list(found.values())


def _age(started: datetime | None, now: datetime) -> float:
    return max(0.0, (now - started).total_seconds()) if started else 0.0


def _counts(queue: str, servers: Sequence[_Server], earlier: Q) -> tuple[int, int, bool]:
    """(waiting jobs before it, jobs at work there now, whether anybody serves the queue)."""
    serving = [server for server in servers if queue in server.queues]
    queues = frozenset({queue}).union(*(server.queues for server in serving))
    waiting = Job.objects.filter(earlier, state=JobState.QUEUED, queue__in=queues).count()
    return waiting, sum(len(server.held) for server in serving), bool(serving)


def _durations(kinds: Iterable[str]) -> dict[str, _Durations]:
    """Quartiles of how long the newest successes of each kind took; kinds without any are left out."""
    found: dict[str, _Durations] = {}
    for kind in kinds:
        done = Job.objects.filter(kind=kind, state=JobState.SUCCEEDED, started_at__isnull=False)
        times = done.order_by("-finished_at").values_list("started_at", "finished_at")[:SAMPLES]
        seconds = sorted(
            (finished - started).total_seconds() for started, finished in times if started and finished
        )
        if len(seconds) == 1:
            found[kind] = _Durations(seconds[0], seconds[0], seconds[0])
        elif seconds:
            low, median, high = statistics.quantiles(seconds, n=4, method="inclusive")
            found[kind] = _Durations(low, median, high)
    return found


def _start(last: _Waiting, servers: Sequence[_Server], earlier: Q) -> Seconds | None:
    """Seconds until ``last`` starts, when the jobs that match ``earlier`` wait before it."""
    waiting = Job.objects.filter(earlier, state=JobState.QUEUED).order_by("turn", "created_at", "pk")
    lines = [
        _Waiting(kind, queue, batch_key, alone=attempt > 0)
        for kind, queue, batch_key, attempt in waiting.values_list("kind", "queue", "batch_key", "attempt")[
            :HORIZON
        ]
    ]
    beyond = waiting.count() - len(lines) if len(lines) == HORIZON else 0
    kinds = {line.kind for line in lines} | {kind for server in servers for kind, _ in server.held}
    durations = _durations(kinds)
    known = [spread.median for spread in durations.values()]
    if kinds and not known:
        return None
    # A kind that nobody has finished yet is taken for an average one.
    average = statistics.fmean(known) if known else 0.0
    fallback = _Durations(average, average, average)
    spreads = {kind: durations.get(kind, fallback) for kind in kinds}
    low = _simulate(last, lines, servers, {kind: spread.low for kind, spread in spreads.items()})
    high = _simulate(last, lines, servers, {kind: spread.high for kind, spread in spreads.items()})
    stretch = (len(lines) + beyond) / len(lines) if lines else 1.0
    return low * stretch, max(low, high) * stretch


def _simulate(
    last: _Waiting, lines: Sequence[_Waiting], servers: Sequence[_Server], seconds: Mapping[str, float]
) -> float:
    """Play the workers' claims forward, in batches as they take them, until ``last`` is taken."""
    free_at = [
        # What takes longer than usual is expected to take half as long again as it has.
        max(
            (max(seconds[kind] - age, age / 2 if age > seconds[kind] else 0.0) for kind, age in server.held),
            default=0.0,
        )
        for server in servers
    ]
    left = [*lines, last]
    while True:
        able = [n for n, server in enumerate(servers) if any(line.queue in server.queues for line in left)]
        now = min(able, key=lambda n: free_at[n])
        head = next(line for line in left if line.queue in servers[now].queues)
        batch = [head]
        if not head.alone:
            spec = KINDS.get(head.kind)
            # A kind that an update took away may still wait; its worker will refuse it.
            limit = spec.batch_limit if spec is not None else 1
            alike = (
                line
                for line in left
                if line is not head and not line.alone and line.batch_key == head.batch_key
            )
            batch += [line for line, _ in zip(alike, range(limit - 1), strict=False)]
        if any(line is last for line in batch):
            return free_at[now]
        taken = {id(line) for line in batch}
        left = [line for line in left if id(line) not in taken]
        free_at[now] += seconds[head.kind]
