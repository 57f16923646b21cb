"""The studio on one machine: its data folder, its address, and its processes.

The processes are ordinary commands, which docs/operations.md shows; :mod:`artsite.processes` keeps them
alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import ipaddress
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError, connection

from artsite.broker import broker_binary, broker_command
from artsite.processes import Part, Probe

LOCK = "studio.lock"
STATIC_STAMP = ".collected"
HEALTH_PATH = "/healthz"
# A page must not wait for a person who opens a thousand connections.
WEB_FLAGS = (
    *("--lifespan", "off"),
    *("--limit-concurrency", "1000"),
    *("--backlog", "512"),
    *("--timeout-keep-alive", "15"),
    *("--timeout-graceful-shutdown", "3"),
    # The consumer closes at 4 KiB with a code of its own; this is the wall behind it.
    *("--ws-max-size", "65536"),
    *("--ws-max-queue", "8"),
    *("--ws-ping-interval", "20"),
    *("--ws-ping-timeout", "20"),
    # Compression costs a hundred KiB for each socket, and previews are compressed already.
    *("--ws-per-message-deflate", "false"),
    "--no-server-header",
    "--no-access-log",
)
WORKER_FLAGS = (
    *("-P", "threads"),
    *("-c", "1"),
    *("--prefetch-multiplier", "1"),
    "--without-gossip",
    "--without-mingle",
    "--without-heartbeat",
)


# On few cores a model would make pages wait: workers run at a lower priority than the web.
LOW_PRIORITY = ("nice", "-n", "5") if shutil.which("nice") else ()


class StudioProblem(Exception):
    """The studio cannot start here; the text says why and what to do."""


# --- The folder and the address ---------------------------------------------------------------------


@contextmanager
def data_folder_lock(data: Path) -> Iterator[Callable[[str], None]]:
    """Lock the data folder (mode 0700) for one studio; yields a function that writes its address there.

    Raises StudioProblem naming who holds it.
    """
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.chmod(0o700)
    with (data / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudioProblem(_who_holds(data, file.fileno())) from None

        def write_address(address: str) -> None:
            file.truncate(0)
            file.write(json.dumps({"pid": os.getpid(), "address": address, "since": time.strftime("%F %T")}))
            file.flush()

        write_address("no address yet")
        yield write_address


def _who_holds(data: Path, descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        who = f"process {holder['pid']} since {holder['since']}, at {holder['address']}"
    except (ValueError, KeyError):
        who = "another process"
    return f"A studio already runs in {data}: {who}. Stop it first, or choose another folder: --data DIR"


def check_host(host: str) -> None:
    """Raise StudioProblem when others could read what people type: beyond this machine only behind TLS."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not settings.SERVICE:
        raise StudioProblem(
            f"--host {host} would show the studio to the network without encryption. Put a proxy that ends "
            "TLS in front of it and set ARTSITE_PROFILE=service, ARTSITE_ORIGINS and ARTSITE_HOSTS, "
            "or leave --host out."
        )


def answer_to(host: str) -> None:
    """Have the processes that are started answer to ``host``, too: 127.0.0.2 is this machine as well."""
    known = f"[{host}]" if ":" in host else host
    if known not in settings.ALLOWED_HOSTS:
        os.environ["ARTSITE_HOSTS"] = ",".join([*settings.ALLOWED_HOSTS, known])


def free_port(host: str, port: int) -> int:
    """``port``, or any free one for 0. Raises StudioProblem naming who holds it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family)) as probe:
        # As the server will: a port in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StudioProblem(
                f"Port {port} on {host} cannot be used: {error.strerror}{_who_listens(port)}. "
                "Choose another: make run ARGS='--port 8001'"
            ) from error
        return int(probe.getsockname()[1])


def _who_listens(port: int) -> str:
    try:
        for connected in psutil.net_connections("tcp"):
            if connected.status == psutil.CONN_LISTEN and connected.laddr.port == port and connected.pid:
                command = " ".join(psutil.Process(connected.pid).cmdline())
                return f", it is held by process {connected.pid} ({command[:120]})"
    except (psutil.Error, OSError):
        pass
    return ""


def url(host: str, port: int) -> str:
    """The address that a person types."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


# --- Before the processes start -----------------------------------------------------------------------


def prepare() -> None:
    """Migrate, and collect the static files when they changed. Safe to repeat."""
    call_command("migrate", interactive=False, verbosity=0)
    # The children open their own; this process only waits from now on.
    connection.close()
    stamp = Path(settings.STATIC_ROOT) / STATIC_STAMP
    state = _static_state()
    if not stamp.exists() or stamp.read_text() != state:
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.write_text(state)


