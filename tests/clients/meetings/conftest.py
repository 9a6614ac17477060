"""Fixtures for the tests of the meetings client."""

from collections.abc import Iterator

import botocore.session
import pytest

from tests.clients.meetings.fake_backend import Backend, running, session
from tests.loggers import own_logger


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Backend]:
    """Return a running fake backend."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(botocore.session, "get_session", session)
    with own_logger(), running() as one:
        yield one
