"""Questions to Bedrock models through the Converse API.

A request begins with the instructions, which are the same for many requests, and a cache point. The material that the
model works on follows as one JSON object per line. JSON escapes line breaks, so text that a speaker or user wrote stays
in its line. `Retrier` retries failed calls. If the first answer cannot be used, for example because it is not JSON, a
second request tells the model why, unless its stop reason would be the same.

Callers build a request without knowing its model. They put a cache point wherever caching would save money, and state
the maximum length of the answer. `BedrockModel` adapts the request to the model. It removes cache points that the model
would reject or ignore, and adds fields that only this model has. If the model rejects the request, it is sent once more
without the added fields, because a model may refuse to disable or limit its thinking.

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

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Any, Generic, NoReturn, Protocol, TypeVar

from botocore.config import Config
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from handlers.common.aws import Retrier, ServiceFailed, ServiceFault, call_service

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


_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
"""Markdown code fence around a whole answer."""


class AnswerJsonProblem(StrEnum):
    """Reasons why an answer contains no usable JSON, as sentences for the model."""

    EMPTY = "It was empty."
    TOO_LONG = "It was too long."
    NO_JSON = "It was not a single valid JSON object without other text."
    """The answer is not valid JSON. The sentence names an object, because all questions request one."""


class UnusableAnswer(Exception):
    """The model's answer cannot be used."""

    def __init__(self, problem: StrEnum) -> None:
        """`problem` is an enum member whose value is a sentence for the model. Its name is the exception's message."""
        super().__init__(problem.name)
        self.problem = problem


class ModelAnswer(BaseModel):
    """Base of models for parsed answers: camelCase names, strict types, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


A = TypeVar("A", bound=ModelAnswer)


def parse_json_answer(text: str, max_characters: int) -> Any:
    """Return the JSON value of an answer. Raises UnusableAnswer."""
    if len(text) > max_characters:
        raise UnusableAnswer(AnswerJsonProblem.TOO_LONG)
    stripped = text.strip()
    if not stripped:
        raise UnusableAnswer(AnswerJsonProblem.EMPTY)
    fenced = _FENCE.fullmatch(stripped)
    try:
        return json.loads(stripped if fenced is None else fenced[1], parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # The exceptions' messages and causes contain the answer, so the new exception is raised outside this block.
        pass
    raise UnusableAnswer(AnswerJsonProblem.NO_JSON)


def validate_or_none(model: type[A], value: object) -> A | None:
    """Return the value as an instance of the model, or None if it is invalid."""
    try:
        return model.model_validate(value)
    except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
        return None


def _refuse_constant(_: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which Python reads although they are not JSON."""
    raise ValueError


MAX_ATTEMPTS = 2
"""Maximum number of times that a question is asked. A call that fails without an answer is retried by `Retrier`, and
does not count."""
T = TypeVar("T")


class NoAnswer(StrEnum):
    """Reasons why a question has no usable answer."""

    UNUSABLE = "unusable_answer"
    """Both answers were unusable."""
    FILTERED = "filtered"
    """The model provider's content filter stopped the answer."""
    TOO_LARGE = "too_large"
    """The request, or the request and the answer together, exceed the model's context window."""


_FINAL_STOP_REASONS = {
    "content_filtered": NoAnswer.FILTERED,
    "model_context_window_exceeded": NoAnswer.TOO_LARGE,
}
"""Stop reasons after which the question is not asked again."""
_CUT_OFF = "max_tokens"
"""Stop reason of an answer that reached the token limit."""


@dataclass(frozen=True)
class ModelQuestion(Generic[T]):
    """A question: a function that builds its requests, and a function that reads an answer."""

    request: Callable[[StrEnum | None], ConverseRequest]
    """Build a request. The argument is None for the first request, and the problem of the first answer for the second.

    The second request does not contain the first answer, because its tokens would be billed as input, and the model
    might repeat its fault.
    """
    read: Callable[[str, bool], T]
    """Read the text of an answer. Raises UnusableAnswer.

    The second argument is True for the last attempt, in which `read` may accept an answer that lacks parts. An
    answer that was cut off at the token limit is never read.
    """
    cut_off_problem: StrEnum
    """Problem of an answer that was cut off at the token limit, as a sentence for the model."""


def ask_model(
    model: LanguageModel,
    question: ModelQuestion[T],
    retrier: Retrier,
    answer_seconds: float,
    report_usage: Callable[[TokenUsage], None],
) -> T | NoAnswer:
    """Return the result of `question.read`, or the reason why there is no usable answer. Raises ServiceFailed.

    `answer_seconds` is the maximum duration of one call, so that `retrier` starts no call that its deadline would cut
    off. `report_usage` is called for each answer, even for an unusable one, because each is billed.
    """
    problem: StrEnum | None = None
    for attempt in range(1, MAX_ATTEMPTS + 1):
        reply = retrier.call(partial(model.converse, question.request(problem)), answer_seconds)
        report_usage(reply.usage)
        if reply.stop_reason in _FINAL_STOP_REASONS:
            return _FINAL_STOP_REASONS[reply.stop_reason]
        try:
            return _read(question, reply, is_last=attempt == MAX_ATTEMPTS)
        except UnusableAnswer as error:
            problem = error.problem
    return NoAnswer.UNUSABLE


def build_correction(problem: StrEnum) -> ContentBlock:
    """Return the content block that ends the second request. It states the problem of the first answer."""
    request = "Answer again, in exactly the form that you were told."
    return {"text": f"Your answer to this could not be used. {problem.value} {request}"}


def _read(question: ModelQuestion[T], reply: ModelReply, *, is_last: bool) -> T:
    if reply.stop_reason == _CUT_OFF:
        raise UnusableAnswer(question.cut_off_problem)
    return question.read(reply.text, is_last)
