"""What every kind of test shares. Nothing here needs Django's database unless a test asks for it.

A service that is missing (Chromium, PostgreSQL, Valkey) skips its tests on a laptop and fails them
where ``CI`` is set: nobody should believe in a test that never ran.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from redis import Redis

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Child processes load the real settings, in the tests' data folder unless a test gives another."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "artsite.settings"


def skip_or_fail(reason: str) -> NoReturn:
    """A service is missing: skip here, fail in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def child_environment() -> dict[str, str]:
    """The environment for a child process that is to find its own settings: none of the tests' variables."""
    ours = ("ARTSITE_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    skip_or_fail("no Chromium on this machine (apt-get install chromium)")


@pytest.fixture(scope="session")
def valkey_binary() -> str:
    """The path of a Valkey server: the one that the studio embeds."""
    from artsite.broker import BrokerProblem, broker_binary

    try:
        return str(broker_binary())
    except BrokerProblem as problem:
        skip_or_fail(str(problem))


@pytest.fixture(scope="session")
def broker(valkey_binary: str) -> Iterator[Redis]:
    """A real Valkey on the socket that the settings name, and a client of its broker database.

    Channel layer, cache and Celery then work as they do in the studio. Data of one test is seen by the next.
    """
    from django.conf import settings
    from redis import Redis

    from artsite.broker import broker_command

    assert settings.REDIS_SOCKET is not None
    client = Redis(unix_socket_path=str(settings.REDIS_SOCKET))
    process = subprocess.Popen(
        broker_command(valkey_binary, settings.REDIS_SOCKET, settings.DATA), stdout=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 10
        while not settings.REDIS_SOCKET.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail("the Valkey server did not start")
            time.sleep(0.01)
        client.ping()
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """``DATABASE_URL`` of a real, empty PostgreSQL server that lives as long as the test session."""
    try:
        with warnings.catch_warnings():
            # Where there is no XDG_RUNTIME_DIR it says that it uses the temporary folder.
            warnings.simplefilter("ignore", UserWarning)
            from pgserver.postgres_server import get_server
    except ImportError as error:
        skip_or_fail(f"no PostgreSQL: {error}")
    # Not in pytest's own folder: for root the server runs as another user, and every test session that
    # begins on this machine closes that folder to others.
    folder = Path(tempfile.mkdtemp(prefix="artsite-postgres-"))
    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
