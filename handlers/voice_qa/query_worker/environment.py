"""Environment variables of the query worker."""

from handlers.voice_qa.environment import (
    AnswerSeconds,
    ConnectSeconds,
    FirstByteSeconds,
    SilenceSeconds,
    VoiceQaEnvironment,
)


class WorkerEnvironment(VoiceQaEnvironment):
    """Environment variables of the query worker."""

    agentcore_endpoint: str | None = None
    """Endpoint of an agent that is an HTTP service. None if the agent runs in AgentCore Runtime."""
    agentcore_runtime_arn: str | None = None
    """ARN of an agent in AgentCore Runtime. None if the agent is an HTTP service."""
    agentcore_qualifier: str = "DEFAULT"
    """Name of the runtime's endpoint."""
    connect_seconds: ConnectSeconds = 2
    """Time limit for connecting to the agent, in each attempt."""
    first_byte_seconds: FirstByteSeconds = 10
    silence_seconds: SilenceSeconds = 20
    answer_seconds: AnswerSeconds = 600
    """Time limit from a question to the end of its answer."""
