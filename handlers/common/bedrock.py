"""Questions to Bedrock models through the Converse API, which the models answer with a JSON object.

A request begins with the instructions, which are the same for many requests, and a cache point. The material that the
model works on follows as one JSON object per line. JSON escapes line breaks, so text that a speaker or user wrote stays
in its line and cannot pretend to be an instruction.

The answer is parsed here. Bedrock can also force an answer into a JSON schema (`outputConfig.textFormat`), but "support
varies by model and endpoint", and Bedrock has rejected the schema for other Sonnet and Haiku models. So the instructions
ask for JSON, and a model whose answer is unusable is asked once more.

Callers build a request without knowing its model: they put a cache point wherever caching would save money, and state
the maximum length of the answer. `BedrockModel` adapts the request to the models in `_TRAITS`. Every other model gets
no cache points, because a model without prompt caching rejects them.

A thinking model writes text to reason before it answers. This text is billed as output and counts against `maxTokens`.
Claude models from version 5 on think unless a request disables thinking. Claude Sonnet 5.5 does not let it be disabled.
These models also reject `temperature`, `topP`, forced tool calls and a prefilled answer, so our requests have none.

The facts come from the model cards and these pages:
https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-structured-outputs.html
https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html#prompt-caching-models
https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-adaptive-thinking.html
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self, TypeVar

from botocore.config import Config
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from handlers.common.json_models import Message

SONNET = "us.anthropic.claude-sonnet-5-5"
"""Id of Claude Sonnet 5.5 through a cross-region inference profile, which selects a region with free capacity."""
HAIKU = "us.anthropic.claude-haiku-5-5"
"""Id of Claude Haiku 5.5 through a cross-region inference profile."""
ConverseRequest = dict[str, Any]
"""Parameters of a Converse call, without the model id."""
ContentBlock = dict[str, Any]
"""Bedrock's content block: a piece of a message."""
CACHE_POINT: ContentBlock = {"cachePoint": {"type": "default"}}
"""Block that marks a cache point. Bedrock may cache everything before it for some minutes. A later request with the same
beginning is then cheaper. The models in `_TRAITS` ignore a cache point after fewer than 512 tokens."""


@dataclass(frozen=True)
class ModelTraits:
    """Properties of a model in which requests to it differ."""

    caches_prompts: bool = False
    request_fields: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the model's own request format (`additionalModelRequestFields`)."""
    thinking_tokens: int = 0
    """Output tokens that a request allows for thinking, in addition to the answer."""

    def max_output_tokens(self, answer_tokens: int) -> int:
        """Return the limit of output tokens for a request whose answer has at most `answer_tokens` tokens."""
        return answer_tokens + self.thinking_tokens


