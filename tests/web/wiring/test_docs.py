"""The documentation: links lead somewhere, files that it names exist, commands marked runnable run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("workers/weights/*/*.md"),
        *ROOT.glob(".github/*.md"),
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
RUNNABLE = re.compile(r"^```sh runnable\n(.*?)^```", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"`((?:artsite|gallery|workers|templates|tests|deploy|docs)/[\w./-]*)`")
PAST_AND_FUTURE = ("CHANGELOG.md", "extending.md")
"""Pages that name files of the past, or files that their reader makes (tests/live/test_extending.py)."""
FAULT = re.compile(r"^\| (F\d+) \|", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """The name that a heading is linked by."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def called(page: Path) -> str:
    """How a test calls a page."""
    return str(page.relative_to(ROOT))


def broken(page: Path, target: str) -> bool:
    """Whether a link of ``page`` leads nowhere; addresses on other sites are not followed."""
    if re.match(r"[a-z]+:", target):
        return False
    path, _, fragment = target.partition("#")
    aim = (page.parent / path).resolve() if path else page
    if not aim.exists():
        return True
    return bool(fragment) and fragment not in map(anchor, HEADING.findall(aim.read_text("utf-8")))


def commands() -> list[tuple[str, str]]:
    return [
        (str(page.relative_to(ROOT)), line)
        for page in PAGES
        for block in RUNNABLE.findall(page.read_text("utf-8"))
        for line in block.strip().splitlines()
    ]


@pytest.mark.parametrize("page", PAGES, ids=called)
def test_links_lead_somewhere(page: Path) -> None:
    assert [target for target in LINK.findall(page.read_text("utf-8")) if broken(page, target)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in PAST_AND_FUTURE], ids=called)
def test_files_that_a_page_names_exist(page: Path) -> None:
    named = {name for name in FILE.findall(page.read_text("utf-8")) if "<" not in name}
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("fault", FAULT.findall((ROOT / "docs/reliability.md").read_text("utf-8")))
def test_the_test_of_a_fault_exists(fault: str) -> None:
    """The list of faults names files and the beginnings of test names."""
    text = (ROOT / "docs/reliability.md").read_text("utf-8")
    (row,) = (line for line in text.splitlines() if line.startswith(f"| {fault} |"))
    file, *names = re.findall(r"`([\w./]+)`", row)
    source = (ROOT / file).read_text("utf-8")
    assert all(f"def {name}" in source for name in names)


@pytest.mark.parametrize(("page", "command"), commands())
def test_runnable_commands_run(page: str, command: str) -> None:
    search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env={**os.environ, "PATH": search, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"


NAMED = re.compile(r"`([\w-]+)`(?: and `([\w-]+)`)? (?:in|of) `([\w/.-]+\.\w+)`")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        (name, file)
        for *names, file in NAMED.findall((ROOT / "docs/where.md").read_text("utf-8"))
        for name in names
        if name
    ],
)
def test_what_one_changes_is_where_the_page_says(name: str, file: str) -> None:
    assert name in (ROOT / file).read_text("utf-8")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 200
