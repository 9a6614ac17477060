"""Tests of the summary function with real parts except for the model."""

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
    REPORT,
    SPOKEN_MEETING,
    answer_with,
    prompt_lines,
    summary_request,
)
from tests.handlers.meetings.sample_transcripts import length, output

BUCKET = "recordings"
VARIABLES = {
    "BUCKET_NAME": BUCKET,
    "STACK": "test",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Context:
    def get_remaining_time_in_millis(self) -> int:
        return REMAINING_MS


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The clients that the function creates, by service."""
    made: dict[str, Any] = {}
    make: Any = boto3.client

    def noted(service: str, **how: Any) -> Any:
        made[service] = make(service, **how)
        return made[service]

    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        monkeypatch.setattr(boto3, "client", noted)
        handler._summarizer.cache_clear()
        yield made
        handler._summarizer.cache_clear()


def event(**changed: Any) -> dict[str, Any]:
    audio = [{"key": RECORDING.audio_key(0), "offsetMs": 0, "durationMs": length(SPOKEN_MEETING)}]
    return {**summary_request(audio=audio).model_dump(mode="json", by_alias=True), "more": 1, **changed}


def test_the_function_summarises_a_transcribed_meeting(
    clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    summarizer = handler._summarizer()
    assert handler._summarizer() is summarizer, "made once a container"
    asked: list[dict[str, Any]] = []

    def converse(**summary_request: Any) -> dict[str, Any]:
        asked.append(summary_request)
        return {
            "output": {"message": {"content": [{"text": answer_with([REPORT])(prompt_lines(summary_request))}]}},
            "usage": {"inputTokens": 7, "outputTokens": 1},
            "stopReason": "end_turn",
        }

    monkeypatch.setattr(clients["bedrock-runtime"], "converse", converse)
    clients["s3"].put_object(Bucket=BUCKET, Key=RECORDING.part_transcript_key(0, "en-US"), Body=output(SPOKEN_MEETING))
    result = handler.handler(event(), Context())
    assert (result["outcome"], result["actionItems"], result["inputTokens"]) == ("summarized", 1, 14)
    kept = json.loads(clients["s3"].get_object(Bucket=BUCKET, Key=result["summaryKey"])["Body"].read())
    assert kept["actionItems"][0]["owner"] == "Anna"
    assert kept["actionItems"][0]["quote"]["startMs"] == SPOKEN_MEETING[1].start_ms
    assert asked[0]["modelId"].startswith("us.anthropic.claude-sonnet-5-5")
    metrics = clients["cloudwatch"].list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert {metric["MetricName"] for metric in metrics} == {"SummaryInputTokens", "SummaryOutputTokens"}
    assert handler.handler(event(), Context()) == {**result, "made": False}
    assert len(asked) == 2


def test_the_sdk_does_not_retry_model_requests(clients: dict[str, Any]) -> None:
    handler._summarizer()
    config = clients["bedrock-runtime"].meta.config
    assert (config.retries["total_max_attempts"], config.read_timeout) == (1, 180)


@pytest.mark.parametrize("changed", [{"user": "canary"}, {"audio": [{"key": "canary"}]}, {"content": None}])
def test_an_invalid_event_is_rejected_without_quoting_it(changed: dict[str, Any]) -> None:
    with pytest.raises(EventMalformed, match=r"^event_malformed$") as caught:
        handler.handler(event(**changed), Context())
    assert caught.value.__context__ is None