_TRAITS: Mapping[str, ModelTraits] = {
    "anthropic.claude-haiku-5-5": ModelTraits(caches_prompts=True, request_fields={"thinking": {"type": "disabled"}}),
    # Thinking as little as possible is enough, because our requests only let a model extract and summarise text.
    "anthropic.claude-sonnet-5-5": ModelTraits(
        caches_prompts=True,
        request_fields={"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
        thinking_tokens=4_000,
    ),
}
"""Traits by the part that the ids of a model and of its inference profiles have in common."""


def find_traits(model_id: str) -> ModelTraits:
    """Return the traits for the id or ARN of a model or inference profile, or default traits if `_TRAITS` lacks it."""
    return next((traits for name, traits in _TRAITS.items() if name in model_id), ModelTraits())


def build_client_config(answer_seconds: int) -> Config:
    """Return the configuration of a client that waits at most `answer_seconds` for each answer.

    An answer arrives as a whole, so the client receives no data until the model has finished. botocore repeats a
    throttled or timed-out call once. After that, the caller fails, and its queue or workflow repeats it later.
    """
    return Config(connect_timeout=2, read_timeout=answer_seconds, retries={"mode": "standard", "total_max_attempts": 2})


class TokenUsage(Message):
    """Numbers of billed tokens."""

    input_tokens: int = 0
    """Input tokens without those that were read from or written to the model's cache."""
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0

    @property
    def all_input_tokens(self) -> int:
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    def __add__(self, other: Self) -> "TokenUsage":
        return TokenUsage(**{name: getattr(self, name) + getattr(other, name) for name in TokenUsage.model_fields})


@dataclass(frozen=True)
class ModelReply:
    """A model's answer with its token usage and Bedrock's stop reason."""

    text: str = field(repr=False)
    usage: TokenUsage
    stop_reason: str


class NoAnswerReason(StrEnum):
    """Reasons why a question has no usable answer."""

    UNUSABLE = "unusable_answer"
    """Both answers were unusable."""
    FILTERED = "filtered"
    """The model provider's content filter stopped the answer."""
    TOO_LARGE = "too_large"
    """The request, or the request and the answer together, exceed the model's context window."""


class NoAnswer(Exception):
    """The model gave no usable answer, and asking it again would not help. The message is the NoAnswerReason."""


_FINAL_STOP_REASONS = {
    "content_filtered": NoAnswerReason.FILTERED,
    "model_context_window_exceeded": NoAnswerReason.TOO_LARGE,
}
"""Stop reasons after which the question is not asked again."""
_CUT_OFF_CORRECTION = "Your answer to this was cut off at the limit of its length. Answer again, and write less."
_FORM_CORRECTION = "Your answer to this could not be used. Answer again, with nothing but the JSON object."
_MAX_QUESTIONS = 2
"""Maximum number of requests for one question."""
T = TypeVar("T")


class BedrockModel:
    """A Bedrock model, called directly or through an inference profile."""

    def __init__(self, client: Any, model_id: str) -> None:
        """`client` is boto3's `bedrock-runtime` client, with the configuration of `build_client_config`."""
        self._client = client
        self._model_id = model_id
        self._traits = find_traits(model_id)

    def ask(self, request: ConverseRequest, read: Callable[[str], T], report_usage: Callable[[TokenUsage], None]) -> T:
        """Return the result of `read`, which parses the text of an answer and raises ValueError if it is unusable.

        After an unusable answer, the question is asked once more. The second request does not contain the first answer,
        because its tokens would be billed as input, and the model might repeat its fault. `report_usage` is called for
        each answer, even for an unusable one, because each is billed. Raises NoAnswer, and botocore's errors, whose
        messages may quote the request.
        """
        question = request
        for _ in range(_MAX_QUESTIONS):
            reply = self.converse(question)
            report_usage(reply.usage)
            if reply.stop_reason in _FINAL_STOP_REASONS:
                raise NoAnswer(_FINAL_STOP_REASONS[reply.stop_reason])
            correction = _CUT_OFF_CORRECTION
            if reply.stop_reason != "max_tokens":  # the answer did not reach the token limit
                try:
                    return read(reply.text)
                except ValueError:
                    correction = _FORM_CORRECTION
            [message] = request["messages"]  # our requests have one
            question = {**request, "messages": [{**message, "content": [*message["content"], {"text": correction}]}]}
        raise NoAnswer(NoAnswerReason.UNUSABLE)

    def converse(self, request: ConverseRequest) -> ModelReply:
        """Send a request, adapted to the model, and return the answer, even if it is cut off or unusable."""
        traits, limits = self._traits, request["inferenceConfig"]

        def keep_supported(blocks: Sequence[ContentBlock]) -> list[ContentBlock]:
            return [block for block in blocks if traits.caches_prompts or block != CACHE_POINT]

        adapted = {
            **request,
            "system": keep_supported(request["system"]),
            "messages": [{**message, "content": keep_supported(message["content"])} for message in request["messages"]],
            "inferenceConfig": {**limits, "maxTokens": traits.max_output_tokens(limits["maxTokens"])},
        }
        if traits.request_fields:
            adapted["additionalModelRequestFields"] = dict(traits.request_fields)
        answer = self._client.converse(modelId=self._model_id, **adapted)
        message = answer["output"].get("message", {"content": []})
        usage = answer["usage"]
        return ModelReply(
            # A thinking model returns reasoning blocks, which have no text, before its answer.
            text="".join(block["text"] for block in message["content"] if "text" in block),
            usage=TokenUsage(
                input_tokens=usage["inputTokens"],
                output_tokens=usage["outputTokens"],
                cache_read_tokens=usage.get("cacheReadInputTokens", 0),
                cache_write_tokens=usage.get("cacheWriteInputTokens", 0),
            ),
            stop_reason=answer["stopReason"],
        )


def build_request(instructions: str, content: Sequence[ContentBlock], max_tokens: int) -> ConverseRequest:
    """Return a request with instructions, a cache point after them, and one user message.

    `max_tokens` limits the answer, without the tokens that the model uses for thinking.
    """
    return {
        "system": [{"text": instructions}, CACHE_POINT],
        "messages": [{"role": "user", "content": list(content)}],
        "inferenceConfig": {"maxTokens": max_tokens},
    }


def to_json_lines(objects: Iterable[Mapping[str, Any]]) -> ContentBlock:
    """Return a content block with one JSON object per line."""
    return {"text": "\n".join(json.dumps(entry, ensure_ascii=False) for entry in objects)}


class ModelAnswer(BaseModel):
    """Base of models for parsed answers: camelCase names, strict types, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


A = TypeVar("A", bound=ModelAnswer)
_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
"""Markdown code fence around a whole answer."""


def parse_answer(model: type[A], text: str) -> A:
    """Return the JSON object of an answer, which may be in a code fence. Raises ValueError."""
    fenced = _FENCE.fullmatch(text.strip())
    return model.model_validate_json(text if fenced is None else fenced[1])


def keep_valid(model: type[A], values: Sequence[object]) -> tuple[A, ...]:
    """Return the entries of a list in an answer that have the form of the model.

    One malformed entry must not cost the others. Raises ValueError if the list has entries and none is valid.
    """
    valid: list[A] = []
    for value in values:
        try:
            valid.append(model.model_validate(value))
        except ValidationError:
            continue
    if values and not valid:
        raise ValueError("no valid entry")
    return tuple(valid)
