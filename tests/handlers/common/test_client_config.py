"""Tests of the configuration of boto3 clients: they log no content, and live calls have short timeouts.

A live call is part of work that a user waits for in real time.
"""

import logging
from typing import Any

import boto3
import pytest
from moto import mock_aws
from pydantic import ValidationError

from components.settings.base import MIN_WEBSOCKET_SECONDS
from components.settings.transcription import RouterSettings
from components.settings.voice_qa import WebsocketHandlerSettings
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG
from tests.credentials import credentials

CANARY = "canary-caption"


def test_the_sdk_logs_no_content_even_at_level_debug(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda sets the root logger to the function's log level, which is DEBUG in dev and staging."""
    credentials(monkeypatch)
    with caplog.at_level(logging.DEBUG), mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1", config=CONFIG)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=CANARY)
    assert CANARY not in caplog.text


def longest_live_call() -> float:
    """Return the seconds of a call whose attempts all time out, with botocore's longest pause of one second."""
    live: Any = SHORT_TIMEOUT_CONFIG
    attempts = live.retries["total_max_attempts"]
    return float(attempts * (live.connect_timeout + live.read_timeout) + (attempts - 1) * 1.0)


def test_live_calls_fail_within_four_seconds() -> None:
    assert longest_live_call() < 4


def test_a_websocket_handler_outlasts_the_timeouts_of_its_calls() -> None:
    """A handshake needs two calls, for the connection's item."""
    assert 2 * longest_live_call() < MIN_WEBSOCKET_SECONDS
    for settings in (WebsocketHandlerSettings, RouterSettings):
        with pytest.raises(ValidationError):
            settings.model_validate({"timeoutSeconds": MIN_WEBSOCKET_SECONDS - 1})
