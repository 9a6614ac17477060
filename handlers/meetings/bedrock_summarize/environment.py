"""What the summary reads from its environment."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.environment import HandlerEnvironment
from handlers.common.name_patterns import GuardrailId, GuardrailVersion, ModelId

SONNET = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
"""Claude Sonnet 4.5 in whichever of the profile's regions has room."""
HAIKU = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
"""Claude Haiku 4.5, likewise: for action items, once `compare_models` has passed it."""
OutputTokens = Annotated[int, Field(ge=256, le=32_000)]
AnswerSeconds = Annotated[int, Field(ge=10, le=600)]
PartCharacters = Annotated[int, Field(ge=1_000, le=400_000)]
OVERLAP_CHARACTERS = 2_000
OverlapCharacters = Annotated[int, Field(ge=0, le=20_000)]
AtOnce = Annotated[int, Field(ge=1, le=10)]


class SummaryEnvironment(HandlerEnvironment):
    """The function's."""

    bucket_name: str
    stack: str
    """The dimension of the metrics."""
    summary_model_id: ModelId = SONNET
    action_model_id: ModelId = SONNET
    guardrail_id: GuardrailId | None = None
    guardrail_version: GuardrailVersion | None = None
    max_output_tokens: OutputTokens = 4_000
    """Of one answer."""
    answer_seconds: AnswerSeconds = 150
    """How long one answer may take."""
    part_characters: PartCharacters = 100_000
    """A transcript that has more is summarised in parts of so many: two hours of speech."""
    overlap_characters: OverlapCharacters = OVERLAP_CHARACTERS
    """How much of what follows a part is told with it: what is agreed at its end may be said in full there."""
    at_once: AtOnce = 3
    """Parts that are worked on at once: the model's quota is an account's."""

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("a guardrail has an id and a version")
        if self.overlap_characters * 2 > self.part_characters:
            raise ValueError("parts overlap by half of their characters at most")
        return self
