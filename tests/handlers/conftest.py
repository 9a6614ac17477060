"""What all handler tests share."""

from collections.abc import Iterator

import pytest

from tests.loggers import own_logger


@pytest.fixture(autouse=True)
def _own_logger(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """After standard output is captured, which the loggers then write to."""
    with own_logger():
        yield
