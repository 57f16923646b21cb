"""Log lines carry the job they are about, and nobody can forge one."""

from __future__ import annotations

import json
import logging
import sys
import threading

from artsite.logging import JobFilter, JsonFormatter, NoConnections, PlainFormatter, job_context

JOB = "1f2e3d4c-0000-4000-8000-000000000000"


def record(message: str, *args: object, error: bool = False) -> logging.LogRecord:
    made = logging.LogRecord("gallery.jobs", logging.INFO, "f.py", 1, message, args, None)
    if error:
        try:
            raise ValueError("no\nway")
        except ValueError:
            made.exc_info = sys.exc_info()
    JobFilter().filter(made)
    return made


def test_lines_written_in_a_jobs_context_name_the_job_and_others_do_not() -> None:
    before = PlainFormatter().format(record("idle"))
    with job_context(JOB):
        plain = PlainFormatter().format(record("step %d", 3))
        as_json = json.loads(JsonFormatter().format(record("step %d", 3)))
        elsewhere: list[str] = []
        thread = threading.Thread(target=lambda: elsewhere.append(PlainFormatter().format(record("other"))))
        thread.start()
        thread.join()
    with job_context(JOB, "2a" * 16):
        batch = PlainFormatter().format(record("batch"))
    assert "[job 1f2e3d4c] step 3" in plain
    assert "[job 1f2e3d4c 2a2a2a2a] batch" in batch
    assert as_json["job"] == JOB
    assert as_json["message"] == "step 3"
    assert "[job" not in before + elsewhere[0] + PlainFormatter().format(record("after"))


def test_a_value_cannot_forge_a_line_or_move_the_cursor() -> None:
    evil = "a\n12:00:00 INFO root pwned\r\x1b[2J\x9b"
    plain = PlainFormatter().format(record("prompt %s", evil))
    assert len(plain.splitlines()) == 1
    assert not {"\x1b", "\r", "\x9b"} & set(plain)
    as_json = JsonFormatter().format(record("prompt %s", evil))
    assert len(as_json.splitlines()) == 1
    assert json.loads(as_json)["message"] == f"prompt {evil}"


def test_a_traceback_stays_readable() -> None:
    plain = PlainFormatter().format(record("failed", error=True))
    assert "Traceback" in plain.splitlines()[1]
    as_json = JsonFormatter().format(record("failed", error=True))
    assert "ValueError: no" in json.loads(as_json)["exception"]


def test_a_socket_leaves_no_line_with_its_address() -> None:
    keeps = NoConnections().filter
    assert not keeps(record('%s - "WebSocket %s" [accepted]', "192.0.2.1:5", "/ws/"))
    assert not keeps(record("connection open"))
    assert keeps(record("Uvicorn running on %s", "http://127.0.0.1:8000"))
