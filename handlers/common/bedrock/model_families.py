"""Default Bedrock models, and differences between model families in Converse requests: prompt caching and thinking.

A thinking model writes text to reason before it answers. This text is billed as output and counts against `maxTokens`.
Claude models from version 5 on think unless a request disables thinking. Claude Sonnet 5.5 rejects such a request. Claude
Haiku 5.5 accepts it, unless the request also demands an effort above `high`.
All Claude models from version 5 on also reject `temperature`, `topP`, forced tool calls and a prefilled answer, so our
requests contain none of them.

The numbers come from the model cards and these pages:
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models
https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-card-anthropic-claude-sonnet-5-5.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-card-anthropic-claude-haiku-5-5.html
https://platform.claude.com/docs/en/build-with-claude/prompt-caching
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SONNET = "us.anthropic.claude-sonnet-5-5"
"""Claude Sonnet 5.5 through a cross-region inference profile, which selects a region with free capacity."""
HAIKU = "us.anthropic.claude-haiku-5-5"
"""Claude Haiku 5.5 through a cross-region inference profile."""
_LARGEST_CACHE_MINIMUM = 4_096
"""Largest minimum number of tokens per cache point of any Claude model. It is used for Claude models for which the table
below has no exact number."""
THINKING_TOKENS = 4_000
"""Output tokens that a request allows for thinking, in addition to the answer. With the effort `low`, models use few of
them."""
_LOW_EFFORT: Mapping[str, Any] = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
"""Fields of a request that let a model think as little as possible. More thinking is not needed, because our requests
only let it extract and summarise text."""
_NO_THINKING: Mapping[str, Any] = {"thinking": {"type": "disabled"}}


@dataclass(frozen=True)
class ModelFamily:
    """Models that handle requests in the same way."""

    min_cached_tokens: int | None = None
    """Minimum number of tokens per cache point. Bedrock ignores a cache point after fewer tokens. None for models
    without prompt caching, for which Bedrock rejects requests with cache points."""
    request_fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the model's own request format (`additionalModelRequestFields`)."""
    thinking_tokens: int = 0
    """Output tokens that a request allows for thinking."""

    def max_output_tokens(self, answer_tokens: int) -> int:
        """Return the limit of output tokens for a request whose answer has at most `answer_tokens` tokens."""
        return answer_tokens + self.thinking_tokens


_FAMILIES: tuple[tuple[re.Pattern[str], ModelFamily], ...] = tuple(
    (re.compile(rf"(?:^|[./]){pattern}"), family)
    for pattern, family in (
        (r"anthropic\.claude-haiku-5-5(?!\d)", ModelFamily(512, _NO_THINKING)),
        (r"anthropic\.claude-[a-z]+-5-5(?!\d)", ModelFamily(512, _LOW_EFFORT, THINKING_TOKENS)),
        (
            r"anthropic\.claude-[a-z]+-(?:[5-9]|\d\d)(?!\d)",
            ModelFamily(_LARGEST_CACHE_MINIMUM, _LOW_EFFORT, THINKING_TOKENS),
        ),
        (r"anthropic\.claude-(?:3-7-sonnet|sonnet-4(?:-5)?-\d{8})", ModelFamily(1_024)),
        (r"anthropic\.claude-(?:3-5-haiku|sonnet-4-6)", ModelFamily(2_048)),
        (r"anthropic\.claude-[a-z]+-4", ModelFamily(_LARGEST_CACHE_MINIMUM)),
        (r"amazon\.nova-(?:micro|lite|pro|premier)-", ModelFamily(1_024)),
    )
)
"""Families by patterns of model ids and inference profile ids. The first matching pattern is used. Claude ids from
version 4 on have the version after the model's name, as in `claude-sonnet-5-5`."""
_OTHER_MODELS = ModelFamily()


def get_model_family(model_id: str) -> ModelFamily:
    """Return the family of a model. `model_id` is the id or ARN of a model or of an inference profile."""
    return next((family for pattern, family in _FAMILIES if pattern.search(model_id)), _OTHER_MODELS)
