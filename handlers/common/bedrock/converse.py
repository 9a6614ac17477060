"""Client for Bedrock's Converse API: builds a request, sends it, and returns the answer's text and token usage.

A request begins with the instructions, which are the same for many requests, and a cache point. The material that the
model works on follows as one JSON object per line. JSON escapes line breaks, so text that a speaker or user wrote stays
in its line. `aws.retry` retries failed calls, and `model_questions` asks again after an unusable answer.

Callers build a request without knowing its model. They put a cache point wherever caching would save money, and state
the maximum length of the answer. `BedrockModel` adapts the request to the model (`model_families`). It removes cache
points that the model would reject or ignore, and adds fields that only this model has. For a model that thinks (writes
text to reason before its answer), `BedrockModel` also allows more output tokens. If the model rejects the request, it is
sent once more without the added fields, because a model may refuse to disable or limit its thinking.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from botocore.config import Config

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault, call_service
from handlers.common.bedrock.model_families import THINKING_TOKENS, ModelFamily, get_model_family

ConverseRequest = dict[str, Any]
"""Parameters of a Converse call, without the model id."""
ContentBlock = dict[str, Any]
"""Bedrock's content block: a piece of a message."""
CACHE_POINT: ContentBlock = {"cachePoint": {"type": "default"}}
"""Block that marks a cache point. Bedrock may cache everything before it for some minutes. A later request with the same
beginning is then cheaper."""
CHARACTERS_PER_TOKEN = 5
"""Estimate of the length of a token, to decide whether a cache point is kept. Real tokens are shorter: three to four
characters in English, and fewer in other languages. So enough tokens precede every cache point that is kept."""


def build_client_config(answer_seconds: int) -> Config:
    """Return the configuration of a client that waits at most `answer_seconds` for each answer.

    An answer arrives as a whole, so the client receives no data until the model has finished.
    """
    return Config(
        connect_timeout=2,
        read_timeout=answer_seconds,
        # Callers limit the time and the number of their calls, so botocore must not add calls.
        retries={"mode": "standard", "total_max_attempts": 1},
    )


@dataclass(frozen=True)
class TokenUsage:
    """Billed tokens of one call."""

    input_tokens: int = 0
    """Input tokens without those that were read from or written to the cache."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True)
class ModelReply:
    """A model's answer with its token usage and Bedrock's stop reason."""

    text: str = field(repr=False)
    usage: TokenUsage
    stop_reason: str


class LanguageModel(Protocol):
    """A model that answers Converse requests."""

    def converse(self, request: ConverseRequest) -> ModelReply:
        """Send a request and return the answer. Raises ServiceFailed."""
        ...


class BedrockModel:
    """A Bedrock model, called directly or through an inference profile."""

    def __init__(self, client: Any, model_id: str) -> None:
        """`client` is boto3's `bedrock-runtime` client. `model_id` may be the id of an inference profile."""
        self._client = client
        self._model_id = model_id
        self._family = get_model_family(model_id)

    def converse(self, request: ConverseRequest) -> ModelReply:
        try:
            answer = self._call(request, self._family)
        except ServiceFailed as error:
            if error.fault is not ServiceFault.REJECTED or not self._family.request_fields:
                raise
            # Without the fields, the model thinks, so the answer needs more output tokens.
            family = replace(self._family, request_fields={}, thinking_tokens=THINKING_TOKENS)
            answer = self._call(request, family)
        # A thinking model returns reasoning blocks before its text.
        message = answer["output"].get("message", {"content": []})
        usage = answer["usage"]
        return ModelReply(
            text="".join(block["text"] for block in message["content"] if "text" in block),
            usage=TokenUsage(
                input_tokens=usage["inputTokens"],
                output_tokens=usage["outputTokens"],
                cache_read_tokens=usage.get("cacheReadInputTokens", 0),
                cache_write_tokens=usage.get("cacheWriteInputTokens", 0),
            ),
            stop_reason=answer["stopReason"],
        )

    def _call(self, request: ConverseRequest, family: ModelFamily) -> Mapping[str, Any]:
        return call_service(self._client.converse, modelId=self._model_id, **_adapt_request(request, family))


def build_request(instructions: str, content: Sequence[ContentBlock], max_tokens: int) -> ConverseRequest:
    """Return a request with instructions, a cache point after them, and one user message.

    `max_tokens` limits the answer, without the tokens that the model uses for thinking.
    """
    return {
        "system": [{"text": instructions}, CACHE_POINT],
        "messages": [{"role": "user", "content": list(content)}],
        "inferenceConfig": {"maxTokens": max_tokens},
    }


def _adapt_request(request: ConverseRequest, family: ModelFamily) -> ConverseRequest:
    """Return the request in the form that the models of this family accept."""
    cache_points = _CachePointFilter(family.min_cached_tokens)
    limits = request["inferenceConfig"]
    adapted = {
        **request,
        "system": cache_points.filter(request["system"]),
        "messages": [
            {**message, "content": cache_points.filter(message["content"])} for message in request["messages"]
        ],
        "inferenceConfig": {**limits, "maxTokens": family.max_output_tokens(limits["maxTokens"])},
    }
    if family.request_fields:
        adapted["additionalModelRequestFields"] = dict(family.request_fields)
    return adapted


class _CachePointFilter:
    """Filter that removes the cache points which a model rejects, or ignores because too few tokens precede them.

    The blocks of a request must be passed in their order.
    """

    def __init__(self, min_tokens: int | None) -> None:
        """`min_tokens` is the minimum number of tokens per cache point, or None to remove all cache points."""
        self._min_characters = None if min_tokens is None else min_tokens * CHARACTERS_PER_TOKEN
        self._characters = 0
        """Length of the text since the previous cache point that was kept."""

    def filter(self, blocks: Sequence[ContentBlock]) -> list[ContentBlock]:
        """Return the blocks without the cache points that the model rejects or ignores."""
        kept: list[ContentBlock] = []
        for block in blocks:
            if block != CACHE_POINT:
                self._characters += len(block.get("text", ""))
            elif self._min_characters is None or self._characters < self._min_characters:
                continue
            else:
                self._characters = 0
            kept.append(block)
        return kept


def to_json_lines(objects: Iterable[Mapping[str, Any]]) -> ContentBlock:
    """Return a content block with one JSON object per line."""
    return {"text": "\n".join(json.dumps(entry, ensure_ascii=False) for entry in objects)}
