"""Fixtures of voice Q&A: a bucket and a table, a worker, and a socket handler."""

from collections.abc import Iterator

import pytest

from tests.credentials import credentials
from tests.handlers.voice_qa import lecture_stage
from tests.handlers.voice_qa.agent_peers import Clock
from tests.handlers.voice_qa.desk import Desk
from tests.handlers.voice_qa.lecture_stage import Stage
from tests.handlers.voice_qa.scene import Scene, scened


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Bucket and table, empty."""
    credentials(monkeypatch)
    with lecture_stage.staged() as one:
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
