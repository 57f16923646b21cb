"""What a web server holds open at PostgreSQL: a request's connection ends with the request."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.live.stack import Stack, fresh_database

pytestmark = pytest.mark.postgres
REQUESTS, AT_ONCE = 80, 16


@pytest.fixture
def stack(tmp_path: Path, postgres_url: str, collected: Path) -> Iterator[Stack]:
    url = fresh_database(postgres_url, "connections")
    with Stack(tmp_path / "s", database_url=url, env={"ARTSITE_STATIC": str(collected)}) as one:
        one.start_broker()
        one.start_web()
        yield one


def test_answered_requests_hold_no_connections(stack: Stack, postgres_url: str) -> None:
    def visit(_: int) -> int:
        with urllib.request.urlopen(f"{stack.url}/", timeout=30) as answer:
            return int(answer.status)

    with ThreadPoolExecutor(AT_ONCE) as visitors:
        assert set(visitors.map(visit, range(REQUESTS))) == {200}
    with psycopg.connect(postgres_url, autocommit=True) as server:
        # The last answer may be here before its connection has ended: the server is asked until it has.
        held = [open_connections(server)]
        while held[-1] and len(held) < 100:
            server.execute("SELECT pg_sleep(0.1)")
            held.append(open_connections(server))
    assert held[-1] == 0


def open_connections(server: psycopg.Connection[tuple[int]]) -> int:
    row = server.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = 'connections'").fetchone()
    assert row is not None
    return row[0]
