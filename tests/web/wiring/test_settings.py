"""Environment variables: documented, typed, and each of them changes what it says."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.core.checks import CheckMessage
from kombu.utils.url import url_to_parts
from redis.connection import parse_url

from artsite import checks, env
from artsite.settings import paths, services

READ = """
import json, django
django.setup()
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in NAMES}, default=str))
"""
SERVICE = {
    "ARTSITE_PROFILE": "service",
    "ARTSITE_HOSTS": "art.example",
    "ARTSITE_ORIGINS": "https://art.example",
    "ARTSITE_SECRET_KEY": "k8V-0aQ2_m4Zx7Lw1RtY9bNc5HdJs3FgUeXoPiTqSrAvBzKyMlWn",
    "DATABASE_URL": "postgres://art:p%40ss@db/art",
    "REDIS_URL": "redis://broker:6379",
    "ARTSITE_EMAIL_URL": "smtp://mail.example",
}


def settings_with(environment: dict[str, str], variables: dict[str, str], *names: str) -> dict[str, Any]:
    """Settings as a fresh process reads them from ``variables``."""
    answer = subprocess.run(
        [sys.executable, "-c", f"NAMES = {names!r}\n{READ}"],
        env={**environment, "DJANGO_SETTINGS_MODULE": "artsite.settings", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    values: dict[str, Any] = json.loads(answer.stdout)
    return values


# --- What is written down -------------------------------------------------------------------------


def test_the_example_file_names_every_variable_with_its_default(root: Path) -> None:
    assert (root / ".env.example").read_text() == env.example()


def test_the_readme_holds_the_table_of_variables(root: Path) -> None:
    assert env.table() in (root / "docs/operations.md").read_text()


def test_the_code_reads_no_variable_that_is_not_documented(root: Path) -> None:
    read = set()
    for folder in ("artsite", "gallery", "workers"):
        for path in (root / folder).rglob("*.py"):
            read |= set(
                re.findall(
                    r"""(?:environ|getenv|env\.\w+)[^"'\n]*["'](ARTSITE_\w+|\w+_URL)""", path.read_text()
                )
            )
    assert len(read) > 15
    assert read <= set(env.VARIABLES)


