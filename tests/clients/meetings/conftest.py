"""What tests of the client share."""

import uuid
from collections.abc import Iterator

import botocore.session
import pytest

from tests.clients.meetings.backend import Backend, running, session


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Backend]:
    """The backend."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{uuid.uuid4()}")  # loggers hold on to standard output
    monkeypatch.setattr(botocore.session, "get_session", session)
    with running() as one:
        yield one
