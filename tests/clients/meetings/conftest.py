"""Fixtures for the tests of the meetings client."""

from collections.abc import Iterator

import botocore.session
import pytest

from tests.clients.meetings.fake_backend import Backend, running, session
from tests.credentials import credentials
from tests.loggers import own_logger


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Backend]:
    """Return a running fake backend."""
    credentials(monkeypatch)
    monkeypatch.setattr(botocore.session, "get_session", session)
    with own_logger(), running() as fake_backend:
        yield fake_backend
