"""Environment of the function `agent`, which analyzes windows of transcripts."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment
from handlers.common.identifier_types import GuardrailId, GuardrailVersion, ModelId

MAX_OUTPUT_TOKENS = 3_000
OutputTokens = Annotated[int, Field(ge=256, le=32_000)]
AnswerSeconds = Annotated[int, Field(ge=10, le=440)]
ClipMinSeconds = Annotated[int, Field(ge=1, le=600)]
ClipMaxSeconds = Annotated[int, Field(ge=5, le=1_800)]


class AgentEnvironment(HandlerEnvironment):
    """Environment variables of the agent's worker."""

    table_name: str
    bucket_name: str
    memory_id: str
    model_id: ModelId
    guardrail_id: GuardrailId | None = None
    guardrail_version: GuardrailVersion | None = None
    max_output_tokens: OutputTokens = MAX_OUTPUT_TOKENS
    answer_seconds: AnswerSeconds = 50
    """Timeout of one model request."""
    clip_min_seconds: ClipMinSeconds = 10
    clip_max_seconds: ClipMaxSeconds = 90

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("guardrail_id and guardrail_version must be set together")
        if self.clip_min_seconds > self.clip_max_seconds:
            raise ValueError("clip_min_seconds must not be greater than clip_max_seconds")
        return self
