"""Keyset pagination: a page costs the same wherever it is, and does not shift when works arrive."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows in reading order. ``back`` and ``onward`` are the cursors of the pages beside it, or None."""

    rows: list[Row]
    back: str | None
    onward: str | None


def cursor_of(row: Model, field: str) -> str:
    """The place of a row: microseconds since 1970 and the primary key."""
    moment: datetime = getattr(row, field)
    return f"{(moment - EPOCH) // timedelta(microseconds=1)}-{str(row.pk).replace('-', '')}"


def keyset_page(
    rows: QuerySet[Row], *, field: str, size: int, onward: str = "", back: str = "", newest_first: bool = True
) -> Page[Row]:
    """One page ordered by (``field``, primary key), after the cursor ``onward`` or before ``back``.

    A cursor that cannot be read, and a way back that leads past the beginning, give the first page.
    """
    if place := _read(rows, back):
        found = _slice(rows, field, place, size, descending=not newest_first)
        if len(found) > size:
            page = found[:size][::-1]
            return Page(page, cursor_of(page[0], field), cursor_of(page[-1], field))
    place = None if back else _read(rows, onward)
    found = _slice(rows, field, place, size, descending=newest_first)
    page = found[:size]
    return Page(
        page,
        cursor_of(page[0], field) if place and page else None,
        cursor_of(page[-1], field) if len(found) > size else None,
    )


def _slice(
    rows: QuerySet[Row], field: str, place: tuple[datetime, Any] | None, size: int, *, descending: bool
) -> list[Row]:
    """Up to ``size + 1`` rows from ``place`` on: the last one only tells that there are more."""
    if place is not None:
        moment, key = place
        side = "lt" if descending else "gt"
        # The first condition is implied by the second; it lets the index find the beginning.
        rows = rows.filter(**{f"{field}__{side}e": moment}).filter(
            Q(**{f"{field}__{side}": moment}) | Q(**{field: moment, f"pk__{side}": key})
        )
    sign = "-" if descending else ""
    return list(rows.order_by(f"{sign}{field}", f"{sign}pk")[: size + 1])


def _read(rows: QuerySet[Row], cursor: str) -> tuple[datetime, Any] | None:
    moment, _, key = cursor.partition("-")
    pk = rows.model._meta.pk
    try:
        when = EPOCH + timedelta(microseconds=int(moment[:20]))
        return (when, pk.to_python(key[:40])) if key and pk is not None else None
    except (ValueError, OverflowError, ValidationError):
        return None
