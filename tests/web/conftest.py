"""People for tests of the web side, and a cache that forgets between tests."""

from __future__ import annotations

import pytest

from gallery.models import User
from tests.web import factories


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    from django.core.cache import cache

    cache.clear()


@pytest.fixture
def person(db: None) -> User:
    """Somebody with an account; the password is ``factories.PASSWORD``."""
    return factories.make_user("ana")


@pytest.fixture
def stranger(db: None) -> User:
    """Somebody else with an account."""
    return factories.make_user("ben")


@pytest.fixture
def moderator(db: None) -> User:
    """Somebody who may moderate."""
    return factories.make_user("mira", permissions=["moderate_artworks"])


@pytest.fixture
def operator(db: None) -> User:
    """Somebody who may see and drain workers."""
    return factories.make_user("otto", permissions=["operate_workers"], is_staff=True)
