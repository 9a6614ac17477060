"""Asks the model about a window: once, and once more where the answer cannot be used.

It decides which answers are not worth a second question.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from handlers.livestream.agent_services import Model, WindowFailure
from handlers.livestream.model import ANSWER_SECONDS, Reply, Usage
from handlers.livestream.model_answer import Answer, BadAnswer, Problem, parse
from handlers.livestream.patience import Patience
from handlers.livestream.prompting import Asking, MemoryEvent, request
from handlers.livestream.windows import Window

ATTEMPTS = 2
_FINAL = {
    "guardrail_intervened": WindowFailure.GUARDRAIL,
    "content_filtered": WindowFailure.FILTERED,
    "model_context_window_exceeded": WindowFailure.TOO_LARGE,
}
"""Why a model stops, where it would stop again."""
_CUT_OFF = "max_tokens"


@dataclass(frozen=True)
class Question:
    """What is asked."""

    asking: Asking
    window: Window
    window_id: str
    count: int
    memories: Sequence[MemoryEvent]


def ask(model: Model, question: Question, patience: Patience, spent: Callable[[Usage], None]) -> Answer | WindowFailure:
    """The answer, or why there is none; raises ServiceFailed. `spent` hears what each answer cost, used or not."""
    problem: Problem | None = None
    for attempt in range(1, ATTEMPTS + 1):
        asked = request(
            question.asking, question.window, question.window_id, question.count, question.memories, problem
        )
        reply = patience.call(partial(model.converse, asked), ANSWER_SECONDS)
        spent(reply.usage)
        if reply.stop_reason in _FINAL:
            return _FINAL[reply.stop_reason]
        try:
            return _answer(reply, question.window_id, patient=attempt == ATTEMPTS)
        except BadAnswer as bad:
            problem = bad.problem
    return WindowFailure.UNUSABLE_ANSWER


def _answer(reply: Reply, window_id: str, *, patient: bool) -> Answer:
    if reply.stop_reason == _CUT_OFF:
        raise BadAnswer(Problem.CUT_OFF)
    return parse(reply.text, window_id, patient=patient)
