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
    agentcore_qualifier: str = "DEFAULT"
    connect_seconds: ConnectSeconds = 2
    first_byte_seconds: FirstByteSeconds = 10
    silence_seconds: SilenceSeconds = 20
    answer_seconds: AnswerSeconds = 600
