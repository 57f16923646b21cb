"""What the one-command studio prints, on whatever terminal."""

from __future__ import annotations

import io

import pytest

from artsite.processes import Log


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("utf-8", "web    │ 画 is ready\n"),
        ("gb18030", "web    │ 画 is ready\n"),
        ("ascii", "web    | ? is ready\n"),
    ],
)
def test_a_line_is_printed_in_what_the_terminal_can_show(encoding: str, printed: str) -> None:
    target = io.BytesIO()
    terminal = io.TextIOWrapper(target, encoding=encoding)
    Log(["studio", "web"], terminal).line("web", "画 is ready")
    assert target.getvalue().decode(encoding) == printed
