"""What all handler tests share."""

import uuid

import pytest


@pytest.fixture(autouse=True)
def _own_logger(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Loggers are kept by service name and hold on to standard output: each test has a service of its own."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"test-{uuid.uuid4()}")
