"""System checks: what would make a deployment unsafe or lose work."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

LOOPBACK = {"localhost", "127.0.0.1", "[::1]", "::1"}


@register(Tags.security)
def configuration_is_safe(**_: Any) -> list[CheckMessage]:
    """Errors: neither the studio nor a migration starts with these."""
    return [*_files(), *(_service() if settings.SERVICE else ())]


def _files() -> Iterator[CheckMessage]:
    in_bucket = str(settings.STORAGES["default"]["BACKEND"]).startswith("storages.")
    if in_bucket and find_spec("storages") is None:
        yield Error("ARTSITE_S3_BUCKET needs pip install 'artsite[s3]'.", id="artsite.E001")
    location = settings.MEDIA_ACCEL_LOCATION
    if in_bucket and location:
        yield Error(
            "ARTSITE_MEDIA_URL: the proxy sends local files, and ARTSITE_S3_BUCKET keeps them elsewhere.",
            hint="Leave ARTSITE_MEDIA_URL empty: the web sends what is in the bucket.",
            id="artsite.E008",
        )
    if location and not (location.startswith("/") and location.endswith("/")):
        yield Error(f"ARTSITE_MEDIA_URL={location!r} must begin and end with a slash.", id="artsite.E002")
    key = Path(settings.DATA) / "secret_key"
    if key.exists() and key.stat().st_mode & 0o077:
        yield Error(f"{key} can be read by others: chmod 600.", id="artsite.E003")


def _service() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield Error("ARTSITE_DEBUG is on in service: its pages show settings.", id="artsite.E004")
    if not settings.ORIGINS:
        yield Error(
            "ARTSITE_ORIGINS is empty in service.",
            hint="Name the full origins that people type: https://art.example",
            id="artsite.E005",
        )
    for origin in settings.ORIGINS:
        parts = urlsplit(origin)
        if parts.scheme != "https" or not parts.hostname or parts.path or parts.query:
            yield Error(
                f"ARTSITE_ORIGINS has {origin!r}; a full origin is https://host or https://host:port.",
                id="artsite.E006",
            )
    if not settings.EMAIL_HOST:
        yield Error(
            "ARTSITE_EMAIL_URL is empty in service: links that reset passwords would be printed to the log.",
            hint="smtp://user:password@host:587?from=studio@art.example",
            id="artsite.E009",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Error("ARTSITE_HOSTS has '*': name the hosts.", id="artsite.E007")


@register(Tags.security, deploy=True)
def deployment_keeps_its_promises(**_: Any) -> list[CheckMessage]:
    """Warnings for ``check --deploy``: it would run, but not as an operator expects."""
    return list(_deployment())


def _deployment() -> Iterator[CheckMessage]:
    if not settings.SERVICE:
        yield Warning(
            "The laptop profile speaks http on this machine only.",
            hint="Set ARTSITE_PROFILE=service behind a proxy that ends TLS.",
            id="artsite.W001",
        )
        return
    if set(settings.ALLOWED_HOSTS) <= LOOPBACK:
        yield Warning("ARTSITE_HOSTS names only this machine.", id="artsite.W002")
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Warning("SQLite holds one machine: set DATABASE_URL to PostgreSQL.", id="artsite.W003")
    if settings.REDIS_SOCKET is not None:
        yield Warning("The embedded broker serves one machine: set REDIS_URL.", id="artsite.W004")
    data = Path(settings.DATA)
    if data.exists() and data.stat().st_mode & 0o007:
        yield Warning(f"{data} is open to everybody on the machine: chmod o-rwx.", id="artsite.W005")
