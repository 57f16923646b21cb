"""What an engine is asked for, as typed fields.

Parameters reach an engine complete, cleaned and bounded: the kinds in ``gallery.kinds`` hold every default
and every limit. A request only gives them names and types, so it has neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, get_type_hints

from workers.engines.base import InvalidRequest


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters of one kind, a field for each: of ``str``, ``int``, ``float`` or ``bool``.

    An engine names its own as ``request``; ``tests/engine/test_requests.py`` compares the fields with the
    parameters of the kind.
    """

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """The request in complete ``parameters``; whole numbers are taken for ``float``.

        Raises InvalidRequest naming a parameter that is missing, unknown or of another type.
        """
        types = get_type_hints(cls)
        names = [field.name for field in fields(cls)]
        if missing := [name for name in names if name not in parameters]:
            raise InvalidRequest(f"{cls.__name__} lacks {', '.join(missing)}")
        if unknown := sorted(set(parameters) - set(names)):
            raise InvalidRequest(f"{cls.__name__} has no {', '.join(unknown)}")
        return cls(**{name: _typed(name, parameters[name], types[name]) for name in names})


def _typed(name: str, value: Any, wanted: type) -> Any:
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise InvalidRequest(f"{name} is {value!r}, not {wanted.__name__}")
    return value
