"""Tests of the client configuration: no SDK logs at any level, and short timeouts for live calls."""

import logging
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.aws import client_config
from tests.credentials import credentials

CANARY = "canary-caption"


def test_the_sdk_logs_no_content_even_at_level_debug(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda sets the root logger to the function's log level, which is DEBUG in dev and staging."""
    credentials(monkeypatch)
    with caplog.at_level(logging.DEBUG), mock_aws():
        sqs = boto3.client("sqs", region_name="us-east-1", config=client_config.CONFIG)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=CANARY)
    assert CANARY not in caplog.text


def test_live_calls_fail_within_three_seconds() -> None:
    live: Any = client_config.LIVE_CONFIG
    assert (live.connect_timeout + live.read_timeout) * 2 < 3
