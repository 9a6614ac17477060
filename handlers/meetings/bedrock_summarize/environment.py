"""Environment variables of the summary function."""

from handlers.common.environment import HandlerEnvironment
from handlers.common.ids import ModelId


class SummaryEnvironment(HandlerEnvironment):
    bucket_name: str
    stack: str
    """Name of the stack, which is a dimension of the metrics."""
    summary_model_id: ModelId
    action_model_id: ModelId
    """Id of the model that finds action items. Before choosing Haiku, compare it with Sonnet by
    `operations/compare_models.py`.
    """
    max_output_tokens: int
    """Limit for one answer. Tokens of the model's thinking do not count, because each request allows further tokens for
    them.
    """
    answer_seconds: int
    """Timeout for one answer."""
    part_characters: int
    """Maximum length of a window, which is a section of the transcript for one request."""
    at_once: int
    """Number of windows that are processed concurrently. All meetings share the account's quota of the model."""