# --- Typed readers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "reader"),
    [
        ("ARTSITE_DEBUG", "maybe", lambda: env.flag("ARTSITE_DEBUG")),
        ("ARTSITE_MAX_WAITING", "many", lambda: env.integer("ARTSITE_MAX_WAITING")),
        ("ARTSITE_MAX_WAITING", "0", lambda: env.integer("ARTSITE_MAX_WAITING", 1)),
        ("ARTSITE_DEVICE", "gpu", lambda: env.matching("ARTSITE_DEVICE", r"(cpu|cuda)?", "cpu or cuda")),
        ("ARTSITE_PROFILE", "cloud", lambda: env.choice("ARTSITE_PROFILE", ("laptop", "service"))),
    ],
)
def test_a_value_that_cannot_be_read_is_an_error_that_names_the_variable(
    name: str, value: str, reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(env.EnvironmentProblem, match=name):
        reader()


def test_a_list_drops_empty_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARTSITE_HOSTS", "a.example, ,b.example,")
    assert env.words("ARTSITE_HOSTS") == ["a.example", "b.example"]


# --- URLs of services -----------------------------------------------------------------------------


def test_a_database_url_becomes_settings(tmp_path: Path) -> None:
    found = services.database("postgres://art:p%40ss@db.example:6432/studio?sslmode=require", tmp_path)
    assert (found["NAME"], found["USER"], found["PASSWORD"]) == ("studio", "art", "p@ss")
    assert (found["HOST"], found["PORT"]) == ("db.example", 6432)
    assert found["OPTIONS"]["sslmode"] == "require"
    on_socket = services.database("postgresql://postgres:@/postgres?host=/run/pg", tmp_path)
    assert on_socket["HOST"] == "/run/pg"
    assert "host" not in on_socket["OPTIONS"]


@pytest.mark.parametrize("url", ["mysql://a@b/c", "postgres://a@b:port/c"])
def test_a_database_that_is_not_supported_is_an_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(env.EnvironmentProblem, match="DATABASE_URL"):
        services.database(url, tmp_path)


def test_a_mail_url_becomes_settings() -> None:
    found = services.mail("smtp://post:s%2Fecret@mail.example?from=studio@art.example")
    assert (found.host, found.port, found.user, found.password) == ("mail.example", 587, "post", "s/ecret")
    assert (found.use_tls, found.use_ssl, found.sender) == (True, False, "studio@art.example")
    implicit = services.mail("smtps://mail.example")
    assert (implicit.port, implicit.use_tls, implicit.use_ssl) == (465, False, True)
    assert services.mail("").backend.endswith("console.EmailBackend")


def test_a_mail_url_that_is_none_never_shows_its_password() -> None:
    with pytest.raises(env.EnvironmentProblem) as caught:
        services.mail("smtp://post:hunter2@mail.example:no")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(env.EnvironmentProblem, match="ARTSITE_EMAIL_URL"):
        services.mail("mail.example")


# --- The data folder ------------------------------------------------------------------------------


def test_the_secret_key_is_made_once_and_only_we_may_read_it(tmp_path: Path) -> None:
    data = tmp_path / "var"
    key = paths.read_or_make_secret_key(data)
    assert len(key) >= 50
    assert paths.read_or_make_secret_key(data) == key
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert stat.S_IMODE((data / "secret_key").stat().st_mode) == 0o600


def test_a_long_path_moves_the_socket_to_a_short_one(tmp_path: Path) -> None:
    assert paths.socket_path(Path("/srv/art")) == Path("/srv/art/redis.sock")
    deep = tmp_path / ("d" * 120)
    assert len(str(paths.socket_path(deep))) <= paths.SOCKET_PATH_LIMIT
    assert paths.socket_path(deep) != paths.socket_path(tmp_path / ("e" * 120))


def test_a_path_in_an_address_is_quoted(tmp_path: Path) -> None:
    """``#``, ``?``, ``%`` and ``&`` may stand in the name of a folder."""
    data = tmp_path / "a #b?c%20&画"
    path, broker, channels, cache = paths.redis_urls("", data)
    assert path == data / "redis.sock"
    assert url_to_parts(broker.removeprefix("redis+")).path == str(path).removeprefix("/")
    for url, number in ((channels, 1), (cache, 2)):
        found = parse_url(url)
        assert (found["path"], found["db"]) == (str(path), number)


def test_two_studios_on_one_host_have_cookies_of_their_own() -> None:
    assert paths.cookie_prefix("one") == paths.cookie_prefix("one") != paths.cookie_prefix("two")
    names = {configured.SESSION_COOKIE_NAME, configured.CSRF_COOKIE_NAME}
    assert names.isdisjoint({"sessionid", "csrftoken"})
    assert "one" not in paths.cookie_prefix("one").removeprefix("artsite_")


# --- Whole settings in a fresh process ------------------------------------------------------------


def test_a_laptop_needs_no_variable_at_all(child_environment: dict[str, str], tmp_path: Path) -> None:
    found = settings_with(
        child_environment,
        {"ARTSITE_DATA": str(tmp_path)},
        "DEBUG",
        "SECURE_SSL_REDIRECT",
        "DATABASES",
        "REDIS_SOCKET",
    )
    assert found["DEBUG"] is False
    assert found["SECURE_SSL_REDIRECT"] is False
    assert found["DATABASES"]["default"]["NAME"] == f"{tmp_path}/artsite.sqlite3"
    assert found["REDIS_SOCKET"] == f"{tmp_path}/redis.sock"


def test_every_variable_changes_what_it_says(child_environment: dict[str, str], tmp_path: Path) -> None:
    variables = {
        **SERVICE,
        "ARTSITE_DATA": str(tmp_path / "data"),
        "ARTSITE_STATIC": str(tmp_path / "static"),
        "ARTSITE_MEDIA_URL": "/protected/",
        "ARTSITE_S3_BUCKET": "works",
        "ARTSITE_LEASE_SECONDS": "7",
        "ARTSITE_SWEEP_SECONDS": "2",
        "ARTSITE_MAX_WAITING": "3",
        "ARTSITE_JOBS_PER_DAY": "4",
        "ARTSITE_MAX_UPLOAD_MB": "5",
        "ARTSITE_EMAIL_URL": "smtps://mail.example?from=studio@art.example",
        "ARTSITE_LOG_FORMAT": "json",
        "ARTSITE_LOG_LEVEL": "WARNING",
    }
    expected = {
        "DATA": str(tmp_path / "data"),
        "STATIC_ROOT": str(tmp_path / "static"),
        "MEDIA_ACCEL_LOCATION": "/protected/",
        "SECRET_KEY": SERVICE["ARTSITE_SECRET_KEY"],
        "ALLOWED_HOSTS": ["art.example"],
        "CSRF_TRUSTED_ORIGINS": ["https://art.example"],
        "SECURE_SSL_REDIRECT": True,
        "SESSION_COOKIE_SECURE": True,
        "CELERY_BROKER_URL": "redis://broker:6379/0",
        "REDIS_SOCKET": None,
        "ARTSITE_LEASE_SECONDS": 7,
        "ARTSITE_SWEEP_SECONDS": 2,
        "ARTSITE_MAX_WAITING": 3,
        "ARTSITE_JOBS_PER_DAY": 4,
        "ARTSITE_MAX_UPLOAD_BYTES": 5 * 2**20,
        "EMAIL_HOST": "mail.example",
        "DEFAULT_FROM_EMAIL": "studio@art.example",
    }
    found = settings_with(child_environment, variables, *expected, "STORAGES", "LOGGING", "DATABASES")
    assert {name: found[name] for name in expected} == expected
    assert found["STORAGES"]["default"]["OPTIONS"]["bucket_name"] == "works"
    assert "JsonFormatter" in found["LOGGING"]["formatters"]["line"]["()"]
    assert found["LOGGING"]["root"]["level"] == "WARNING"
    assert found["DATABASES"]["default"]["PASSWORD"] == "p@ss"


def test_the_deployment_check_is_clean_in_service(
    child_environment: dict[str, str], root: Path, tmp_path: Path
) -> None:
    answer = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env={**child_environment, **SERVICE, "ARTSITE_DATA": str(tmp_path / "data")},
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr


# --- What the checks find -------------------------------------------------------------------------


BUCKET = {
    "default": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"bucket_name": "art"}},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}


