"""Fixtures of voice Q&A's handler tests: bucket and table, a query worker, and a WebSocket handler."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.voice_qa.conversation_setup import Scene, scened
from tests.handlers.voice_qa.query_worker.agent.agent_servers import Clock
from tests.handlers.voice_qa.query_worker.worker_setup import Desk
from tests.handlers.voice_qa.validate_lecture import lecture_setup
from tests.handlers.voice_qa.validate_lecture.lecture_setup import Stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Return an empty bucket and table with a lecture validator."""
    credentials(monkeypatch)
    with lecture_setup.staged() as one:
        yield one


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """Return a query worker with a ready lecture."""
    made = Desk(stage)
    made.lecture()
    return made


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Return a WebSocket handler with a connected guest."""
    with scened(monkeypatch) as made:
        made.connect()
        yield made


@pytest.fixture
def clock() -> Clock:
    """Return the clock of an agent's client."""
    return Clock()
