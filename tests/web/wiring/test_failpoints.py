"""Fail points do nothing unless they are armed, and then exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

REACH = """
from gallery.failpoints import reach
for _ in range(3):
    reach("claimed")
    print("passed", flush=True)
"""


def run(root: Path, armed: str | None) -> subprocess.CompletedProcess[str]:
    env = {} if armed is None else {"ARTSITE_FAILPOINTS": armed}
    return subprocess.run(
        [sys.executable, "-c", REACH], cwd=root, env=env, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("armed", [None, "", "committed:kill"])
def test_a_point_that_is_not_armed_is_passed(root: Path, armed: str | None) -> None:
    done = run(root, armed)
    assert (done.returncode, done.stdout.split()) == (0, ["passed"] * 3)


def test_kill_happens_the_nth_time(root: Path) -> None:
    done = run(root, "claimed:kill:2")
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["passed"])


def test_raise_names_the_point(root: Path) -> None:
    done = run(root, "committed:kill, claimed:raise")
    assert "FailPointReached: claimed" in done.stderr


@pytest.mark.parametrize("armed", ["nowhere:kill", "claimed", "claimed:explode", "claimed:kill:soon"])
def test_a_mistake_is_an_error_at_start(root: Path, armed: str) -> None:
    assert "FailPointsInvalid" in run(root, armed).stderr
