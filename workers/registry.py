"""Which engine makes which kind: names only, so that nothing is loaded before the first job needs it.

To add an engine, add a line to :data:`ENGINES`. ``ARTSITE_ENGINES="paint=my.module:Class,..."``
replaces entries, for operators with engines of their own and for tests.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from workers.engines.base import Engine

logger = logging.getLogger(__name__)

ENGINES: tuple[tuple[str, str], ...] = (
    ("paint", "workers.engines.paint:PaintEngine"),
    ("blend", "workers.engines.blend:BlendEngine"),
    ("upscale", "workers.engines.upscale:UpscaleEngine"),
    ("restyle", "workers.engines.restyle:RestyleEngine"),
    ("dream", "workers.engines.dream:DreamEngine"),
    ("analyse", "workers.engines.analyse:AnalyseEngine"),
    ("verse", "workers.engines.verse:VerseEngine"),
)
REQUIRED = ("kind", "batch_size", "stall_seconds", "model_name", "model_digest", "batch_key", "run")


class RegistryError(Exception):
    """The list of engines is wrong: a duplicate, or an entry that is not ``module:Class``."""


class EngineUnavailable(Exception):
    """The engine cannot be loaded on this machine: its import, its weights or its device failed."""


@dataclass(frozen=True, slots=True)
class LoadedEngine:
    """An engine in memory, as operators see it."""

    kind: str
    name: str
    digest: str


class Registry:
    """Engines by kind; each is constructed once, when it is first asked for."""

    def __init__(self, entries: Iterable[tuple[str, str]] = ENGINES, overrides: str | None = None) -> None:
        """``overrides``: the text of ``ARTSITE_ENGINES``, by default from the environment.

        Raises RegistryError.
        """
        self._paths: dict[str, str] = {}
        self._engines: dict[str, Engine] = {}
        self._lock = threading.Lock()
        for kind, path in entries:
            self._add(kind, path, self._paths)
        text = os.environ.get("ARTSITE_ENGINES", "") if overrides is None else overrides
        replaced: dict[str, str] = {}
        for item in filter(None, (part.strip() for part in text.split(","))):
            kind, separator, path = item.partition("=")
            if not separator:
                raise RegistryError(f"ARTSITE_ENGINES: {item!r} is not kind=module:Class")
            self._add(kind.strip(), path.strip(), replaced)
        self._paths |= replaced

    @staticmethod
    def _add(kind: str, path: str, into: dict[str, str]) -> None:
        module, separator, name = path.partition(":")
        if not (module and separator and name.isidentifier()):
            raise RegistryError(f"the engine of {kind!r} is {path!r}, not module:Class")
        if kind in into:
            raise RegistryError(f"two engines for {kind!r}: {into[kind]} and {path}")
        into[kind] = path

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that has an engine, loaded or not."""
        return tuple(self._paths)

    @property
    def loaded(self) -> list[LoadedEngine]:
        """The engines in memory."""
        with self._lock:
            engines = dict(self._engines)
        return [
            LoadedEngine(kind, engine.model_name, engine.model_digest) for kind, engine in engines.items()
        ]

    def peek(self, kind: str) -> Engine | None:
        """The engine when it is loaded already: quick."""
        with self._lock:
            return self._engines.get(kind)

    def engine(self, kind: str) -> Engine:
        """The engine of ``kind``, loaded now if need be (seconds). Raises EngineUnavailable.

        A failed load is tried again with the next job: weights may be repaired meanwhile.
        """
        engine = self.peek(kind)
        if engine is not None:
            return engine
        path = self._paths.get(kind)
        if path is None:
            raise EngineUnavailable(f"no engine for {kind!r}; there are {', '.join(self._paths)}")
        module, _, name = path.partition(":")
        logger.info("loading %s", path)
        try:
            engine = getattr(importlib.import_module(module), name)()
        except (
            Exception
        ) as problem:  # a broken CUDA, a damaged file, a missing package: all are one to the visitor
            raise EngineUnavailable(f"{path}: {type(problem).__name__}: {problem}") from problem
        missing = [attribute for attribute in REQUIRED if not hasattr(engine, attribute)]
        if missing:
            raise EngineUnavailable(f"{path} lacks {', '.join(missing)}")
        with self._lock:
            return self._engines.setdefault(kind, engine)
