"""Which agent answers in a deployment, and what clients are told where it does not: nothing that it said itself."""

import boto3

from handlers.voice_qa.agent import Agent, AgentCode
from handlers.voice_qa.agent_answer import Limits
from handlers.voice_qa.agent_bedrock import BedrockAgent
from handlers.voice_qa.agent_http import HttpAgent
from handlers.voice_qa.environment import WorkerEnvironment

MESSAGES = {
    AgentCode.REFUSED: "Questions cannot be answered at the moment.",
    AgentCode.UNAVAILABLE: "Nobody can answer at the moment. Ask again.",
    AgentCode.THROTTLED: "Too much is being asked at the moment. Ask again in a while.",
    AgentCode.FIRST_BYTE_LATE: "The answer did not begin in time. Ask again.",
    AgentCode.TOO_SLOW: "The answer did not come to an end in time. Ask again.",
    AgentCode.BROKEN_OFF: "The answer broke off. Ask again.",
    AgentCode.MALFORMED: "The answer could not be read.",
    AgentCode.TOO_MUCH: "The answer was too long.",
    AgentCode.REJECTED: "This question cannot be answered.",
    AgentCode.FAILED: "The question could not be answered.",
}


def agent_of(environment: WorkerEnvironment, session: boto3.Session) -> Agent:
    """Whoever answers here; raises ValueError where the environment names nobody."""
    limits = Limits(
        connect_seconds=environment.connect_seconds,
        first_byte_seconds=environment.first_byte_seconds,
        silence_seconds=environment.silence_seconds,
        answer_seconds=environment.answer_seconds,
    )
    if environment.agentcore_endpoint is not None:
        return HttpAgent(environment.agentcore_endpoint, limits)
    credentials = session.get_credentials()
    if environment.agentcore_runtime_arn is None or credentials is None:
        raise ValueError("an agent has an endpoint, or a runtime and somebody who may call it")
    return BedrockAgent(
        environment.agentcore_runtime_arn, credentials, limits, qualifier=environment.agentcore_qualifier
    )
