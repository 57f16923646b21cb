"""``manage.py studio`` as a person runs it: one process in a process group of its own, and its log."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

T = TypeVar("T")
START_SECONDS = 60.0


class Studio:
    """A running studio; use it as a context manager. ``source``: the folder that holds manage.py."""

    def __init__(
        self,
        source: Path,
        data: Path,
        environment: Mapping[str, str],
        arguments: Sequence[str] = ("--port", "0"),
    ) -> None:
        self.data = data
        self.log = data.with_suffix(".log")
        self.started = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "studio", "--data", str(data), *arguments],
                cwd=source,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # As a terminal does: Ctrl-C reaches this group, and whoever stayed in it.
                start_new_session=True,
            )

    def __enter__(self) -> Studio:
        return self

    def __exit__(self, *_: object) -> None:
        children = self.children()
        self.process.kill()
        self.process.wait(10)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()

    @property
    def lines(self) -> list[str]:
        """Its log so far."""
        return self.log.read_text("utf-8", "replace").splitlines()

    def wait_for(self, look: Callable[[], T], seconds: float = START_SECONDS) -> T:
        """The first true value of ``look``. Raises AssertionError with the log."""
        deadline = time.monotonic() + seconds
        while not (value := look()):
            assert time.monotonic() < deadline, "\n".join(["waited in vain:", *self.lines[-40:]])
            time.sleep(0.05)
        return value

    def wait_for_line(self, pattern: str, seconds: float = START_SECONDS, after: int = 0) -> re.Match[str]:
        """The first line from number ``after`` on that has ``pattern``."""

        def look() -> re.Match[str] | None:
            found = next(filter(None, (re.search(pattern, line) for line in self.lines[after:])), None)
            assert found or self.process.poll() is None, "\n".join(self.lines)
            return found

        match = self.wait_for(look, seconds)
        assert match is not None
        return match

    def wait_until_ready(self) -> str:
        """The address that it prints."""
        return self.wait_for_line(r"ready: (http://\S+)").group(1)

    def children(self) -> list[psutil.Process]:
        """Every process that it started, and theirs."""
        try:
            found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return found

    def child(self, word: str) -> psutil.Process:
        """The child whose command line has ``word``."""
        return next(child for child in self.children() if word in " ".join(child.cmdline()))

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.killpg(self.process.pid, signal.SIGINT)


def get(url: str) -> tuple[int, str]:
    """Status and text of a page."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.read().decode()


def still_alive(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those that are not gone after ``seconds``."""
    alive: list[psutil.Process] = psutil.wait_procs(processes, timeout=seconds)[1]
    return [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
