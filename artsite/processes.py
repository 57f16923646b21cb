"""Starts, watches and stops a set of child processes: one log, restarts with back-off, no orphans.

Every child leads a process group of its own, so that a Ctrl-C reaches this process alone and the
order of stopping is ours; and every child asks the kernel to be killed when this process dies, so
that even ``kill -9`` leaves nothing behind (Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

FIRST_DELAY, LONGEST_DELAY = 0.5, 10.0
STEADY_SECONDS = 30.0
"""A child that lived this long is healthy: its next restart comes at once again."""
START_SECONDS = 60.0
STOP_SECONDS = 6.0
LAST_STOP_SECONDS = 2.0
"""Together under 10 s: the time in which Ctrl-C promises to be done."""
LONGEST_LINE = 1 << 16
PR_SET_PDEATHSIG = 1
COLOURS = ("36", "32", "33", "35", "34", "96", "92", "93")

Probe = Callable[[int], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep alive.

    ``ready(pid)`` says whether it serves; without it, a line of output that holds ``ready_line`` does.
    ``first`` parts are ready before the others start, and stop after them. Without an ``essential``
    part there is nothing to show: if it does not get ready at the start, the whole start fails.
    """

    name: str
    command: Sequence[str]
    ready: Probe | None = None
    ready_line: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    first: bool = False
    essential: bool = False


class StartFailed(Exception):
    """An essential part did not get ready."""


class Log:
    """Lines of many processes on one stream: the name first, in a colour where a terminal shows it."""

    def __init__(self, names: Sequence[str], out: TextIO, *, as_json: bool = False) -> None:
        self._out = out
        self._json = as_json
        self._width = max(map(len, names))
        colourful = out.isatty() and "NO_COLOR" not in os.environ
        self._colours = (
            dict(zip(names, (COLOURS[i % len(COLOURS)] for i in range(len(names))), strict=True))
            if colourful
            else {}
        )

    def line(self, name: str, text: str) -> None:
        """Write one line. A reader that went away is no reason to stop."""
        with contextlib.suppress(OSError, ValueError):
            self._out.write(self._shown(self._in_json(name, text) if self._json else self._plain(name, text)))
            self._out.flush()

    def _shown(self, line: str) -> str:
        """``line`` in what the terminal can show: without UTF-8, a plain bar and question marks."""
        encoding = self._out.encoding or "utf-8"
        try:
            line.encode(encoding)
        except UnicodeEncodeError:
            return line.replace("│", "|").encode(encoding, "replace").decode(encoding)
        return line

    def _plain(self, name: str, text: str) -> str:
        label = f"{name:<{self._width}} │"
        if colour := self._colours.get(name):
            label = f"\x1b[{colour}m{label}\x1b[0m"
        return f"{label} {text}\n"

    def _in_json(self, name: str, text: str) -> str:
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if not isinstance(line, dict):
            line = {"message": text}
        return json.dumps({"part": name, **line}) + "\n"


class _Child:
    """One part and its current process."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.keeper: asyncio.Task[None] | None = None
        self.ends = 0

    def send(self, number: signal.Signals, *, group: bool) -> None:
        """Signal the process, or its whole group (what it may have started itself)."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(self.process.pid, number)
            elif self.process.returncode is None:
                os.kill(self.process.pid, number)


