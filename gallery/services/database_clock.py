"""The clock of leases: PostgreSQL's own where workers run on many machines, else this machine's.

The values are for queries (``filter`` and ``update``), not for arithmetic in Python.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now
from django.utils import timezone


def now() -> Any:
    """The present, as a value or an expression for a query."""
    return Now() if connection.vendor == "postgresql" else timezone.now()


def shifted(seconds: float) -> Any:
    """The present plus ``seconds`` (which may be negative), for a query."""
    moment: Any = now()
    if isinstance(moment, datetime):
        return moment + timedelta(seconds=seconds)
    return ExpressionWrapper(moment + timedelta(seconds=seconds), output_field=DateTimeField())
