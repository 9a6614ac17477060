"""Fixtures for all handler tests."""

from collections.abc import Iterator

import pytest

from tests.loggers import own_logger


@pytest.fixture(autouse=True)
def _own_logger(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Create new loggers after standard output is captured, so that they write to the captured output."""
    with own_logger():
        yield
