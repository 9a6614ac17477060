"""Differences between versions of Claude: refused requests, thinking (text before the answer) and prompt caching.

The handlers have their own table of such differences. It is not used here, so that tests find mistakes in it.
https://docs.aws.amazon.com/bedrock/latest/userguide/model-card-anthropic-claude-sonnet-5-5.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-card-anthropic-claude-haiku-5-5.html
https://platform.claude.com/docs/en/models/sonnet-5-5/migration-guide
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_VERSION_5_5 = re.compile(r"anthropic\.claude-(?P<name>[a-z]+)-5-5")
THINKING_TOKENS: Mapping[str, int] = {"low": 1_000, "medium": 3_000, "high": 8_000, "xhigh": 16_000, "max": 32_000}
"""Tokens that the local Bedrock counts as thinking, by the effort that the request demands. A real model's number
varies."""
MIN_CACHED_TOKENS = 1_024
"""Minimum length, in tokens, of a prefix that most models cache. `min_cached_tokens` contains the exceptions."""


def list_refusals(model: str, request: Mapping[str, Any]) -> Iterator[str]:
    """Yield a message for each reason for which the model refuses the request."""
    version = _VERSION_5_5.search(model)
    if version is None:
        return
    fields, limits = request.get("additionalModelRequestFields", {}), request.get("inferenceConfig", {})
    thinking = fields.get("thinking", {}).get("type", "adaptive")
    if thinking == "enabled" or (thinking == "disabled" and version["name"] != "haiku"):
        yield f"thinking.type {thinking} is not supported for this model"
    if {"temperature", "topP"} & limits.keys() or "top_k" in fields:
        yield "temperature, top_p and top_k are not supported for this model"
    if request["messages"][-1]["role"] == "assistant":
        yield "this model does not support assistant message prefill"
    if {"any", "tool"} & request.get("toolConfig", {}).get("toolChoice", {}).keys():
        yield "this model does not support a forced tool choice"


def count_thinking_tokens(model: str, request: Mapping[str, Any]) -> int:
    """Return the number of tokens that the model spends on thinking before it answers."""
    version = _VERSION_5_5.search(model)
    fields = request.get("additionalModelRequestFields", {})
    if version is None or fields.get("thinking", {}).get("type") == "disabled":
        return 0
    default = "medium" if version["name"] == "haiku" else "high"
    return THINKING_TOKENS[fields.get("output_config", {}).get("effort", default)]


def min_cached_tokens(model: str) -> int:
    """Return the minimum length, in tokens, of a prefix that a model caches at a cache point.

    Bedrock ignores the cache point after a shorter prefix, and does not report that.
    """
    if _VERSION_5_5.search(model):
        return 512
    return 4_096 if "claude-haiku-4-5" in model else MIN_CACHED_TOKENS
