"""Client of AgentCore Runtime: the request equals boto3's, and the service's errors are mapped."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from handlers.common.aws.retry import RetryTiming
from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits
from handlers.voice_qa.query_worker.agent.agent_protocol import ACCEPTED, CONTENT_TYPE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import Agent, AgentCode, AgentFailed, AgentTextPiece
from handlers.voice_qa.query_worker.agent.agentcore_client import AgentCoreAgent
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    CANARY,
    DONE,
    QUESTION,
    Clock,
    answer,
    peer,
    status,
    text,
)

ARN = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/lectures-AbC123"
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret-key", "session-token")
HEADERS = (
    "content-type",
    "accept",
    "x-amzn-bedrock-agentcore-runtime-session-id",
    "authorization",
    "x-amz-security-token",
)


def agent(endpoint: str | None, clock: Clock, qualifier: str = "DEFAULT") -> Agent:
    timing = RetryTiming(clock.now, clock.wait, lambda: clock.share)
    return AgentCoreAgent(ARN, CREDENTIALS, AnswerLimits(), timing, qualifier=qualifier, endpoint=endpoint)


def headers(head: str) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in head.splitlines()[1:])
    return {name.lower(): value for name, value in pairs}


def boto3s_client(endpoint: str | None = None) -> Any:
    return boto3.client(
        "bedrock-agentcore",
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        aws_session_token=CREDENTIALS.token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def boto3_asks(endpoint: str, qualifier: str) -> None:
    client = boto3s_client(endpoint)
    client.invoke_agent_runtime(
        agentRuntimeArn=ARN,
        runtimeSessionId=QUESTION.session_id,
        qualifier=qualifier,
        contentType=CONTENT_TYPE,
        accept=ACCEPTED,
        payload=request_body(QUESTION),
    )["response"].read()
    client.close()


@pytest.mark.parametrize("qualifier", ["DEFAULT", "blue_1"])
def test_the_request_equals_boto3s(clock: Clock, monkeypatch: pytest.MonkeyPatch, qualifier: str) -> None:
    # Both sign with the same time.
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    told = answer(text("Hello."), DONE)
    with peer(told, told) as serving:
        with agent(serving.endpoint, clock, qualifier).answer(QUESTION) as found:
            assert list(found) == [AgentTextPiece("Hello.")]
        boto3_asks(serving.endpoint, qualifier)
        (ours, our_body), (theirs, their_body) = serving.requests
    assert ours.splitlines()[0] == theirs.splitlines()[0]
    assert {name: headers(ours)[name] for name in HEADERS} == {name: headers(theirs)[name] for name in HEADERS}
    assert headers(ours)["host"] == headers(theirs)["host"]
    assert our_body == their_body
    assert json.loads(our_body)["queryId"] == QUESTION.query_id


@pytest.mark.parametrize(
    ("code", "expected", "attempts"),
    [
        *((400, AgentCode.QUESTION_REJECTED, 1), (403, AgentCode.NO_ACCESS, 1), (404, AgentCode.NO_ACCESS, 1)),
        *((402, AgentCode.THROTTLED, 4), (429, AgentCode.THROTTLED, 4)),
        *((409, AgentCode.UNAVAILABLE, 4), (503, AgentCode.UNAVAILABLE, 4)),
        *((424, AgentCode.FAILED, 1), (500, AgentCode.FAILED, 4)),
    ],
)
def test_each_error_of_the_service_is_mapped(clock: Clock, code: int, expected: AgentCode, attempts: int) -> None:
    with peer(*[status(code)] * attempts) as serving:
        with pytest.raises(AgentFailed) as failed:
            agent(serving.endpoint, clock).answer(QUESTION)
        assert len(serving.requests) == attempts
    assert failed.value.code is expected
    assert CANARY not in repr(failed.value)


def test_the_statuses_are_those_of_the_services_model() -> None:
    errors = boto3s_client().meta.service_model.operation_model("InvokeAgentRuntime").error_shapes
    assert {shape.name: shape.metadata["error"]["httpStatusCode"] for shape in errors} == {
        "AccessDeniedException": 403,
        "InternalServerException": 500,
        "ResourceNotFoundException": 404,
        "RetryableConflictException": 409,
        "RuntimeClientError": 424,
        "ServiceQuotaExceededException": 402,
        "ThrottlingException": 429,
        "ValidationException": 400,
    }


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        (ARN, "bedrock-agentcore.eu-west-1.amazonaws.com"),
        (
            ARN.replace("aws:", "aws-cn:", 1).replace("eu-west-1", "cn-north-1"),
            "bedrock-agentcore.cn-north-1.amazonaws.com.cn",
        ),
    ],
)
def test_a_runtime_is_called_in_its_region(arn: str, host: str) -> None:
    found = AgentCoreAgent(arn, CREDENTIALS, AnswerLimits())
    assert (found._address.authority, found._address.port) == (host, 443)
    assert found._address.tls is not None
    sent = found._request(QUESTION.session_id, b"{}").headers
    assert sent["Host"] == host, "the signed URL"
    assert "host" in sent["Authorization"]


@pytest.mark.parametrize(
    "arn",
    [
        *("", "lectures-AbC123", ARN + "/runtime-endpoint/x", ARN + "\n"),
        *(ARN.replace("eu-west-1", "evil.example/"), ARN.replace("runtime/", "memory/")),
    ],
)
def test_an_invalid_runtime_arn_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="ARN"):
        AgentCoreAgent(arn, CREDENTIALS, AnswerLimits())


def test_no_credential_is_logged_or_shown(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with peer(answer(DONE)) as serving, agent(serving.endpoint, clock).answer(QUESTION) as found:
        assert list(found) == []
    assert "session-token" not in caplog.text
    assert "Signature" not in caplog.text
