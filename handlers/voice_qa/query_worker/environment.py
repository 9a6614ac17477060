"""Environment variables of the query worker."""

from handlers.voice_qa.environment import (
    AnswerSeconds,
    ConnectSeconds,
    FirstByteSeconds,
    SilenceSeconds,
    VoiceQaEnvironment,
)


class WorkerEnvironment(VoiceQaEnvironment):
    """Environment variables of the query worker. The types of the four time limits, in
    `handlers/voice_qa/environment.py`, describe their meaning and their range.
    """

    agentcore_endpoint: str | None = None
    """URL of an agent that is an HTTP service, despite the variable's name. None if the agent runs in AgentCore
    Runtime."""
    agentcore_runtime_arn: str | None = None
    """ARN of an agent in AgentCore Runtime. None if the agent is an HTTP service."""
    agentcore_qualifier: str = "DEFAULT"
    """Name of an endpoint of the AgentCore runtime, which selects a version of the agent."""
    connect_seconds: ConnectSeconds = 2
    first_byte_seconds: FirstByteSeconds = 10
    silence_seconds: SilenceSeconds = 20
    answer_seconds: AnswerSeconds = 600
