"""What tests of lectures act on."""

from collections.abc import Iterator

import pytest

from tests.handlers.voice_qa import lecture_stage
from tests.handlers.voice_qa.lecture_stage import Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Bucket and table, empty."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with lecture_stage.staged() as one:
        yield one
