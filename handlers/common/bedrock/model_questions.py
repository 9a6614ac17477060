"""Asks a model: once, and once more where the answer cannot be used.

It decides which answers are not worth a second question.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Generic, TypeVar

from handlers.common.aws.retry import Patience
from handlers.common.bedrock.converse import Block, Model, Reply, Request, Usage
from handlers.common.bedrock.model_answers import BadAnswer

ATTEMPTS = 2
T = TypeVar("T")


class NoAnswer(StrEnum):
    """Why there is no answer, and would be none if it was asked again."""

    UNUSABLE = "unusable_answer"
    GUARDRAIL = "guardrail"
    """The guardrail stopped it."""
    FILTERED = "filtered"
    """The model's provider stopped it."""
    TOO_LARGE = "too_large"
    """The question is more than the model can read."""


_FINAL = {
    "guardrail_intervened": NoAnswer.GUARDRAIL,
    "content_filtered": NoAnswer.FILTERED,
    "model_context_window_exceeded": NoAnswer.TOO_LARGE,
}
"""Why a model stops, where it would stop again."""
_CUT_OFF = "max_tokens"


@dataclass(frozen=True)
class Question(Generic[T]):
    """What is asked, and how its answer is read."""

    request: Callable[[StrEnum | None], Request]
    """Given what was wrong with the answer before, if there was one.

    That answer is not sent back: whatever broke it would be read again, and paid for.
    """
    read: Callable[[str, bool], T]
    """Given the answer's text, and whether it is the last one there will be; raises BadAnswer."""
    cut_off: StrEnum
    """What the model is told where its answer was cut off at the limit of its length."""


def ask(
    model: Model,
    question: Question[T],
    patience: Patience,
    answer_seconds: float,
    spent: Callable[[Usage], None],
) -> T | NoAnswer:
    """The answer, or why there is none; raises ServiceFailed. `spent` hears what each answer cost, used or not."""
    problem: StrEnum | None = None
    for attempt in range(1, ATTEMPTS + 1):
        reply = patience.call(partial(model.converse, question.request(problem)), answer_seconds)
        spent(reply.usage)
        if reply.stop_reason in _FINAL:
            return _FINAL[reply.stop_reason]
        try:
            return _read(question, reply, last=attempt == ATTEMPTS)
        except BadAnswer as bad:
            problem = bad.problem
    return NoAnswer.UNUSABLE


def repair(problem: StrEnum) -> Block:
    """What ends a second question."""
    return {
        "text": f"Your answer to this could not be used. {problem.value} Answer again, in exactly the form that you were told."
    }


def _read(question: Question[T], reply: Reply, *, last: bool) -> T:
    if reply.stop_reason == _CUT_OFF:
        raise BadAnswer(question.cut_off)
    return question.read(reply.text, last)
