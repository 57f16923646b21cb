"""The cache: Redis, and this process's own memory while Redis is away.

Pages, sign-in limits and previews must outlive a broker that is down, full or frozen: a failed call
is answered from a local cache, and for the next seconds nobody waits for Redis again. Values travel
as JSON, never pickle: who can write to Redis must not be able to run code here.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

AWAY_SECONDS = 2.0
"""How long Redis is left alone after it failed: at most one caller in that time waits for its timeout."""


class JsonSerializer:
    """Values as JSON; whole numbers stay plain, so that ``incr`` works on the server."""

    def dumps(self, value: Any) -> bytes | int:
        """Raises TypeError for what JSON cannot hold."""
        return value if type(value) is int else json.dumps(value).encode()

    def loads(self, data: bytes) -> Any:
        """The value."""
        return json.loads(data)


class _Shared:
    """One connection pool and one breaker for all instances: Django makes an instance per request."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clients: dict[str, RedisCacheClient] = {}
        self.away_until = 0.0


_shared = _Shared()


class StudioCache(RedisCache):
    """Django's Redis cache that falls back to memory. ``LOCATION``: one Redis URL."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._location = server
        self._options = {"serializer": JsonSerializer, **params.get("OPTIONS", {})}
        self._local = LocMemCache("artsite-while-redis-is-away", {**params, "OPTIONS": {}})

    @property
    def _cache(self) -> RedisCacheClient:
        with _shared.lock:
            if self._location not in _shared.clients:
                _shared.clients[self._location] = RedisCacheClient([self._location], **self._options)
            return _shared.clients[self._location]

    def _call(self, remote: Callable[..., Any], local: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if time.monotonic() >= _shared.away_until:
            try:
                return remote(*args, **kwargs)
            except (RedisError, OSError) as error:
                _shared.away_until = time.monotonic() + AWAY_SECONDS
                logger.warning("the cache is in memory until Redis answers again: %s", error)
        return local(*args, **kwargs)

    def add(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        """As in Django; so are all the others."""
        return bool(self._call(super().add, self._local.add, key, value, timeout, version))

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return self._call(super().get, self._local.get, key, default, version)

    def set(self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> None:
        self._call(super().set, self._local.set, key, value, timeout, version)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> bool:
        return bool(self._call(super().touch, self._local.touch, key, timeout, version))

    def delete(self, key: Any, version: Any = None) -> bool:
        return bool(self._call(super().delete, self._local.delete, key, version))

    def get_many(self, keys: Iterable[Any], version: Any = None) -> dict[Any, Any]:
        return dict(self._call(super().get_many, self._local.get_many, list(keys), version))

    def has_key(self, key: Any, version: Any = None) -> bool:
        return bool(self._call(super().has_key, self._local.has_key, key, version))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        return int(self._call(super().incr, self._local.incr, key, delta, version))

    def set_many(self, data: Any, timeout: Any = DEFAULT_TIMEOUT, version: Any = None) -> list[Any]:
        return list(self._call(super().set_many, self._local.set_many, data, timeout, version))

    def delete_many(self, keys: Iterable[Any], version: Any = None) -> None:
        self._call(super().delete_many, self._local.delete_many, list(keys), version)

    def clear(self) -> None:
        self._local.clear()
        self._call(super().clear, self._local.clear)
