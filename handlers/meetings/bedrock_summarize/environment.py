"""Environment variables of the summary function, and the types of their values, which the stack's settings use too.

A long transcript is divided into windows, which the variables call parts. With each window, the model also gets an
overlap, the beginning of the next window, because a statement may continue there.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from handlers.common.bedrock import SONNET
from handlers.common.environment import HandlerEnvironment
from handlers.common.ids import ModelId

OutputTokens = Annotated[int, Field(ge=256, le=32_000)]
MAX_OUTPUT_TOKENS = 5_200
"""Default limit for one answer: about 15,000 characters of JSON."""
ANSWER_SECONDS = 180
"""Default timeout for one answer. The longest answer with the most thinking (reasoning before the answer) takes 153
seconds at 60 tokens a second.
"""
AnswerSeconds = Annotated[int, Field(ge=10, le=600)]
PartCharacters = Annotated[int, Field(ge=1_000, le=400_000)]
OVERLAP_CHARACTERS = 2_000
"""Default length of the overlap."""
OverlapCharacters = Annotated[int, Field(ge=0, le=20_000)]
AtOnce = Annotated[int, Field(ge=1, le=10)]


class SummaryEnvironment(HandlerEnvironment):
    bucket_name: str
    stack: str
    """Name of the stack, which is a dimension of the metrics."""
    summary_model_id: ModelId = SONNET
    action_model_id: ModelId = SONNET
    """Id of the model that finds action items. Before choosing Haiku, compare it with Sonnet by
    `operations/compare_models.py`.
    """
    max_output_tokens: OutputTokens = MAX_OUTPUT_TOKENS
    """Limit for one answer. Tokens of the model's thinking do not count, because each request allows further tokens for
    them.
    """
    answer_seconds: AnswerSeconds = ANSWER_SECONDS
    part_characters: PartCharacters = 100_000
    """Maximum length of a window without its overlap. The default is about two hours of speech."""
    overlap_characters: OverlapCharacters = OVERLAP_CHARACTERS
    at_once: AtOnce = 3
    """Number of windows that are processed concurrently. All meetings share the account's quota of the model."""

    @model_validator(mode="after")
    def _check_settings(self) -> Self:
        if self.overlap_characters * 2 > self.part_characters:
            raise ValueError("overlap_characters must be at most half of part_characters")
        return self
