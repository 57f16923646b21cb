"""What the engine of verse needs of each language: a writer, and the tasks that it prepares."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from workers.engines.base import Poem, Task
from workers.engines.poetry.picture_content import PictureContent

ReadPicture = Callable[[Task], PictureContent | None]
"""Reads the picture of a task. Raises JobCanceled, JobReleased."""


class VerseTask(Protocol):
    """A task and the drafts of its poems."""

    @property
    def task(self) -> Task:
        """The request that it came from."""

    def drop(self) -> None:
        """Stop writing its poems. Those of other tasks in the batch stay the same."""

    def show(self, done: int) -> None:
        """Report the poems as far as they may be seen after ``done`` steps of :meth:`Writer.write`."""

    def poems(self) -> tuple[Poem, ...]:
        """The finished poems, when :meth:`Writer.write` has ended. Reports what was not reported yet."""


VerseTaskT = TypeVar("VerseTaskT", bound=VerseTask)


class Writer(Protocol[VerseTaskT]):
    """Writes the verse of one language with one model, of this name and digest."""

    model_name: str
    model_digest: str

    def prepare(self, task: Task, read_picture: ReadPicture) -> VerseTaskT:
        """Understand a task and plan its poems.

        Raises InvalidRequest for what no poem can keep, JobCanceled and JobReleased.
        """

    def write(self, tasks: Sequence[VerseTaskT]) -> Iterator[tuple[int, int]]:
        """Write the poems of tasks that share a form; yields (steps done, steps) many times a second."""
