"""Client of an agent, the external service that answers questions, on Bedrock AgentCore Runtime.

It sends the same request as boto3, and maps the service's errors to codes.
"""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import Credentials

from handlers.voice_qa.query_worker.agent.agent_call import AnswerLimits
from handlers.voice_qa.query_worker.agent.agent_protocol import ACCEPTED, CONTENT_TYPE, request_body
from handlers.voice_qa.query_worker.agent.agent_types import Agent, AgentCode, AgentFailed
from handlers.voice_qa.query_worker.agent.agentcore_client import AgentCoreAgent
from tests.handlers.voice_qa.query_worker.agent.agent_servers import (
    CANARY,
    QUESTION,
    SHORT_ANSWER,
    SHORT_ANSWER_PIECES,
    Clock,
    run_server,
    send_status,
)

ARN = "arn:aws:bedrock-agentcore:eu-west-1:123456789012:runtime/lectures-AbC123"
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret-key", "session-token")
COMPARED_HEADERS = (
    "content-type",
    "accept",
    "x-amzn-bedrock-agentcore-runtime-session-id",
    "authorization",
    "x-amz-security-token",
)


def create_agent(endpoint: str | None, clock: Clock, qualifier: str = "DEFAULT") -> Agent:
    return AgentCoreAgent(ARN, CREDENTIALS, AnswerLimits(), clock.timing, qualifier=qualifier, endpoint=endpoint)


def parse_headers(request_head: str) -> dict[str, str]:
    pairs = (line.split(": ", 1) for line in request_head.splitlines()[1:])
    return {name.lower(): value for name, value in pairs}


def create_boto3_client(endpoint: str | None = None) -> Any:
    return boto3.client(
        "bedrock-agentcore",
        region_name="eu-west-1",
        endpoint_url=endpoint,
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        aws_session_token=CREDENTIALS.token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def ask_with_boto3(endpoint: str, qualifier: str) -> None:
    client = create_boto3_client(endpoint)
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
def test_the_request_equals_that_of_boto3(clock: Clock, monkeypatch: pytest.MonkeyPatch, qualifier: str) -> None:
    # Equal times give equal signatures.
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: datetime(2026, 11, 20, 12, tzinfo=UTC))
    with run_server(SHORT_ANSWER, SHORT_ANSWER) as server:
        with create_agent(server.endpoint, clock, qualifier).answer(QUESTION) as pieces:
            assert list(pieces) == SHORT_ANSWER_PIECES
        ask_with_boto3(server.endpoint, qualifier)
        (our_head, our_body), (boto3_head, boto3_body) = server.requests
    assert our_head.splitlines()[0] == boto3_head.splitlines()[0]
    assert {name: parse_headers(our_head)[name] for name in COMPARED_HEADERS} == {
        name: parse_headers(boto3_head)[name] for name in COMPARED_HEADERS
    }
    assert parse_headers(our_head)["host"] == parse_headers(boto3_head)["host"]
    assert our_body == boto3_body
    assert json.loads(our_body)["queryId"] == QUESTION.query_id


@pytest.mark.parametrize(
    ("status", "expected", "attempts"),
    [
        *((400, AgentCode.QUESTION_REJECTED, 1), (403, AgentCode.NO_ACCESS, 1), (404, AgentCode.NO_ACCESS, 1)),
        *((402, AgentCode.THROTTLED, 4), (429, AgentCode.THROTTLED, 4)),
        *((409, AgentCode.UNAVAILABLE, 4), (503, AgentCode.UNAVAILABLE, 4)),
        *((424, AgentCode.FAILED, 1), (500, AgentCode.FAILED, 4)),
    ],
)
def test_a_status_of_the_service_determines_the_error_and_its_retries(
    clock: Clock, status: int, expected: AgentCode, attempts: int
) -> None:
    with run_server(*[send_status(status)] * attempts) as server:
        with pytest.raises(AgentFailed) as failed:
            create_agent(server.endpoint, clock).answer(QUESTION)
        assert len(server.requests) == attempts
    assert failed.value.code is expected
    assert CANARY not in repr(failed.value)


def test_the_tested_statuses_are_those_of_the_service_model() -> None:
    errors = create_boto3_client().meta.service_model.operation_model("InvokeAgentRuntime").error_shapes
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
    agent = AgentCoreAgent(arn, CREDENTIALS, AnswerLimits())
    assert (agent._address.authority, agent._address.port) == (host, 443)
    assert agent._address.tls is not None
    headers = agent._request(QUESTION.session_id, b"{}").headers
    assert headers["Host"] == host
    assert "host" in headers["Authorization"], "the signature covers the host"


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
