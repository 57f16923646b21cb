"""Whatever stands in a field of a form, nobody meets a page that says that something broke."""

from __future__ import annotations

import pytest

from gallery.errors import storable
from tests.web.pages.test_permissions import POST, person_of
from tests.web.site_pages import World, address, client_of, make_world

pytestmark = pytest.mark.django_db

ODD = {
    "empty": "",
    "long number": "9" * 5000,
    "NUL": "a\x00b",
    "half a pair": "\ud800",
    "marks upon marks": "a" + "\u0301" * 300,
    "right to left": "\u202egnp.exe",
    "not a number": "NaN",
    "brackets": "{{7*7}}<script>%s' OR 1=1 --",
    "digits of another script": "\u0663",
    "long": "x" * 100_000,
}
EXTRA = {"poem_lead": ("lock", "take"), "moderation_decide": ("title", "note", "reason")}


@pytest.fixture
def world() -> World:
    return make_world()


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", POST)
def test_an_odd_value_breaks_no_page(world: World, name: str, odd: str) -> None:
    target, data, who = POST[name]
    client = client_of(world.owner if who in ("person", "anybody") else person_of(world, who))
    if odd == "half a pair":
        # A browser sends no half of a pair; a program may send its bytes.
        value: object = ODD[odd].encode("utf-8", "surrogatepass")
    else:
        value = ODD[odd]
    for field in (*data, *EXTRA.get(target.split()[0], ()), "next"):
        answer = client.post(address(world, target), {**data, field: value})
        assert answer.status_code < 500, field


def test_what_no_database_takes_is_replaced() -> None:
    """PostgreSQL refuses NUL, and no encoding has half of a surrogate pair."""
    assert storable("a\x00b\ud800") == "a?b?"
