"""What tests of meetings share."""

from collections.abc import Iterator

import pytest

from tests.handlers.meetings.counter import Counter, opened


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter]:
    """The exchange, with a provider and STS."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with opened() as one:
        yield one
