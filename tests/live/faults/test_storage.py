"""A disk that runs full under a studio: nothing is lost, nothing fails for good, and everybody is told."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.faults.invariants import Witness, assert_hold
from tests.live.faults.supervision import ENVIRONMENT
from tests.live.stack import Stack
from tests.live.visitor import Visitor

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]
DISK = "60m"
MARK_MB = 8


@pytest.fixture
def stack(tmp_path: Path, migrated: Path, collected: Path) -> Iterator[Stack]:
    """A whole studio whose data folder is a disk of 60 MB, in memory."""
    env = {**ENVIRONMENT, "ARTSITE_MIN_FREE_MB": str(MARK_MB), "ARTSITE_STATIC": str(collected)}
    with Stack(tmp_path / "studio", env=env, template=migrated) as one:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(one.data)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("this machine does not let us mount a disk of our own")
        try:
            shutil.copyfile(migrated, one.data / "artsite.sqlite3")
            one.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            one.start_all()
            yield one
        finally:
            one.close()
            subprocess.run(["umount", "-l", str(one.data)], check=True)


def fill(stack: Stack, leave: int) -> Path:
    """A file that leaves about ``leave`` bytes of the disk, or nothing at all."""
    ballast = stack.data / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while shutil.disk_usage(stack.data).free > leave:
                file.write(bytes(2**12 if leave == 0 else 2**16))
        except OSError:
            assert leave == 0
    return ballast


@pytest.mark.parametrize("leave", [MARK_MB * 2**20 // 2, 0], ids=["low", "full"])
def test_f15_a_full_disk_loses_nothing(stack: Stack, leave: int) -> None:
    with Witness(stack) as witness, Visitor(stack.url, stack.cookie("ana")) as ana:
        jobs = [ana.submit(prompt="before")]
        stack.wait_state(jobs[0], "succeeded")
        jobs.append(ana.submit(prompt="steps=30 pause=0.1"))
        stack.wait_state(jobs[1], "running")
        jobs.append(ana.submit(prompt="waiting"))
        fields = ana.form()
        ballast = fill(stack, leave)
        refused = ana.send("paint", {**fields, "prompt": "harbour at dawn"})
        assert refused.status_code == 503
        assert "harbour at dawn" in refused.text
        assert "disk is full" in refused.text
        assert ana.get("/readyz").json()["storage"] in ("low", "full")
        # What is there can be looked at.
        assert ana.get("/works/").status_code == 200
        # The job at work ends while there is no room: it is kept until there is, or waits again.
        log = stack.worker().log
        stack.wait_for(
            lambda: any(said in log.read_text("utf-8") for said in ("no work is taken", "disk is full")),
            timeout=30,
        )
        ballast.unlink()
        jobs.append(ana.submit(prompt="harbour at dawn"))
        rows = stack.wait_final(*jobs, timeout=120)
        assert [row["state"] for row in rows] == ["succeeded"] * 4
    assert_hold(stack, jobs, witness)
