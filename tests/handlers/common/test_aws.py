"""Tests of calls of AWS services: configuration of clients, kinds of failures, parallel calls, and a secret."""

import logging
import threading
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from moto import mock_aws
from pydantic import ValidationError

from components.settings.base import MIN_WEBSOCKET_SECONDS
from components.settings.transcription import RouterSettings
from components.settings.voice_qa import WebsocketHandlerSettings
from handlers.common.aws import (
    CONFIG,
    SHORT_TIMEOUT_CONFIG,
    ParallelCalls,
    delete_versions,
    error_name,
    is_transient_failure,
    secret_parameter,
)
from tests.credentials import credentials
from tests.handlers.common.fakes import client_error

CANARY = "canary"


def test_the_sdk_logs_no_content_even_at_level_debug(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda sets the root logger to the function's log level, which is DEBUG in dev and staging."""
    credentials(monkeypatch)
    with caplog.at_level(logging.DEBUG), mock_aws():
        sqs = boto3.client("sqs", config=CONFIG)
        url = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody=CANARY)
    assert CANARY not in caplog.text


def test_live_calls_fail_within_four_seconds() -> None:
    """A live call is part of work that a user waits for. A WebSocket handshake makes two of them."""
    live: Any = SHORT_TIMEOUT_CONFIG
    attempts = live.retries["total_max_attempts"]
    # All attempts time out, with botocore's longest pause of one second between them.
    longest_call = attempts * (live.connect_timeout + live.read_timeout) + (attempts - 1) * 1.0
    assert longest_call < 4
    assert 2 * longest_call < MIN_WEBSOCKET_SECONDS
    for settings in (WebsocketHandlerSettings, RouterSettings):
        with pytest.raises(ValidationError):
            settings.model_validate({"timeoutSeconds": MIN_WEBSOCKET_SECONDS - 1})


def test_a_failure_is_transient_if_another_attempt_may_succeed() -> None:
    throttled = client_error("ThrottlingException", 429)
    kinds = (ReadTimeoutError, ConnectTimeoutError, EndpointConnectionError)
    unreachable = [kind(endpoint_url=CANARY) for kind in kinds]
    for transient in (throttled, client_error("SomethingNew", 500), *unreachable):
        assert is_transient_failure(transient)
    for permanent in (client_error("SomethingNew", 499), NoCredentialsError(), ValueError()):
        assert not is_transient_failure(permanent)
    assert [*map(error_name, (throttled, NoCredentialsError()))] == ["ThrottlingException", "NoCredentialsError"]


def test_a_secret_is_read_once_and_a_failed_read_is_repeated() -> None:
    client = Mock()
    client.get_parameter.side_effect = [client_error("ParameterNotFound"), {"Parameter": {"Value": CANARY}}]
    secret = secret_parameter(client, "/name")
    with pytest.raises(ClientError):
        secret()
    assert [secret(), secret()] == [CANARY, CANARY]


def test_all_parallel_calls_are_made_before_the_first_exception_is_raised() -> None:
    barrier = threading.Barrier(4, timeout=5)

    def divide_six_by(number: int) -> float:
        barrier.wait()
        return 6 / number

    calls = ParallelCalls(4)
    assert calls.call_all(divide_six_by, [3, 1, 2, 6]) == [2, 6, 3, 1]
    with pytest.raises(ZeroDivisionError):
        calls.call_all(divide_six_by, [0, 1, 0, 2])
    assert barrier.n_waiting == 0, "the barrier opens only for four calls"


def test_the_deleted_versions_and_delete_markers_are_counted() -> None:
    s3 = Mock()
    s3.delete_objects.return_value = {}
    version = {"Key": "a", "VersionId": "1", "IsLatest": True}
    pages = [{"Versions": [version] * 3}, {"DeleteMarkers": [version]}, {}]
    s3.get_paginator.return_value.paginate.return_value = pages
    assert delete_versions(s3, "files", "a/") == 4
