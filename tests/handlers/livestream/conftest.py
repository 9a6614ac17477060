"""What tests of the REST API act on."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.livestream.api_setup import Stage, staged


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Table, bucket and secret, empty."""
    credentials(monkeypatch)
    with staged() as one:
        yield one
