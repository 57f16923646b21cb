"""Studios of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.stack import ROOT, Stack

MakeStack = Callable[..., Stack]


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, valkey_binary: str) -> Path:
    """A migrated SQLite file: every stack starts from a copy."""
    data = tmp_path_factory.mktemp("migrated")
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARTSITE_")}
    env |= {"DJANGO_SETTINGS_MODULE": "artsite.settings", "ARTSITE_DATA": str(data)}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0", "--skip-checks"]
    subprocess.run(command, env=env, cwd=ROOT, check=True, timeout=120)
    return data / "artsite.sqlite3"


@pytest.fixture
def make_stack(tmp_path: Path, migrated: Path) -> Iterator[MakeStack]:
    """``make_stack(env={...}, database_url="")``: a studio without processes; at the end all are killed."""
    with ExitStack() as stacks:

        def make(**options: Any) -> Stack:
            number = len(list(tmp_path.iterdir()))
            return stacks.enter_context(Stack(tmp_path / f"s{number}", template=migrated, **options))

        yield make


@pytest.fixture
def stack(make_stack: MakeStack) -> Stack:
    """A studio on SQLite, without processes yet."""
    return make_stack()


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collected static files: with ``env={"ARTSITE_STATIC": ...}`` a stack's web serves whole pages."""
    data = tmp_path_factory.mktemp("collected")
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARTSITE_")}
    env |= {"DJANGO_SETTINGS_MODULE": "artsite.settings", "ARTSITE_DATA": str(data)}
    command = [sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
    subprocess.run(command, env=env, cwd=ROOT, check=True, timeout=120)
    return data / "static"
