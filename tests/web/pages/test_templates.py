"""How templates are written: lines that can be read, and styles and scripts only in the head of a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted([*(ROOT / "templates").rglob("*.html"), *(ROOT / "gallery").rglob("*.html")])
LONGEST_LINE = 159


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", TEMPLATES, ids=named)
def test_lines_stay_under_160_characters(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert not [number for number, line in enumerate(lines, 1) if len(line) > LONGEST_LINE]


@pytest.mark.parametrize("path", [one for one in TEMPLATES if one.name.startswith("_")], ids=named)
def test_partials_bring_no_styles_and_no_scripts(path: Path) -> None:
    """They stand in the body, some of them several times, and scripts of fetched parts never run."""
    assert not re.findall(r"<(?:link|script)\b", path.read_text())
