"""What is known of a kind stands in its own files: no other module names it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from gallery import kinds

OWN = (
    r"gallery/kinds/",
    r"gallery/(migrations|locale)/",
    r"templates/kinds/{slug}/",
    r"workers/engines/",
    r"workers/training/",
    r"workers/weights/",
    r"workers/registry\.py",
)
"""Where a kind may be named: its own files, its engine, its training and weights, and the list of engines."""


@pytest.mark.parametrize("slug", kinds.KINDS)
def test_no_other_module_names_a_kind(root: Path, slug: str) -> None:
    named = subprocess.run(
        ["git", "grep", "-InE", f"[\"']{slug}[\"']", "--", "artsite", "gallery", "workers", "templates"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    own = re.compile("|".join(OWN).format(slug=slug))
    # A tool of the region's canvas and a folder of weights, not the kind.
    other = re.compile(r"js/region\.js|data-region-tool=|weights\.find\(")
    assert [line for line in named if not own.match(line) and not other.search(line)] == []
