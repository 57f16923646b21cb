"""A whole studio of real processes in a folder of its own, for tests that kill and freeze them.

    stack.start_broker(); stack.start_worker(); stack.start_scheduler(); stack.start_web()
    job = stack.submit("paint", prompt="steps=5 pause=0.1", count=2)
    stack.wait_for(lambda: stack.state(job) == "succeeded")
    stack.worker().kill()

Nothing is shared with the process of the test: it reads and writes through a console process
(``tests/live/console.py``) that uses the same services as the web. Engines are the toys of
``tests/toy_engines.py`` unless ``ARTSITE_ENGINES`` says otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from artsite.broker import broker_binary, broker_command
from artsite.settings.paths import socket_path
from artsite.studio import LOW_PRIORITY, WEB_FLAGS
from tests import toy_engines

ROOT = Path(__file__).resolve().parent.parent.parent
FINAL = ("succeeded", "failed", "canceled", "expired")
READY_SECONDS = 60.0
LEASE_SECONDS = 4
SWEEP_SECONDS = 1
T = TypeVar("T")


class StackProblem(AssertionError):
    """A process did not do what the test waits for."""


class ConsoleError(Exception):
    """What was asked of the console raised: ``kind`` is the exception's class name."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Child:
    """One process in a session of its own, so that a kill takes its children too. Output goes to ``log``."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: int) -> None:
        """Send a signal to the process alone (not to its children)."""
        self.process.send_signal(number)

    def freeze(self) -> None:
        """SIGSTOP to the whole group."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to the whole group."""
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the whole group; returns when the process is gone."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(10)

    def stop(self, timeout: float = 10.0) -> int:
        """SIGTERM, and SIGKILL when that is not enough. Returns the exit status."""
        if self.alive:
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout)
        self.kill()
        return self.process.returncode

    def wait(self, timeout: float) -> int:
        """Wait until the process ends by itself; its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise StackProblem(f"{self.name} still runs after {timeout} s\n{self.tail()}") from None

    def tail(self, lines: int = 40) -> str:
        """The end of its output."""
        text = self.log.read_text("utf-8", "replace") if self.log.exists() else ""
        return f"--- {self.name}\n" + "\n".join(text.splitlines()[-lines:])


class Console:
    """A console process. Calls from several threads take turns; for real concurrency start several."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self._lock = threading.Lock()
        self.log = log
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.live.console"],
                env=dict(env),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def call(self, action: str, **given: Any) -> Any:
        """Raises ConsoleError when the action did, StackProblem when the process is gone."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self._lock:
            try:
                self.process.stdin.write(json.dumps({"do": action, "with": given}, default=str) + "\n")
                self.process.stdin.flush()
                line = self.process.stdout.readline()
            except BrokenPipeError:
                line = ""
        if not line:
            raise StackProblem(f"the console ended\n{self.log.read_text('utf-8', 'replace')[-4000:]}")
        answer = json.loads(line)
        if "error" in answer:
            raise ConsoleError(answer["error"], answer["text"])
        return answer["value"]

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait(10)
        self.process.stdin.close()
        self.process.stdout.close()


class Stack:
    """The processes of one studio. Use it as a context manager: leaving it kills everything."""

    def __init__(
        self,
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        database_url: str = "",
        template: Path | None = None,
    ) -> None:
        """``template``: a migrated SQLite file to start from; else the database is migrated now."""
        self.folder = folder
        self.data = folder / "data"
        self.logs = folder / "logs"
        self.data.mkdir(parents=True, mode=0o700)
        self.logs.mkdir()
        self.socket = socket_path(self.data)
        self.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.url = ""
        self.children: dict[str, Child] = {}
        self._consoles: list[Console] = []
        hidden = ("ARTSITE_", "DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_")
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(hidden)} | {
            "DJANGO_SETTINGS_MODULE": "artsite.settings",
            "ARTSITE_DATA": str(self.data),
            "ARTSITE_ENGINES": toy_engines.ALL,
            "ARTSITE_SEEING": "tests.toy_engines:ToyEmbedder",
            "ARTSITE_LEASE_SECONDS": str(LEASE_SECONDS),
            "ARTSITE_SWEEP_SECONDS": str(SWEEP_SECONDS),
            "ARTSITE_MAX_WAITING": "10000",
            "ARTSITE_JOBS_PER_DAY": "0",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **({"DATABASE_URL": database_url} if database_url else {}),
            **(env or {}),
        }
        if template is not None and not database_url:
            shutil.copyfile(template, self.data / "artsite.sqlite3")
        else:
            self.manage("migrate", "--verbosity", "0", "--skip-checks")

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill every process that was started."""
        for child in self.children.values():
            child.kill()
        for console in self._consoles:
            console.close()

    # --- Processes -----------------------------------------------------------------------------------

    def manage(self, *command: str, timeout: float = 120) -> str:
        """Run a management command to its end; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if done.returncode:
            raise StackProblem(f"manage.py {' '.join(command)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """Start any process in the studio's environment; one of the same name must have ended."""
        earlier = self.children.get(name)
        if earlier is not None and earlier.alive:
            raise StackProblem(f"{name} runs already")
        child = self.children[name] = Child(name, command, {**self.env, **(env or {})}, self.logs)
        return child

    def start_broker(self) -> Child:
        """A Valkey on the studio's socket; the data of an earlier one are read."""
        self.socket.unlink(missing_ok=True)
        child = self.start("broker", broker_command(broker_binary(), self.socket, self.data))
        self.wait_for(lambda: self.socket.exists() and _answers(self.socket), 15)
        return child

    def wipe_broker(self) -> None:
        """Delete the data of a broker that was killed."""
        shutil.rmtree(self.data / "appendonlydir", ignore_errors=True)
        (self.data / "dump.rdb").unlink(missing_ok=True)

    def start_worker(
        self,
        name: str = "worker",
        *,
        queues: str = "gan,cnn,rnn",
        env: Mapping[str, str] | None = None,
        ready: bool = True,
        give_way: bool = False,
    ) -> Child:
        """A worker; returns when the studio has seen it (``ready`` False: at once).

        ``give_way``: with the low priority that ``manage.py studio`` gives to its workers.
        """
        command = [*(LOW_PRIORITY if give_way else ()), sys.executable, "-m", "celery", "-A", "workers.app"]
        command += ["worker", "-Q", queues, "-n", f"{name}@test"]
        command += ["-P", "threads", "-c", "1", "--prefetch-multiplier", "1"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO"]
        child = self.start(name, command, env)
        if ready:
            self.wait_for(lambda: self.is_online(child))
        return child

    def start_scheduler(self, env: Mapping[str, str] | None = None) -> Child:
        """The sweep."""
        return self.start("scheduler", [sys.executable, "manage.py", "scheduler"], env)

    def start_web(self, name: str = "web", env: Mapping[str, str] | None = None, port: int = 0) -> Child:
        """A web server; ``stack.url`` is its address. Returns when it answers."""
        port = port or _free_port()
        command = [sys.executable, "-m", "uvicorn", "artsite.asgi:application"]
        command += ["--host", "127.0.0.1", "--port", str(port), *WEB_FLAGS]
        child = self.start(name, command, env)
        self.url = f"http://127.0.0.1:{port}"
        self.wait_for(lambda: not child.alive or _serves(self.url))
        if not child.alive:
            raise StackProblem(f"the web server ended\n{child.tail()}")
        return child

    def start_all(self) -> None:
        """Broker, worker, scheduler and web."""
        self.start_broker()
        self.start_worker()
        self.start_scheduler()
        self.start_web()

    def worker(self, name: str = "worker") -> Child:
        """A worker that was started."""
        return self.children[name]

    def kill(self, *names: str) -> None:
        """SIGKILL to the named processes, or to all of them."""
        for name in names or tuple(self.children):
            self.children[name].kill()

    def is_online(self, child: Child) -> bool:
        """Whether the studio has seen this very worker process, alive."""
        if not child.alive:
            raise StackProblem(f"{child.name} ended\n{child.tail()}")
        return bool(self.ask("workers.online().filter(pid=pid).exists()", pid=child.pid))

    # --- What is in the studio -------------------------------------------------------------------------

    @property
    def console(self) -> Console:
        """The console process that this test speaks through."""
        return self._consoles[0] if self._consoles else self.start_console()

    def start_console(self, env: Mapping[str, str] | None = None) -> Console:
        """One more console, for things that must happen at once or in a process that a fail point ends."""
        number = len(self._consoles)
        console = Console({**self.env, **(env or {})}, self.logs / f"console{number}.log")
        self._consoles.append(console)
        return console

    def ask(self, expression: str, **names: Any) -> Any:
        """The value of a Python expression over models and services, as JSON (ids and times are text)."""
        return self.console.call("evaluate", expression=expression, **names)

    def submit(
        self,
        kind: str = "paint",
        *,
        owner: str = "ana",
        request: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> str:
        """Submit as the web does; the job's id. ``request``: seed, idempotency_key, publish_as, inputs ..."""
        given = {"owner": owner, "kind": kind, "parameters": parameters, **(request or {})}
        return str(self.console.call("submit", **given))

    def cancel(self, job: str, by: str = "ana") -> str:
        """Cancel as the web does; the state after it."""
        return str(self.console.call("cancel", job=job, by=by))

    def job(self, job: str) -> dict[str, Any]:
        """The job's row, and ``artworks``: the ids of its results in order."""
        row: dict[str, Any] = self.console.call("job", job=job)
        return row

    def state(self, job: str) -> str:
        """The job's state."""
        return str(self.job(job)["state"])

    def picture(self, owner: str = "ana") -> str:
        """The id of a work with a real file, to make something from."""
        return str(self.console.call("picture", name=owner))

    def cookie(self, name: str = "ana", permissions: Sequence[str] = ()) -> dict[str, str]:
        """The session cookie of somebody who is signed in."""
        self.console.call("person", name=name, permissions=list(permissions))
        cookie: dict[str, str] = self.console.call("session", name=name)
        return cookie

    # --- Waiting -----------------------------------------------------------------------------------------

    def wait_for(self, predicate: Callable[[], T], timeout: float = READY_SECONDS) -> T:
        """The first true value of ``predicate``. Raises StackProblem with the logs after ``timeout`` s."""
        deadline = time.monotonic() + timeout
        while True:
            value = predicate()
            if value:
                return value
            if time.monotonic() > deadline:
                raise StackProblem(f"waited {timeout} s in vain\n{self.tails()}")
            time.sleep(0.05)

    def wait_state(self, job: str, *states: str, timeout: float = READY_SECONDS) -> dict[str, Any]:
        """The row once the job is in one of ``states``. A final state that was not asked for is an error."""

        def look() -> dict[str, Any] | None:
            row = self.job(job)
            if row["state"] in states:
                return row
            if row["state"] in FINAL:
                raise StackProblem(f"job {job} is {row['state']} ({row['error_operator']})\n{self.tails()}")
            return None

        row = self.wait_for(look, timeout)
        assert row is not None
        return row

    def wait_final(self, *jobs: str, timeout: float = READY_SECONDS) -> list[dict[str, Any]]:
        """The rows once all of these jobs are final."""

        def done() -> bool:
            expression = "Job.objects.filter(pk__in=jobs, state__in=final).count()"
            return int(self.ask(expression, jobs=jobs, final=FINAL)) == len(set(jobs))

        self.wait_for(done, timeout)
        return [self.job(job) for job in jobs]

    def tails(self) -> str:
        """The ends of all logs."""
        return "\n".join(child.tail() for child in self.children.values())


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _serves(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/healthz", timeout=2).close()
    except urllib.error.HTTPError as answer:
        # Any answer shows that it serves; whether it is healthy is the test's business.
        answer.close()
    except OSError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh_database(server: str, name: str) -> str:
    """The URL of an empty database of that name on a PostgreSQL server."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return urlsplit(server)._replace(path=f"/{name}").geturl()
