"""Environment of the function `fact-check-agent`, which lets a model find fact claims and clips in transcripts.

The stack setting for the answer time has a higher minimum than `AnswerSeconds`, derived from `MAX_OUTPUT_TOKENS`.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment
from handlers.common.ids import ModelId

MAX_OUTPUT_TOKENS = 3_900
"""Default of `max_output_tokens`."""
ANSWER_SECONDS = 65
"""Default of `answer_seconds`."""
OutputTokens = Annotated[int, Field(ge=256, le=32_000)]
AnswerSeconds = Annotated[int, Field(ge=10, le=440)]
ClipMinSeconds = Annotated[int, Field(ge=1, le=600)]
ClipMaxSeconds = Annotated[int, Field(ge=5, le=1_800)]


class AgentEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    memory_id: str
    model_id: ModelId
    max_output_tokens: OutputTokens = MAX_OUTPUT_TOKENS
    """Maximum number of tokens of an answer, not counting the model's thinking."""
    answer_seconds: AnswerSeconds = ANSWER_SECONDS
    """Maximum time that the function waits for one answer of the model."""
    clip_min_seconds: ClipMinSeconds = 10
    """Minimum length of a clip (a section that the model suggests as an excerpt)."""
    clip_max_seconds: ClipMaxSeconds = 90

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.clip_min_seconds > self.clip_max_seconds:
            raise ValueError("clip_min_seconds must not be greater than clip_max_seconds")
        return self
