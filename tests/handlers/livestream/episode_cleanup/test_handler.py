"""Tests of the cleanup function through its Lambda handler, with environment variables as on AWS."""

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from handlers.livestream.episode_cleanup import handler as cleanup_handler
from tests.handlers.livestream.rest_api_harness import BUCKET, TABLE, ApiHarness

VARIABLES = {
    "TABLE_NAME": TABLE,
    "BUCKET_NAME": BUCKET,
    "MEMORY_ID": "memory-1",
    "SUMMARY_NAMESPACE": "/summaries/{actorId}/{sessionId}/",
    "FACT_NAMESPACE": "/facts/{actorId}/{sessionId}/",
}


@pytest.fixture(autouse=True)
def _environment(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    cleanup_handler._cleaner.cache_clear()
    yield
    cleanup_handler._cleaner.cache_clear()


def test_an_invalid_message_is_returned_to_the_queue() -> None:
    event = {"Records": [{"messageId": "m1", "body": "no event"}]}
    assert cleanup_handler.handler(event, None) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}


def test_a_sweep_returns_how_many_episodes_it_checked() -> None:
    result = cleanup_handler.handler({"kind": "sweep"}, None)
    assert set(result.values()) == {0}, "the table is empty"


def test_an_event_of_another_kind_is_rejected() -> None:
    with pytest.raises(ValidationError):
        cleanup_handler.handler({"kind": "other"}, None)
