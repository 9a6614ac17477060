"""Environment variables of the summary function, and the types of their values, which the stack's settings use too."""

from typing import Annotated

from pydantic import Field

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
    """Maximum length of a window, which is a section of the transcript for one request. The default is about two hours
    of speech."""
    at_once: AtOnce = 3
    """Number of windows that are processed concurrently. All meetings share the account's quota of the model."""
