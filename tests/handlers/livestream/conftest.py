"""Fixtures for tests of the REST API."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.livestream.rest_api_harness import ApiHarness, running_harness


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiHarness]:
    """Harness with an empty table and an empty bucket."""
    credentials(monkeypatch)
    with running_harness() as one:
        yield one
