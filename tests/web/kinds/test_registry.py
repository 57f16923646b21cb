"""The list of engines: names only, duplicates refused, nothing loaded before it is needed."""

from __future__ import annotations

import pytest

from gallery import kinds
from tests.toy_engines import ToyPaint
from workers.registry import EngineUnavailable, Registry, RegistryError


def test_every_kind_has_an_engine() -> None:
    assert set(Registry(overrides="").kinds) == set(kinds.KINDS)


def test_two_engines_for_one_kind_are_refused_by_name() -> None:
    with pytest.raises(RegistryError, match=r"two engines for 'paint'.*b:B"):
        Registry([("paint", "a:A"), ("paint", "b:B")], "")
    with pytest.raises(RegistryError, match="two engines for 'paint'"):
        Registry([], "paint=a:A,paint=b:B")


@pytest.mark.parametrize("text", ["paint", "paint=module", "paint=:Class", "paint=module:", "paint=a:b c"])
def test_an_override_that_is_no_path_to_a_class_is_refused(text: str) -> None:
    with pytest.raises(RegistryError, match="paint"):
        Registry([], text)


def test_an_override_replaces_an_entry_and_an_engine_is_made_once() -> None:
    registry = Registry(overrides="paint=tests.toy_engines:ToyPaint")
    assert registry.peek("paint") is None
    engine = registry.engine("paint")
    assert isinstance(engine, ToyPaint)
    assert registry.engine("paint") is engine
    assert [(one.kind, one.name) for one in registry.loaded] == [("paint", "toy")]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("no.such.module:Engine", "no.such.module|No module"),
        ("tests.toy_engines:NoSuchClass", "NoSuchClass"),
        ("tests.toy_engines:BrokenToy", "libcuda"),
        ("tests.toy_engines:Orders", "Orders"),
        ("collections:OrderedDict", "lacks kind, batch_size"),
    ],
)
def test_an_engine_that_cannot_be_loaded_says_why(path: str, reason: str) -> None:
    with pytest.raises(EngineUnavailable, match=reason):
        Registry([("paint", path)], "").engine("paint")


def test_a_kind_without_an_engine_is_unavailable() -> None:
    with pytest.raises(EngineUnavailable, match="no engine for 'sculpt'"):
        Registry(overrides="").engine("sculpt")
