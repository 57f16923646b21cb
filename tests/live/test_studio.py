"""One command: the real ``manage.py studio`` in a folder of its own, started, killed and stopped."""

from __future__ import annotations

import json
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.studio_process import Studio, get, still_alive

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def studio(
    root: Path,
    child_environment: dict[str, str],
    valkey_binary: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Studio]:
    """A studio after its first start, shared by the tests that leave it running.

    The name of its folder has everything that means something else in an address.
    """
    with Studio(root, tmp_path_factory.mktemp("studio") / "a #b?c%20&画", child_environment) as running:
        running.wait_until_ready()
        yield running


def refused(root: Path, environment: dict[str, str], *arguments: str) -> str:
    """What a studio says that does not start."""
    answer = subprocess.run(
        [sys.executable, "manage.py", "studio", *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 1, answer.stdout
    assert "Traceback" not in answer.stderr
    return answer.stderr


def test_the_first_start_answers(
    root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    with Studio(root, tmp_path / "var", child_environment) as studio:
        address = studio.wait_until_ready()
        status, page = get(address + "/")
        assert status == 200
        assert "<title>" in page


def test_the_folder_is_private_and_the_administrator_gets_a_link(studio: Studio) -> None:
    address = studio.wait_until_ready()
    assert stat.S_IMODE(studio.data.stat().st_mode) == 0o700
    assert stat.S_IMODE((studio.data / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE((studio.data / "redis.sock").stat().st_mode) == 0o700
    link = studio.wait_for_line(r"make the administrator, once: (http://\S+)").group(1)
    assert link.startswith(address)
    assert get(link)[0] == 200


def test_a_work_is_made_from_the_terminal_before_there_is_an_administrator(
    studio: Studio, root: Path, child_environment: dict[str, str], tmp_path: Path
) -> None:
    studio.wait_for_line("worker-1 is ready")
    made = tmp_path / "sea.png"
    words = ("paint", "--prompt", "sea", "--count", "1", "--set", "size=256", "--out", str(made))
    done = subprocess.run(
        [sys.executable, "manage.py", "submit", *words, "--data", str(studio.data)],
        cwd=root,
        env=child_environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert made.read_bytes().startswith(b"\x89PNG")


def test_another_address_of_this_machine_is_answered(
    root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    arguments = ("--port", "0", "--host", "127.0.0.2")
    with Studio(root, tmp_path / "var", child_environment, arguments=arguments) as studio:
        address = studio.wait_until_ready()
        assert address.startswith("http://127.0.0.2:")
        assert get(address + "/")[0] == 200


@pytest.mark.parametrize("port", ["-1", "99999"])
def test_a_port_that_is_none_is_refused(
    root: Path, child_environment: dict[str, str], tmp_path: Path, port: str
) -> None:
    said = refused(root, child_environment, f"--port={port}", "--data", str(tmp_path / "var"))
    assert "--port: 0 (any free one) to 65535" in said


def test_every_line_names_its_process(studio: Studio) -> None:
    studio.wait_until_ready()
    names = {line.split("│")[0].strip() for line in studio.lines}
    assert {"studio", "web", "scheduler", "worker-1"} <= names
    assert names <= {"studio", "broker", "web", "scheduler", "worker-1"}


def test_a_second_studio_is_told_who_holds_the_folder(
    studio: Studio, root: Path, child_environment: dict[str, str]
) -> None:
    address = studio.wait_until_ready()
    said = refused(root, child_environment, "--data", str(studio.data), "--port", "0")
    assert f"process {studio.process.pid}" in said
    assert address in said


def test_a_second_studio_is_told_who_holds_the_port(
    studio: Studio, root: Path, child_environment: dict[str, str], tmp_path: Path
) -> None:
    port = studio.wait_until_ready().rpartition(":")[2]
    said = refused(root, child_environment, "--data", str(tmp_path / "other"), "--port", port)
    assert f"Port {port}" in said
    assert f"process {studio.child('uvicorn').pid}" in said


def test_an_address_beyond_this_machine_is_refused(
    root: Path, child_environment: dict[str, str], tmp_path: Path
) -> None:
    for host in ("0.0.0.0", "::"):
        said = refused(root, child_environment, "--host", host, "--data", str(tmp_path / "var"))
        assert "ARTSITE_PROFILE=service" in said


@pytest.mark.parametrize("part", ["celery", "uvicorn", "scheduler", "valkey-server"])
def test_a_child_that_is_killed_comes_back(studio: Studio, part: str) -> None:
    address = studio.wait_until_ready()
    killed, seen = studio.child(part), len(studio.lines)
    killed.kill()
    name = studio.wait_for_line(r"studio +│ (\S+) was killed by SIGKILL; again in", 10, seen).group(1)
    studio.wait_for_line(rf"{name} is ready after", 30, seen)
    assert studio.child(part).pid != killed.pid
    assert get(address + "/")[0] == 200


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_stops_everything_within_ten_seconds(
    times: int, root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    with Studio(root, tmp_path / "var", child_environment, ("--port", "0", "--workers", "2")) as studio:
        studio.wait_until_ready()
        children = studio.children()
        assert len(children) == 5
        asked = time.monotonic()
        for _ in range(times):
            studio.interrupt()
            studio.wait_for_line("stopping; once more to kill", 5)
        assert studio.process.wait(10) == 0
        assert time.monotonic() - asked < 10
        assert still_alive(children, 0) == []
        assert not any("Traceback" in line for line in studio.lines), "\n".join(studio.lines)


def test_a_studio_that_is_killed_leaves_no_process_behind_and_starts_again(
    root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    with Studio(root, tmp_path / "var", child_environment) as studio:
        studio.wait_until_ready()
        children = studio.children()
        studio.process.send_signal(signal.SIGKILL)
        studio.process.wait(5)
        assert still_alive(children, 5) == []
    with Studio(root, tmp_path / "var", child_environment) as again:
        assert get(again.wait_until_ready() + "/")[0] == 200


def test_a_studio_in_the_middle_of_its_start_stops_too(
    root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    with Studio(root, tmp_path / "var", child_environment) as studio:
        studio.wait_for_line("broker is ready")
        children = studio.children()
        studio.process.terminate()
        studio.process.wait(10)
        assert still_alive(children, 0) == []


def test_a_broker_that_cannot_start_is_said_in_one_sentence(
    root: Path, child_environment: dict[str, str], tmp_path: Path
) -> None:
    missing = {**child_environment, "ARTSITE_BROKER_BINARY": "no-such-server"}
    assert "ARTSITE_BROKER_BINARY" in refused(root, missing, "--data", str(tmp_path / "a"), "--port", "0")
    broken = {**child_environment, "ARTSITE_BROKER_BINARY": "false"}
    assert "broker did not start" in refused(root, broken, "--data", str(tmp_path / "b"), "--port", "0")


def test_the_log_can_be_json_lines_and_the_socket_may_be_elsewhere(
    root: Path, child_environment: dict[str, str], valkey_binary: str, tmp_path: Path
) -> None:
    data = tmp_path / ("deep" * 30) / "var"
    data.parent.mkdir()
    with Studio(root, data, {**child_environment, "ARTSITE_LOG_FORMAT": "json"}) as studio:
        studio.wait_for_line(r"ready: http")
        lines = [json.loads(line) for line in studio.lines]
        assert {"studio", "web", "scheduler", "worker-1"} <= {line["part"] for line in lines}
        assert all("message" in line for line in lines)
        assert not (data / "redis.sock").exists()
