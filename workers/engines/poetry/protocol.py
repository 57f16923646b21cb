"""What the engine of verse asks of a language: one writer for each, and the orders that it takes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from workers.engines.base import Poem, Task
from workers.engines.poetry.picture_content import PictureContent

Look = Callable[[Task], PictureContent | None]
"""Reads the picture of a task. Raises JobCanceled, JobReleased."""


class Order(Protocol):
    """A task and its poems in the making."""

    @property
    def task(self) -> Task:
        """The request that it came from."""

    def drop(self) -> None:
        """Write no more of it: somebody stopped it. The other orders of its batch are not changed."""

    def show(self, done: int) -> None:
        """Report the poems as far as they may be seen after ``done`` steps of :meth:`Writer.write`."""

    def poems(self) -> tuple[Poem, ...]:
        """The finished poems, when :meth:`Writer.write` has ended. Shows what was not shown yet."""


OrderT = TypeVar("OrderT", bound=Order)


class Writer(Protocol[OrderT]):
    """Writes the verse of one language with one model, whose name and digest it tells."""

    model_name: str
    model_digest: str

    def order(self, task: Task, look: Look) -> OrderT:
        """Understand a task and plan its poems.

        Raises InvalidRequest for wishes that no poem can keep, JobCanceled and JobReleased.
        """

    def write(self, orders: Sequence[OrderT]) -> Iterator[tuple[int, int]]:
        """Write the poems of orders that share a form; yields (steps done, steps) many times a second."""
