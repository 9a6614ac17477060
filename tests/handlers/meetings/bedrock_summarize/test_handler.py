"""Tests of the summary function through its Lambda entry point. Only the model is a fake."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.meetings.bedrock_summarize import handler
from handlers.meetings.metrics import NAMESPACE
from handlers.meetings.summary_errors import EventMalformed
from tests.handlers.meetings.bedrock_summarize.summary_harness import (
    RECORDING,
    REMAINING_MS,
    SEND_REPORT,
    SPOKEN_MEETING,
    answer_with,
    create_request,
    prompt_lines,
)
from tests.handlers.meetings.sample_transcripts import audio_milliseconds, transcribe_output

BUCKET = "recordings"
VARIABLES = {
    "BUCKET_NAME": BUCKET,
    "STACK": "test",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Context:
    """Lambda's context of an invocation."""

    def get_remaining_time_in_millis(self) -> int:
        return REMAINING_MS


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The clients that the function creates, by service. AWS is emulated by moto."""
    clients_by_service: dict[str, Any] = {}
    create_client: Any = boto3.client

    def record_client(service: str, **options: Any) -> Any:
        clients_by_service[service] = create_client(service, **options)
        return clients_by_service[service]

    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        monkeypatch.setattr(boto3, "client", record_client)
        handler._summarizer.cache_clear()
        yield clients_by_service
        handler._summarizer.cache_clear()


def create_event(**changed: Any) -> dict[str, Any]:
    """Return the workflow's event, with a field that the function does not know."""
    audio = [{"key": RECORDING.audio_key(0), "offsetMs": 0, "durationMs": audio_milliseconds(SPOKEN_MEETING)}]
    return {**create_request(audio=audio).model_dump(mode="json", by_alias=True), "unknown": 1, **changed}


def test_the_function_summarises_a_transcribed_meeting(
    clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    summarizer = handler._summarizer()
    assert handler._summarizer() is summarizer, "the summariser is created once per container"
    model_requests: list[dict[str, Any]] = []

    def converse(**request: Any) -> dict[str, Any]:
        model_requests.append(request)
        return {
            "output": {"message": {"content": [{"text": answer_with([SEND_REPORT])(prompt_lines(request))}]}},
            "usage": {"inputTokens": 7, "outputTokens": 1},
            "stopReason": "end_turn",
        }

    monkeypatch.setattr(clients["bedrock-runtime"], "converse", converse)
    part_key = RECORDING.part_transcript_key(0, "en-US")
    clients["s3"].put_object(Bucket=BUCKET, Key=part_key, Body=transcribe_output(SPOKEN_MEETING))
    result = handler.handler(create_event(), Context())
    assert (result["outcome"], result["actionItems"], result["inputTokens"]) == ("summarized", 1, 14)
    [item] = json.loads(clients["s3"].get_object(Bucket=BUCKET, Key=result["summaryKey"])["Body"].read())["actionItems"]
    assert (item["owner"], item["quote"]["startMs"]) == ("Anna", SPOKEN_MEETING[1].start_ms)
    assert model_requests[0]["modelId"].startswith("us.anthropic.claude-sonnet-5-5")
    metrics = clients["cloudwatch"].list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {metric["MetricName"] for metric in metrics} == {"SummaryInputTokens", "SummaryOutputTokens"}
    assert handler.handler(create_event(), Context()) == {**result, "made": False}, "an earlier invocation made it"
    assert len(model_requests) == 2, "the repeated invocation uses the stored summary"


def test_the_sdk_does_not_retry_model_requests(clients: dict[str, Any]) -> None:
    handler._summarizer()
    config = clients["bedrock-runtime"].meta.config
    assert (config.retries["total_max_attempts"], config.read_timeout) == (1, 180), "180 is the default ANSWER_SECONDS"


@pytest.mark.parametrize("changed", [{"user": "canary"}, {"audio": [{"key": "canary"}]}, {"content": None}])
def test_an_invalid_event_is_rejected_without_quoting_it(changed: dict[str, Any]) -> None:
    with pytest.raises(EventMalformed, match=r"^event_malformed$") as caught:
        handler.handler(create_event(**changed), Context())
    assert caught.value.__context__ is None
