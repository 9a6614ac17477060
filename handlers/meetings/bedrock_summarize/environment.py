"""Environment variables of the summary function, and value ranges that the stack's settings share."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.bedrock.model_families import SONNET
from handlers.common.environment import HandlerEnvironment
from handlers.common.identifier_types import GuardrailId, GuardrailVersion, ModelId

OutputTokens = Annotated[int, Field(ge=256, le=32_000)]
MAX_OUTPUT_TOKENS = 5_200
"""Default limit for one answer: about 15,000 characters of JSON."""
ANSWER_SECONDS = 180
"""Default timeout for one answer. At 60 tokens a second, a model needs 153 seconds for the longest answer with the most
thinking."""
AnswerSeconds = Annotated[int, Field(ge=10, le=600)]
PartCharacters = Annotated[int, Field(ge=1_000, le=400_000)]
OVERLAP_CHARACTERS = 2_000
"""Default length of the overlap of two windows."""
OverlapCharacters = Annotated[int, Field(ge=0, le=20_000)]
AtOnce = Annotated[int, Field(ge=1, le=10)]
"""Number of windows that are processed concurrently."""


class SummaryEnvironment(HandlerEnvironment):
    bucket_name: str
    stack: str
    """Dimension of the metrics."""
    summary_model_id: ModelId = SONNET
    action_model_id: ModelId = SONNET
    """Model for action items. Haiku may replace Sonnet once `operations/compare_models.py` has approved it."""
    guardrail_id: GuardrailId | None = None
    """Guardrail of Amazon Bedrock that checks requests and answers. None means no guardrail."""
    guardrail_version: GuardrailVersion | None = None
    max_output_tokens: OutputTokens = MAX_OUTPUT_TOKENS
    """Limit for one answer, without the model's thinking."""
    answer_seconds: AnswerSeconds = ANSWER_SECONDS
    """Timeout for one answer."""
    part_characters: PartCharacters = 100_000
    """Maximum length of a window, which the prompts call a part. A longer transcript is divided into windows. The
    default is about two hours of speech.
    """
    overlap_characters: OverlapCharacters = OVERLAP_CHARACTERS
    """Length of the text after a window that the model also receives, because it may explain the window's end."""
    at_once: AtOnce = 3
    """Number of windows that are processed concurrently. The model's quota belongs to the whole account."""

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("guardrail_id and guardrail_version must be set together")
        if self.overlap_characters * 2 > self.part_characters:
            raise ValueError("overlap_characters must be at most half of part_characters")
        return self
