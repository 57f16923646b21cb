"""What gets installed: exact versions from anywhere, and a web without torch."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from artsite import studio


@pytest.fixture
def project(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    return found


def constraints(root: Path) -> dict[str, str]:
    lines = [line for line in (root / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pairs = [re.fullmatch(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)", line) for line in lines]
    assert all(pairs), [line for line, pair in zip(lines, pairs, strict=True) if not pair]
    return {pair[1].lower().replace("_", "-"): pair[2] for pair in pairs if pair}


def names(requirements: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {match[0].lower().replace("_", "-") for match in found if match}


def test_every_direct_requirement_has_an_exact_version(project: dict[str, Any], root: Path) -> None:
    direct = names(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        direct |= names(extra)
    assert direct - {"artsite"} <= set(constraints(root))


def test_these_tests_ran_with_the_exact_versions(root: Path) -> None:
    different = {}
    for name, version in constraints(root).items():
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # another platform's
        if installed.partition("+")[0] != version:
            different[name] = installed
    assert different == {}


def test_the_web_needs_no_torch(project: dict[str, Any]) -> None:
    assert not names(project["dependencies"]) & {"torch", "torchvision", "numpy", "safetensors"}
    assert "torch" in names(project["optional-dependencies"]["worker"])


def test_images_are_built_from_what_the_context_lets_through(root: Path) -> None:
    allowed = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in ("web", "worker"):
        text = (root / "deploy" / f"{name}.Dockerfile").read_text()
        copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M)
        assert {word for line in copied for word in line.split()} <= allowed
        assert "USER 10001:10001" in text
    web = (root / "deploy" / "web.Dockerfile").read_text()
    assert not re.search(r"^COPY workers", web, re.M)
    assert "'.[s3]'" in web


def test_make_and_the_build_machine_call_the_same_checks(root: Path) -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", "test"], cwd=root, capture_output=True, text=True, check=True
    ).stdout
    for command in ("ruff check", "ruff format --check", "bin/mypy", "lint-imports", "-m pytest"):
        assert command in planned
    script = (root / ".ci" / "run").read_text()
    assert "export CI=true" in script
    assert script.rstrip().endswith("exec make test")
    assert (root / ".ci" / "run").stat().st_mode & 0o111
    subprocess.run(["bash", "-n", root / ".ci" / "run"], check=True)


def test_the_readme_shows_the_commands_that_the_studio_runs(root: Path) -> None:
    chapter = (
        (root / "docs/operations.md").read_text().split("## Each process by itself")[1].split("\n## ")[0]
    )
    commands = chapter.replace("\\\n", " ")
    celery = re.search(r"^ +(celery .*)$", commands, re.M)
    assert celery
    expected = [word for word in studio.worker_command("studio")[2:] if word != "-q"]
    assert celery[1].split() == expected
    uvicorn = re.search(r"^ +uvicorn artsite.asgi:application --port 8000 (.*)$", commands, re.M)
    assert uvicorn
    flags = " ".join(studio.WEB_FLAGS)
    assert all(flag in flags for flag in re.findall(r"--\S+(?: [^-\s]\S*)?", uvicorn[1]))
    assert "manage.py scheduler" in commands
    assert "manage.py migrate" in commands
