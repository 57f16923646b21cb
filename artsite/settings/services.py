"""URLs of the services around us, as Django's settings: the database and the mail server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from artsite.env import EnvironmentProblem


def database(url: str, data: Path) -> dict[str, Any]:
    """``DATABASES["default"]``: PostgreSQL for a URL, else SQLite in the data folder.

    ``?host=/folder`` names a unix socket's folder; other query values (``sslmode=require``) go to the
    driver. Raises EnvironmentProblem.
    """
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": data / "artsite.sqlite3",
            # Without IMMEDIATE, WAL answers "database is locked" as soon as two processes write.
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise EnvironmentProblem(f"DATABASE_URL: {parts.scheme}:// is not supported; use postgres://")
    query = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or "") or query.pop("host", ""),
        "PORT": _port("DATABASE_URL", url) or "",
        # Under ASGI each request has a thread of its own: what it leaves open nobody could use again.
        "CONN_MAX_AGE": 0,
        # A server that is away must not hold a page for minutes.
        "OPTIONS": {"connect_timeout": 5, **query},
    }


@dataclass(frozen=True, slots=True)
class Mail:
    """How mail is sent: Django's settings of the same names."""

    backend: str = "django.core.mail.backends.console.EmailBackend"
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    use_tls: bool = False
    use_ssl: bool = False
    sender: str = "artsite@localhost"


def mail(url: str) -> Mail:
    """``smtp://user:password@host:587?from=studio@art.example`` (STARTTLS if there is a user) or ``smtps://``.

    Without a URL, mail is printed to the log. Raises EnvironmentProblem.
    """
    if not url:
        return Mail()
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise EnvironmentProblem(
            "ARTSITE_EMAIL_URL: use smtp://user:password@host:587?from=studio@art.example"
        )
    secure = parts.scheme == "smtps"
    return Mail(
        backend="django.core.mail.backends.smtp.EmailBackend",
        host=unquote(parts.hostname),
        port=_port("ARTSITE_EMAIL_URL", url) or (465 if secure else 587 if parts.username else 25),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        use_tls=not secure and bool(parts.username),
        use_ssl=secure,
        sender=dict(parse_qsl(parts.query)).get("from", f"artsite@{parts.hostname}"),
    )


def _port(name: str, url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        # The URL may hold a password: only the variable is named.
        raise EnvironmentProblem(f"{name}: the port is not a number") from None
