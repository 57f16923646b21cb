"""Requests of engines: typed, complete, and the same as the kinds' parameters."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, fields
from typing import get_type_hints

import pytest

from gallery import kinds
from workers.engines.base import InvalidRequest
from workers.engines.request import Request
from workers.registry import ENGINES

TEXTS = ("text", "choice", "style", "features")
TYPES = {"integer": int, "number": float, "boolean": bool} | dict.fromkeys(TEXTS, str)


def requests() -> dict[str, type[Request]]:
    """Kind -> what its engine takes."""
    found = {}
    for kind, path in ENGINES:
        module, _, name = path.partition(":")
        found[kind] = getattr(importlib.import_module(module), name).request
    return found


REQUESTS = requests()


@dataclass(frozen=True, slots=True)
class Sample(Request):
    text: str
    count: int
    share: float
    mirrored: bool


COMPLETE = {"text": "sea", "count": 2, "share": 1, "mirrored": False}


def test_a_request_has_the_types_of_its_fields() -> None:
    request = Sample.from_parameters(COMPLETE)
    assert request == Sample("sea", 2, 1.0, mirrored=False)
    assert type(request.share) is float


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"count": True}, "count is True, not int"),
        ({"count": 2.0}, "count is 2.0, not int"),
        ({"share": "1"}, "share is '1', not float"),
        ({"mirrored": 1}, "mirrored is 1, not bool"),
        ({"colour": "red"}, "Sample has no colour"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        Sample.from_parameters(COMPLETE | changes)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InvalidRequest, match="Sample lacks count, share"):
        Sample.from_parameters({"text": "", "mirrored": True})


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_has_the_parameters_of_its_kind(kind: str) -> None:
    """Neither side can gain, lose or retype a parameter alone, and only the kind has defaults."""
    request = REQUESTS[kind]
    wanted = {param.name: TYPES[param.type] for param in kinds.kind(kind).params}
    assert get_type_hints(request) == wanted
    for field in fields(request):
        assert field.default is field.default_factory, f"{kind}: {field.name} has a default"
