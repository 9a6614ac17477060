"""Asks the model about a window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from handlers.common import asking
from handlers.common.asking import NoAnswer
from handlers.common.converse import Model, Request, Usage
from handlers.common.patience import Patience
from handlers.common.windows import Window
from handlers.livestream.agent_services import WindowFailure
from handlers.livestream.cues import Cue
from handlers.livestream.model_answer import Answer, Problem, parse
from handlers.livestream.prompting import Asking, MemoryEvent, request


@dataclass(frozen=True)
class Question:
    """What is asked."""

    asking: Asking
    window: Window[Cue]
    window_id: str
    count: int
    memories: Sequence[MemoryEvent]


def ask(model: Model, question: Question, patience: Patience, spent: Callable[[Usage], None]) -> Answer | WindowFailure:
    """The answer, or why there is none; raises ServiceFailed. `spent` hears what each answer cost, used or not."""

    def asked(problem: StrEnum | None) -> Request:
        return request(question.asking, question.window, question.window_id, question.count, question.memories, problem)

    def read(text: str, last: bool) -> Answer:
        return parse(text, question.window_id, patient=last)

    wanted, seconds = asking.Question(asked, read, Problem.CUT_OFF), question.asking.answer_seconds
    answer = asking.ask(model, wanted, patience, seconds, spent)
    return WindowFailure(answer.value) if isinstance(answer, NoAnswer) else answer