class Supervisor:
    """Keeps ``parts`` alive until :meth:`stop` is asked for by a signal."""

    def __init__(self, parts: Sequence[Part], log: Log, *, on_ready: Callable[[], None]) -> None:
        self._children = [_Child(part) for part in parts]
        self._log = log
        self._on_ready = on_ready
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Start everything, call ``on_ready`` in a thread, and return when all is stopped again.

        INT, TERM and HUP stop in order; a second one kills. Raises StartFailed (after stopping).
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop_was_asked)
        try:
            await self._start()
            if not self._stopping.is_set():
                await asyncio.to_thread(self._on_ready)
            await self._stopping.wait()
        finally:
            self._stopping.set()
            await self._stop()

    def _stop_was_asked(self) -> None:
        if self._stopping.is_set():
            self._hurry.set()
        else:
            self._log.line("studio", "stopping; once more to kill")
        self._stopping.set()

    async def _start(self) -> None:
        for first in (True, False):
            wave = [child for child in self._children if child.part.first is first]
            for child in wave:
                child.keeper = asyncio.create_task(self._keep(child))
            await self._wait_until_ready(wave)

    async def _wait_until_ready(self, wave: list[_Child]) -> None:
        """Until all are ready, or the stop was asked for. Raises StartFailed for an essential part."""
        deadline = time.monotonic() + START_SECONDS
        while not self._stopping.is_set():
            waiting = [child for child in wave if not child.ready.is_set()]
            if not waiting:
                return
            late = time.monotonic() > deadline
            for child in waiting:
                if child.part.essential and (late or child.ends >= 3):
                    raise StartFailed(f"{child.part.name} did not start; its lines above say why")
            if late or all(child.ends >= 3 for child in waiting):
                names = ", ".join(child.part.name for child in waiting)
                self._log.line("studio", f"not ready yet: {names}; going on without")
                return
            await asyncio.sleep(0.05)

    async def _keep(self, child: _Child) -> None:
        """Run the part's process again and again, until the stop is asked for."""
        delay = FIRST_DELAY
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once(child)
            child.ready.clear()
            child.ends += 1
            child.send(signal.SIGKILL, group=True)
            if self._stopping.is_set():
                return
            delay = FIRST_DELAY if time.monotonic() - started > STEADY_SECONDS else delay
            self._log.line("studio", f"{child.part.name} {describe_exit(code)}; again in {delay:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _run_once(self, child: _Child) -> int:
        """Start the process, forward its lines, and return its exit code."""
        part = child.part
        try:
            child.process = await asyncio.create_subprocess_exec(
                *part.command,
                env={**os.environ, **part.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
            )
        except OSError as error:
            self._log.line(part.name, f"cannot be started: {error}")
            return 127
        probing = asyncio.create_task(self._probe(child, child.process.pid))
        forwarding = asyncio.create_task(self._forward(child, child.process))
        try:
            return await child.process.wait()
        finally:
            probing.cancel()
            # What it wrote last still comes, but a grandchild that holds the pipe cannot hold us.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(forwarding, 0.5)

    async def _probe(self, child: _Child, pid: int) -> None:
        started = time.monotonic()
        while child.part.ready and not child.ready.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                if await asyncio.wait_for(child.part.ready(pid), 2.0):
                    child.ready.set()
            await asyncio.sleep(0.1)
        await child.ready.wait()
        self._log.line("studio", f"{child.part.name} is ready after {time.monotonic() - started:.1f} s")

    async def _forward(self, child: _Child, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        name, rest = child.part.name, b""
        ready_line = child.part.ready_line.encode()
        while chunk := await process.stdout.read(LONGEST_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._log.line(name, line.decode("utf-8", "replace").rstrip())
                if ready_line and ready_line in line:
                    child.ready.set()
        if rest:
            self._log.line(name, rest.decode("utf-8", "replace"))

    async def _stop(self) -> None:
        """All but the first parts together, then the first; killed when they take too long."""
        for first, seconds in ((False, STOP_SECONDS), (True, LAST_STOP_SECONDS)):
            wave = [child for child in self._children if child.part.first is first and child.keeper]
            for child in wave:
                child.send(signal.SIGTERM, group=False)
            await self._wait_until_gone(wave, seconds)
            for child in wave:
                child.send(signal.SIGKILL, group=True)
            await asyncio.gather(*(child.keeper for child in wave if child.keeper))

    async def _wait_until_gone(self, wave: list[_Child], seconds: float) -> None:
        keepers = [child.keeper for child in wave if child.keeper]
        if not keepers:
            return
        hurry = asyncio.create_task(self._hurry.wait())
        gone = asyncio.create_task(asyncio.wait(keepers))
        await asyncio.wait([gone, hurry], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        gone.cancel()


def describe_exit(code: int) -> str:
    """``ended with 1``, ``was killed by SIGKILL``."""
    if code >= 0:
        return f"ended with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _die_with_parent(parent: int) -> Callable[[], None] | None:
    """What a child does before it becomes its program: ask to be killed with its parent."""
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            # It died between the fork and the question.
            os._exit(1)

    return ask
