"""Fixtures for the tests of the meetings client."""

from collections.abc import Iterator

import botocore.session
import pytest

from tests.clients.meetings.fake_backend import Backend, create_botocore_session, run_backend
from tests.credentials import credentials
from tests.loggers import own_logger


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Backend]:
    """Return a running fake backend."""
    credentials(monkeypatch)
    monkeypatch.setattr(botocore.session, "get_session", create_botocore_session)
    with own_logger(), run_backend() as fake_backend:
        yield fake_backend