def _static_state() -> str:
    """A digest of the names, sizes and times of all static files."""
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for path, storage in finder.list([]):
            with contextlib.suppress(FileNotFoundError):
                stat = os.stat(storage.path(path))
                digest.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


# --- The processes ------------------------------------------------------------------------------------


def parts(*, host: str, port: int, workers: int) -> list[Part]:
    """The broker (unless ``REDIS_URL`` names one), the web, the scheduler, and ``workers`` workers.

    Raises broker.BrokerProblem and StudioProblem.
    """
    return [
        *_broker(),
        Part(
            name="web",
            command=web_command(host, port),
            ready=_web_ready(host, port),
            environment={**_common(), "MALLOC_ARENA_MAX": "2"},
            essential=True,
        ),
        Part(
            name="scheduler",
            command=[sys.executable, str(settings.ROOT / "manage.py"), "scheduler"],
            ready_line="sweeping every",
            environment=_common(),
        ),
        *(_worker(number, workers) for number in range(1, workers + 1)),
    ]


def web_command(host: str, port: int) -> list[str]:
    """uvicorn; a proxy's headers are believed in service only (``FORWARDED_ALLOW_IPS`` names the proxy)."""
    return [
        *(sys.executable, "-m", "uvicorn", "artsite.asgi:application"),
        *("--host", host, "--port", str(port)),
        *WEB_FLAGS,
        "--proxy-headers" if settings.SERVICE else "--no-proxy-headers",
    ]


def worker_command(name: str, queues: str = "gan,cnn,rnn") -> list[str]:
    """One Celery worker: one thread that works, so one job (or batch) at a time."""
    return [
        *(sys.executable, "-m", "celery", "-q", "-A", "workers.app", "worker"),
        *("-Q", queues, "-n", f"{name}@%h"),
        *WORKER_FLAGS,
    ]


def _common() -> dict[str, str]:
    return {
        "ARTSITE_DATA": str(settings.DATA),
        "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "artsite.settings"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(settings.ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
    }


def _worker(number: int, count: int) -> Part:
    name = f"worker-{number}"
    environment = _common()
    if count > 1:
        # Workers that each take every core only wait for each other.
        threads = max(1, (os.cpu_count() or 1) // count)
        environment["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", str(threads))
    command = [*LOW_PRIORITY, *worker_command(name)]
    return Part(name=name, command=command, ready=_worker_ready, environment=environment)


def _broker() -> Iterator[Part]:
    path = settings.REDIS_SOCKET
    if path is None:
        return
    _make_private_folder(path.parent)
    # Its own folder: the append-only file's manifest is the broker's business.
    folder = Path(settings.DATA) / "broker"
    _make_private_folder(folder)
    yield Part(
        name="broker",
        command=broker_command(broker_binary(), path, folder),
        ready=_broker_ready(path),
        first=True,
        essential=True,
    )


def _make_private_folder(folder: Path) -> None:
    """A folder of mode 0700 that is ours: in a shared temporary folder somebody may have been faster."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    stat = folder.stat()
    if stat.st_uid != os.getuid():
        raise StudioProblem(f"{folder} belongs to another user")
    folder.chmod(0o700)


# --- Whether they serve ---------------------------------------------------------------------------------


def _broker_ready(path: Path) -> Probe:
    async def probe(_pid: int) -> bool:
        reader, writer = await asyncio.open_unix_connection(str(path))
        try:
            writer.write(b"PING\r\n")
            # While it reads its file it answers -LOADING.
            return (await reader.readline()).startswith(b"+PONG")
        finally:
            writer.close()

    return probe


def _web_ready(host: str, port: int) -> Probe:
    async def probe(_pid: int) -> bool:
        reader, writer = await asyncio.open_connection(host, port)
        try:
            name = settings.ALLOWED_HOSTS[0].lstrip(".") if settings.ALLOWED_HOSTS else host
            writer.write(f"GET {HEALTH_PATH} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
            return b" 200 " in await reader.readline()
        finally:
            writer.close()

    return probe


async def _worker_ready(pid: int) -> bool:
    """Whether the worker wrote its first heartbeat."""

    def look() -> bool:
        from gallery.models import Worker

        try:
            return Worker.objects.filter(pid=pid, host=socket.gethostname(), stopped_at=None).exists()
        except DatabaseError:
            return False
        finally:
            connection.close()

    return await asyncio.to_thread(look)
