"""Fixtures of voice Q&A: a bucket and a table, a worker, and a socket handler."""

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
    """Bucket and table, empty."""
    credentials(monkeypatch)
    with lecture_setup.staged() as one:
        yield one


@pytest.fixture
def desk(stage: Stage) -> Desk:
    """A worker, with a lecture to ask."""
    made = Desk(stage)
    made.lecture()
    return made


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A socket handler, and a guest who is connected."""
    with scened(monkeypatch) as made:
        made.connect()
        yield made


@pytest.fixture
def clock() -> Clock:
    """The time of whoever asks an agent."""
    return Clock()
