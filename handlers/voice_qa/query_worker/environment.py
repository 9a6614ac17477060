"""Environment variables of the query worker, the function that answers questions with the help of an agent.

The agent is an external service: an HTTP service or Bedrock AgentCore Runtime.
"""

from typing import Annotated

from pydantic import Field

from handlers.voice_qa.environment import VoiceQaEnvironment


class WorkerEnvironment(VoiceQaEnvironment):
    agentcore_endpoint: str | None = None
    """URL of an agent that is an HTTP service, which does not run in AgentCore, although the variable's name says so.
    None if the agent runs in AgentCore Runtime."""
    agentcore_runtime_arn: str | None = None
    """ARN of an agent in AgentCore Runtime. None if the agent is an HTTP service."""
    agentcore_qualifier: str = "DEFAULT"
    """Name of an endpoint of the AgentCore runtime, which selects a version of the agent."""
    connect_seconds: Annotated[float, Field(ge=0.5, le=5)] = 2
    """Time limit for connecting to the agent, for each try."""
    first_byte_seconds: Annotated[float, Field(ge=1, le=60)] = 10
    """Maximum time from a question to the first byte of its answer, including retries."""
    silence_seconds: Annotated[float, Field(ge=2, le=120)] = 20
    """Maximum time between two lines of an answer."""
