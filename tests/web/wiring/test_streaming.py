"""Files leave the ASGI application in pieces, never read whole into memory first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.http import FileResponse, HttpRequest
from django.test import AsyncClient, override_settings
from django.urls import path

SIZE = 3 * FileResponse.block_size + 1
BIG: list[Path] = []


def big(request: HttpRequest) -> FileResponse:
    return FileResponse(BIG[0].open("rb"))


urlpatterns = [path("big", big)]


@pytest.fixture
def _big_file(tmp_path: Path) -> None:
    BIG[:] = [tmp_path / "big"]
    BIG[0].write_bytes(bytes(SIZE))


@pytest.mark.usefixtures("_big_file")
@override_settings(ROOT_URLCONF=__name__)
async def test_a_file_is_sent_in_pieces() -> None:
    response: Any = await AsyncClient().get("/big")
    pieces = [len(piece) async for piece in response]
    assert sum(pieces) == SIZE
    assert max(pieces) == FileResponse.block_size
