"""Which agent answers, and what clients are told where it does not."""

import boto3
import pytest

from handlers.voice_qa.agent import AgentCode
from handlers.voice_qa.agent_bedrock import BedrockAgent
from handlers.voice_qa.agent_http import HttpAgent
from handlers.voice_qa.agents import MESSAGES, agent_of
from handlers.voice_qa.environment import WorkerEnvironment

ARN = "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/tutor"


def environment(**more: str) -> WorkerEnvironment:
    return WorkerEnvironment(s3_bucket="audio", dynamodb_table="sessions", **more)


def session() -> boto3.Session:
    return boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")


def test_an_endpoint_is_asked_over_http() -> None:
    assert isinstance(agent_of(environment(agentcore_endpoint="http://127.0.0.1:9"), session()), HttpAgent)


def test_a_runtime_is_asked_through_bedrock() -> None:
    assert isinstance(agent_of(environment(agentcore_runtime_arn=ARN), session()), BedrockAgent)


def test_without_either_nobody_can_answer() -> None:
    with pytest.raises(ValueError, match="endpoint"):
        agent_of(environment(), session())


def test_every_failure_has_words_of_its_own() -> None:
    assert set(MESSAGES) == set(AgentCode)
    assert len(set(MESSAGES.values())) == len(AgentCode)
