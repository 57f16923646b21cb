"""The cache outlives Redis: killed, frozen or never there."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from artsite import cache as module
from artsite.broker import broker_command
from artsite.cache import StudioCache

OPTIONS = {"OPTIONS": {"socket_connect_timeout": 0.3, "socket_timeout": 0.5}}


@pytest.fixture(autouse=True)
def _short_breaker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AWAY_SECONDS", 0.2)
    monkeypatch.setattr(module, "_shared", module._Shared())


@pytest.fixture
def server(valkey_binary: str, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = start(valkey_binary, tmp_path)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def start(binary: str, folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        broker_command(binary, folder / "redis.sock", folder), stdout=subprocess.DEVNULL
    )
    while not (folder / "redis.sock").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


def cache_at(folder: Path) -> StudioCache:
    return StudioCache(f"unix://{folder}/redis.sock?db=2", dict(OPTIONS))


def test_values_are_shared_as_json(server: subprocess.Popen[bytes], tmp_path: Path) -> None:
    one, other = cache_at(tmp_path), cache_at(tmp_path)
    one.set("preview", {"index": 0, "fraction": 0.5, "text": "江上"})
    one.set("count", 1)
    assert other.get("preview") == {"index": 0, "fraction": 0.5, "text": "江上"}
    assert other.incr("count") == 2
    assert other.add("count", 9) is False
    assert other.get_many(["count", "nothing"]) == {"count": 2}
    with pytest.raises(TypeError):
        one.set("code", object())


def test_a_limit_still_counts_without_redis(tmp_path: Path) -> None:
    cache = cache_at(tmp_path)
    assert cache.add("signin", 1, 60) is True
    assert [cache_at(tmp_path).incr("signin") for _ in range(3)] == [2, 3, 4]
    cache.delete("signin")


def test_a_frozen_redis_costs_one_caller_half_a_second(
    server: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_at(tmp_path)
    cache.set("a", "redis")
    monkeypatch.setattr(module, "AWAY_SECONDS", 30)
    server.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    assert [cache.get("a") for _ in range(50)] == [None] * 50
    assert time.monotonic() - started < 0.9


def test_redis_is_used_again_once_it_is_back(
    server: subprocess.Popen[bytes], valkey_binary: str, tmp_path: Path
) -> None:
    cache = cache_at(tmp_path)
    cache.set("a", "first")
    server.kill()
    server.wait()
    cache.set("a", "meanwhile")
    assert cache.get("a") == "meanwhile"
    (tmp_path / "redis.sock").unlink(missing_ok=True)
    again = start(valkey_binary, tmp_path)
    try:
        deadline = time.monotonic() + 5
        # Its append-only file kept the first value; memory is no longer asked.
        while cache.get("a") != "first":
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        again.kill()
        again.wait()
        cache._local.clear()
