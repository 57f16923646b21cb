"""The engine protocol: what the runner gives to an engine and what it gets back.

An engine is plain Python and torch and knows neither Django nor a queue, so the same object runs in a
worker, in a test and in a notebook.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from PIL import Image

MAX_SEED = 2**63 - 1


class EngineError(Exception):
    """An engine could not fulfil a request.

    ``code`` is stable (pages translate it); ``visitor`` is one plain English sentence that may be
    shown to anybody; ``str(error)`` is for operators.
    """

    code = "engine_failed"
    visitor = "The studio could not finish this work."

    def __init__(self, operator: str, *, visitor: str | None = None, code: str | None = None) -> None:
        super().__init__(operator)
        if visitor is not None:
            self.visitor = visitor
        if code is not None:
            self.code = code


class InvalidRequest(EngineError):
    """The request can never succeed (an acrostic without rhymes, a picture that is too small ...)."""

    code = "invalid_request"
    visitor = "These settings cannot be made into a work."


class TooLarge(EngineError):
    """The device ran out of memory even for one request."""

    code = "too_large"
    visitor = "This is too large for the worker's memory. Try a smaller size."


class JobCanceled(Exception):
    """Raised by ``Report.step`` when the person canceled: stop, keep nothing."""


class JobReleased(Exception):
    """Raised by ``Report.step`` when the worker must stop: give the job back, nothing is charged."""


class Report(Protocol):
    """How an engine reports while it works. Every method is cheap and safe to call often.

    ``step`` is the heartbeat of the work: it raises :class:`JobCanceled` or :class:`JobReleased`,
    and a stall watchdog ends a worker whose engine stops calling it.
    """

    def phase(self, name: str) -> None:
        """Announce a phase: ``loading``, ``composing``, ``refining``, ``projecting``, ``painting`` ..."""

    def step(self, step: int, steps: int | None, message: str = "") -> None:
        """``step`` of ``steps`` is done (``steps`` None when the end is not known)."""

    def preview(self, image: Image.Image, index: int = 0) -> None:
        """Show how output ``index`` looks now; the newest wins, the runner throttles and shrinks."""

    def text(self, text: str, index: int = 0) -> None:
        """Show the whole poem ``index`` so far (not only the new characters)."""

    def note(self, code: str, **data: Any) -> None:
        """Tell the person something that is not an error, e.g. ``note("understood", segments=[...])``."""

    def enough(self) -> bool:
        """Whether the person wants to keep the result so far: for slow work that improves step by step."""


@dataclass(frozen=True, slots=True)
class Task:
    """One request: everything that decides the result, and where to report.

    ``parameters`` are complete, cleaned and bounded by the kind in ``gallery``; an engine reads them through
    its :class:`workers.engines.request.Request`. ``inputs`` maps a role (``image``, ``style``) to a
    decoded-safe picture file; a loop opens at its first frame.
    ``works`` says what is known about the artwork that plays a role: ``{"kind", "model", "digest",
    "details"}``, the last as the engine that made it left them (``latent`` included); an upload has
    no entry. ``seed`` is in [0, 2**63).
    """

    parameters: Mapping[str, Any]
    seed: int
    report: Report
    inputs: Mapping[str, Path] = field(default_factory=dict)
    works: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def input(self, role: str) -> Path:
        """The picture file in ``role``. Raises InvalidRequest when there is none."""
        if role not in self.inputs:
            raise InvalidRequest(f"no input {role!r}", visitor="A picture is missing: bring one.")
        return self.inputs[role]


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: an RGB image, and JSON-safe facts to keep with it (words, latent ...).

    ``generated``: whether the engine made its pixels. One that was only analysed is not marked as made by
    AI, unless it was before.
    """

    image: Image.Image
    details: Mapping[str, Any] = field(default_factory=dict)
    generated: bool = True


@dataclass(frozen=True, slots=True)
class Poem:
    """A finished poem: its lines as they are printed, and JSON-safe facts about it."""

    lines: tuple[str, ...]
    title: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Animation:
    """A finished seamless loop: two or more RGB frames of one size, shown evenly over ``seconds``.

    The last frame leads back to the first, which is also the poster; the runner encodes it.
    """

    frames: tuple[Image.Image, ...]
    seconds: float
    details: Mapping[str, Any] = field(default_factory=dict)


Output = Picture | Poem | Animation


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one task: its outputs, or the exception that ended it."""

    outputs: tuple[Output, ...] = ()
    error: Exception | None = None


class Engine(Protocol):
    """Makes one kind. Constructed once per process, in the worker's only work thread.

    Construction loads the weights (slow, may raise :class:`workers.weights.WeightsError`).
    ``run`` may be called with one to ``batch_size`` tasks that share :meth:`batch_key`; the
    result of a task must not depend on the others beyond floating-point tolerance.
    """

    kind: ClassVar[str]
    batch_size: ClassVar[int]
    stall_seconds: ClassVar[float]
    """Longest time between two ``report.step`` calls that is still healthy."""

    model_name: str
    model_digest: str
    """sha256 of the weights file, hexadecimal: part of every result's recipe."""

    @staticmethod
    def batch_key(parameters: Mapping[str, Any]) -> str:
        """Tasks with equal keys may share a batch."""

    # An engine may have ``request: ClassVar[type[Request]]``, the parameters that it takes; a test compares
    # them with those of the kind.

    # An engine with several models may have ``model_of(parameters) -> (name, digest)`` besides: which of
    # them decides the result of a request. Quick, raises nothing; see :func:`model_of`.

    def run(self, tasks: Sequence[Task]) -> list[Result]:
        """One result per task, in order. A task that was canceled gets ``Result(error=JobCanceled())``.

        Raises only when the batch as a whole failed; the runner then tries its tasks singly.
        """


def model_of(engine: Engine, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """The name and the digest of the model that decides the result of a request with ``parameters``."""
    asked = getattr(engine, "model_of", None)
    if asked is None:
        return engine.model_name, engine.model_digest
    name, digest = asked(parameters)
    return str(name), str(digest)


def step_all(
    tasks: Sequence[Task], stopped: dict[int, Exception], step: int, steps: int | None, message: str = ""
) -> list[int]:
    """Report a step for every task that still runs; return the indices that go on.

    A task whose report raises JobCanceled or JobReleased is put into ``stopped`` (index -> the
    exception) and is left out from then on, so that one cancel does not end its neighbours.
    """
    for index, task in enumerate(tasks):
        if index in stopped:
            continue
        try:
            task.report.step(step, steps, message)
        except (JobCanceled, JobReleased) as reason:
            stopped[index] = reason
    return [index for index in range(len(tasks)) if index not in stopped]


class SilentReport:
    """A report that nobody reads: for notebooks, evaluation and tests."""

    def phase(self, name: str) -> None: ...

    def step(self, step: int, steps: int | None, message: str = "") -> None: ...

    def preview(self, image: Image.Image, index: int = 0) -> None: ...

    def text(self, text: str, index: int = 0) -> None: ...

    def note(self, code: str, **data: Any) -> None: ...

    def enough(self) -> bool:
        return False
