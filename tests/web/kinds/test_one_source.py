"""What is known of a kind stands in its own files: no other module names it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gallery import kinds

FOLDERS = ("artsite", "gallery", "workers", "templates")
OWN = (
    r"gallery/kinds/{slug}\.py",
    r"gallery/(migrations|locale)/",
    r"templates/kinds/{slug}/",
    r"workers/engines/{slug}\.py",
    r"workers/training/",
    r"workers/weights/",
    r"workers/registry\.py",
)
"""Where a kind may be named: its own files, its engine, its training and weights, and the list of engines."""


@pytest.mark.parametrize("slug", kinds.KINDS)
def test_no_other_module_names_a_kind(root: Path, slug: str) -> None:
    found = subprocess.run(
        ["git", "grep", "--untracked", "-InE", f"[\"']{slug}[\"']", "--", *FOLDERS],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    named = found.stdout.splitlines()
    own = re.compile("|".join(OWN).format(slug=slug))
    # A tool of the region's canvas, and models whose folder has the name of their first kind.
    other = re.compile(r"js/region\.js.*tool|data-region-tool=|weights\.find\(|MODEL = |name: str = ")
    assert [line for line in named if not own.match(line) and not other.search(line)] == []
