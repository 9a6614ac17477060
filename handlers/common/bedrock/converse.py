"""Client for Bedrock's Converse API: builds requests, makes single calls, and returns text and token usage.

All requests have the same layout. The instructions, which never change, come first and are followed by a cache point.
The material that the model works on follows as one JSON object per line, so that text which a speaker or user wrote
cannot end its own line. The answer is text. `aws.retry` retries failed calls, and `model_questions` asks again after an
unusable answer.

Callers put cache points into their requests wherever caching is worthwhile, for any model. Bedrock rejects cache points
for models without prompt caching, so `BedrockModel` removes them from the requests to such a model.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.config import Config

from handlers.common.aws.service_faults import call_service

ConverseRequest = dict[str, Any]
"""Parameters of a Converse call, without the model id."""
ContentBlock = dict[str, Any]
"""Bedrock's content block: a piece of a message."""
CACHE_POINT: ContentBlock = {"cachePoint": {"type": "default"}}
"""Bedrock may cache everything before this block for some minutes. Reading it again from the cache costs less."""
_CACHING_MODELS = re.compile(
    r"(?:^|[./])(?:anthropic\.claude-(?:3-5-haiku|3-7|[a-z]+-\d)|amazon\.nova-(?:micro|lite|pro|premier)-)"
)
"""Model ids and inference profile ids with prompt caching: Amazon Nova, and Claude 3.5 Haiku, 3.7 and later. Later
Claude ids have the version number after the family name.
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models"""


def build_client_config(answer_seconds: int) -> Config:
    """Return the configuration of a client that waits at most so many seconds for each answer.

    An answer arrives as a whole, so the client receives nothing until the model has finished.
    """
    return Config(
        connect_timeout=2,
        read_timeout=answer_seconds,
        # The caller limits its time and counts its calls, so botocore must not retry unseen.
        retries={"mode": "standard", "total_max_attempts": 1},
    )


@dataclass(frozen=True)
class Guardrail:
    """A Bedrock guardrail, which checks questions and answers and may block them."""

    identifier: str
    version: str


@dataclass(frozen=True)
class InferenceOptions:
    """Limits of a model's answer."""

    max_tokens: int
    """Maximum length of the answer."""
    guardrail: Guardrail | None = None


@dataclass(frozen=True)
class TokenUsage:
    """Billed tokens of an answer."""

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
        """Send a request once. Raises ServiceFailed."""
        ...


class BedrockModel:
    """A Bedrock model or inference profile."""

    def __init__(self, client: Any, model_id: str) -> None:
        """`client` is boto3's `bedrock-runtime` client. `model_id` may be the id of an inference profile."""
        self._client = client
        self._model_id = model_id
        self._supports_caching = _CACHING_MODELS.search(model_id) is not None

    def converse(self, request: ConverseRequest) -> ModelReply:
        """Send a request once. Raises ServiceFailed."""
        supported = request if self._supports_caching else _without_caching(request)
        answer = call_service(self._client.converse, modelId=self._model_id, **supported)
        # A reasoning model returns other content blocks before its text.
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


def build_request(instructions: str, content: Sequence[ContentBlock], options: InferenceOptions) -> ConverseRequest:
    """Return a request with cached instructions and one user message."""
    request: ConverseRequest = {
        "system": [{"text": instructions}, CACHE_POINT],
        "messages": [{"role": "user", "content": list(content)}],
        "inferenceConfig": {"maxTokens": options.max_tokens},
    }
    if options.guardrail is not None:
        request["guardrailConfig"] = {
            "guardrailIdentifier": options.guardrail.identifier,
            "guardrailVersion": options.guardrail.version,
        }
    return request


def _without_caching(request: ConverseRequest) -> ConverseRequest:
    return {
        **request,
        "system": _without_cache_points(request["system"]),
        "messages": [
            {**message, "content": _without_cache_points(message["content"])} for message in request["messages"]
        ],
    }


def _without_cache_points(blocks: Sequence[ContentBlock]) -> list[ContentBlock]:
    return [block for block in blocks if block != CACHE_POINT]


def to_json_lines(objects: Iterable[Mapping[str, Any]]) -> ContentBlock:
    """Return a content block with one JSON object per line."""
    return {"text": "\n".join(json.dumps(entry, ensure_ascii=False) for entry in objects)}