def found_ids(messages: list[CheckMessage]) -> set[str]:
    return {str(message.id) for message in messages}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"DEBUG": True}, "artsite.E004"),
        ({"ORIGINS": []}, "artsite.E005"),
        ({"ORIGINS": ["http://art.example"]}, "artsite.E006"),
        ({"ORIGINS": ["https://art.example/studio"]}, "artsite.E006"),
        ({"ALLOWED_HOSTS": ["*"]}, "artsite.E007"),
        ({"EMAIL_HOST": ""}, "artsite.E009"),
        ({"MEDIA_ACCEL_LOCATION": "protected"}, "artsite.E002"),
        ({"STORAGES": BUCKET, "MEDIA_ACCEL_LOCATION": "/protected/"}, "artsite.E008"),
    ],
)
def test_an_unsafe_service_does_not_start(change: dict[str, Any], expected: str, settings: Any) -> None:
    safe = {
        "SERVICE": True,
        "ORIGINS": ["https://art.example"],
        "ALLOWED_HOSTS": ["art.example"],
        "EMAIL_HOST": "mail.example",
        "DEBUG": False,
    }
    for name, value in safe.items():
        setattr(settings, name, value)
    assert found_ids(checks.configuration_is_safe()) == set()
    for name, value in change.items():
        setattr(settings, name, value)
    assert found_ids(checks.configuration_is_safe()) == {expected}


def test_a_secret_key_that_others_can_read_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.DATA = tmp_path
    (tmp_path / "secret_key").write_text("secret")
    (tmp_path / "secret_key").chmod(0o644)
    assert "artsite.E003" in found_ids(checks.configuration_is_safe())


def test_one_machine_parts_in_service_are_warned_about(settings: Any) -> None:
    settings.SERVICE = True
    settings.ALLOWED_HOSTS = ["localhost"]
    assert {"artsite.W002", "artsite.W003", "artsite.W004"} <= found_ids(
        checks.deployment_keeps_its_promises()
    )
    settings.SERVICE = False
    assert found_ids(checks.deployment_keeps_its_promises()) == {"artsite.W001"}
