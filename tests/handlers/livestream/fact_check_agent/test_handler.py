"""The function `fact-check-agent` with its environment, table and bucket in moto.

Only the Bedrock model and the AgentCore memory are stubbed.
"""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from pydantic import ValidationError

from handlers.livestream.fact_check_agent import handler
from handlers.livestream.fact_check_agent.environment import AgentEnvironment
from handlers.livestream.fact_check_agent.model_request import RequestSettings
from tests.handlers.livestream.expected_transcript_harness import Broadcast
from tests.handlers.livestream.fact_check_agent.fake_agent_services import (
    REMAINING_MS,
    answer_with,
    claim,
    request_lines,
)
from tests.handlers.livestream.rest_api_harness import BUCKET, TABLE, ApiHarness

VARIABLES = {"TABLE_NAME": TABLE, "BUCKET_NAME": BUCKET, "MEMORY_ID": "memory-1234567890", "MODEL_ID": "us.model"}


class Context:
    """Context object that Lambda passes to the entry point."""

    def get_remaining_time_in_millis(self) -> int:
        return REMAINING_MS


@pytest.fixture
def clients(harness: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Collect the boto3 clients that the function creates, by service."""
    created_clients: dict[str, Any] = {}
    create_client: Any = boto3.client

    def create_and_collect(service: str, **options: Any) -> Any:
        created_clients[service] = create_client(service, **options)
        return created_clients[service]

    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "client", create_and_collect)
    handler._worker.cache_clear()
    yield created_clients
    handler._worker.cache_clear()
    for client in created_clients.values():
        client.close()


def test_the_claims_of_a_queued_window_are_stored_and_listed(
    harness: ApiHarness, clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    broadcast = Broadcast.with_requested_upload(harness)
    harness.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    text = b"00:00:14,000 --> 00:00:20,000\nWe ran 600 ferries last spring."
    version = harness.s3.put_object(Bucket=BUCKET, Key=broadcast.key, Body=text)["VersionId"]
    [window] = broadcast.windows(1, version)
    requests: list[dict[str, Any]] = []

    def converse(**request: Any) -> dict[str, Any]:
        requests.append(request)
        answer = answer_with(claim("We ran 600 ferries"))(request_lines(request)[0])
        return {
            "output": {"message": {"content": [{"text": answer}]}},
            "usage": {"inputTokens": 1, "outputTokens": 1},
            "stopReason": "end_turn",
        }

    worker = handler._worker()
    assert handler._worker() is worker, "the worker must be created once per container"
    monkeypatch.setattr(clients["bedrock-runtime"], "converse", converse)
    records = [
        {"messageId": "1", "body": window.model_dump_json(by_alias=True)},
        {"messageId": "2", "body": "no message"},
    ]
    with Stubber(clients["bedrock-agentcore"]) as memory:
        memory.add_response("list_events", {"events": []})
        monkeypatch.setattr(clients["bedrock-agentcore"], "create_event", lambda **_: {})
        answer = handler.handler({"Records": records}, Context())
    assert answer == {"batchItemFailures": [{"itemIdentifier": "2"}]}
    assert requests[0]["modelId"] == "us.model"
    [listed_claim] = harness.call("listClaims", episode_id=broadcast.episode_id).body["claims"]
    assert (listed_claim["quote"], listed_claim["text"]) == ("We ran 600 ferries", "They say so.")
    assert broadcast.track["state"] == "analyzed"


def test_the_clients_of_model_and_memory_do_not_retry(clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSWER_SECONDS", "77")
    handler._worker()
    for service in ("bedrock-runtime", "bedrock-agentcore"):
        assert clients[service].meta.config.retries["total_max_attempts"] == 1
    assert clients["bedrock-runtime"].meta.config.read_timeout == 77


def test_the_environment_gives_the_request_settings() -> None:
    default_environment = AgentEnvironment.model_validate(VARIABLES)
    assert handler.request_settings(default_environment) == RequestSettings(
        max_tokens=3_900, clip_min_ms=10_000, clip_max_ms=90_000
    )
    environment = AgentEnvironment.model_validate({**VARIABLES, "ANSWER_SECONDS": "77"})
    assert handler.request_settings(environment).answer_seconds == 77


def test_an_invalid_environment_is_refused() -> None:
    with pytest.raises(ValidationError):
        AgentEnvironment.model_validate({**VARIABLES, "CLIP_MIN_SECONDS": "60", "CLIP_MAX_SECONDS": "59"})
