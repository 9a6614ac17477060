"""Fixtures of voice Q&A's handler tests: bucket and table, a query worker, and a WebSocket handler."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.voice_qa.query_worker.worker_harness import WorkerHarness
from tests.handlers.voice_qa.socket_harness import SocketHarness, create_socket_harness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import LectureHarness, create_lecture_harness


@pytest.fixture
def lectures(monkeypatch: pytest.MonkeyPatch) -> Iterator[LectureHarness]:
    """Return an empty bucket and table with a lecture validator."""
    credentials(monkeypatch)
    with create_lecture_harness() as harness:
        yield harness


@pytest.fixture
def worker(lectures: LectureHarness) -> WorkerHarness:
    """Return a query worker with a ready lecture."""
    harness = WorkerHarness(lectures)
    harness.store_lecture()
    return harness


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> SocketHarness:
    """Return a WebSocket handler with a connected guest."""
    harness = create_socket_harness(monkeypatch)
    harness.connect()
    return harness
