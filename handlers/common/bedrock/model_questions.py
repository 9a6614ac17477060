"""Questions to a language model, each asked at most twice.

If the first answer cannot be used, for example because it is not JSON, the second request tells the model why. If the
first request ended with a stop reason that the second would have too, for example because a content filter stopped the
answer, there is no second request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, TypeVar

from handlers.common.aws.retry import Retrier
from handlers.common.bedrock.converse import ContentBlock, ConverseRequest, LanguageModel, ModelReply, TokenUsage
from handlers.common.bedrock.json_answers import UnusableAnswer

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
