"""The tables as moto plays them, and a router on them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.handlers.transcription.live_setup import Booth
from tests.handlers.transcription.router_setup import Scene, tables


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Both tables, empty."""
    with tables(monkeypatch) as client:
        yield client


@pytest.fixture
def scene(dynamodb: Any) -> Scene:
    """A router, and who speaks to it."""
    return Scene(dynamodb)


@pytest.fixture
def booth(dynamodb: Any) -> Booth:
    """A processor, and an open session."""
    made = Booth(dynamodb)
    made.open()
    return made
