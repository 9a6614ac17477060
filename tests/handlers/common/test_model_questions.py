"""Tests of questions to a model, and of the second question after an unusable answer."""

from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from handlers.common.aws import Retrier, RetryTiming, ServiceFailed, ServiceFault
from handlers.common.bedrock import (
    ContentBlock,
    ConverseRequest,
    ModelQuestion,
    ModelReply,
    NoAnswer,
    TokenUsage,
    UnusableAnswer,
    ask_model,
    build_correction,
    build_request,
)

CANARY = "canary"
ANSWER_SECONDS = 50
"""Maximum duration of one call."""


class AnswerProblem(StrEnum):
    CUT_OFF = "It was cut off."
    OTHER_WORD = "It was another word."


def build_question(problem: StrEnum | None) -> ConverseRequest:
    content: list[ContentBlock] = [{"text": "Say yes or no."}]
    return build_request("Be brief.", [*content, *([] if problem is None else [build_correction(problem)])], 10)


def read_answer(text: str, is_last: bool) -> str:
    """Accept `yes` and `no`, and `maybe` only in the last answer."""
    if text in {"yes", "no"} or (is_last and text == "maybe"):
        return text
    raise UnusableAnswer(AnswerProblem.OTHER_WORD)


@dataclass
class ScriptedModel:
    """Model with scripted replies and faults, which records requests and tokens. Its clock advances only in pauses."""

    replies: list[ModelReply | ServiceFault]
    requests: list[ConverseRequest] = field(default_factory=list)
    token_usages: list[TokenUsage] = field(default_factory=list)
    now: float = 0.0

    def converse(self, request: ConverseRequest) -> ModelReply:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, ServiceFault):
            raise ServiceFailed(reply)
        return reply

    def ask(self, deadline: float = 1_000) -> str | NoAnswer:
        retrier = Retrier(RetryTiming(lambda: self.now, self._wait, lambda: 1.0), deadline)
        question = ModelQuestion(build_question, read_answer, AnswerProblem.CUT_OFF)
        return ask_model(self, question, retrier, ANSWER_SECONDS, self.token_usages.append)

    def _wait(self, seconds: float) -> None:
        self.now += seconds

    @property
    def corrections(self) -> list[str]:
        """Text that the requests contain after the question itself."""
        return [block["text"] for request in self.requests for block in request["messages"][0]["content"][1:]]


def reply(text: str, stop_reason: str = "end_turn") -> ModelReply:
    return ModelReply(text, TokenUsage(1, 2, 3, 4), stop_reason)


def test_a_usable_answer_needs_one_question() -> None:
    model = ScriptedModel([reply("yes")])
    assert model.ask() == "yes"
    assert (model.corrections, model.token_usages) == ([], [TokenUsage(1, 2, 3, 4)])


@pytest.mark.parametrize(
    ("unusable_reply", "problem"),
    [(reply(CANARY), AnswerProblem.OTHER_WORD), (reply(f"yes {CANARY}", "max_tokens"), AnswerProblem.CUT_OFF)],
)
def test_an_unusable_answer_gets_a_second_question_that_does_not_quote_it(
    unusable_reply: ModelReply, problem: StrEnum
) -> None:
    model = ScriptedModel([unusable_reply, reply("yes")])
    assert model.ask() == "yes"
    [correction] = model.corrections
    assert problem.value in correction
    assert CANARY not in correction
    assert len(model.token_usages) == 2, "an unusable answer is billed too"


def test_the_answer_to_the_second_question_is_read_as_the_last_one() -> None:
    assert ScriptedModel([reply("maybe"), reply("maybe")]).ask() == "maybe"


def test_there_is_no_third_question() -> None:
    model = ScriptedModel([reply(CANARY), reply(CANARY), reply("yes")])
    assert model.ask() is NoAnswer.UNUSABLE
    assert len(model.requests) == 2


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        ("content_filtered", NoAnswer.FILTERED),
        ("model_context_window_exceeded", NoAnswer.TOO_LARGE),
    ],
)
def test_a_final_stop_reason_gets_no_second_question(stop_reason: str, expected: NoAnswer) -> None:
    model = ScriptedModel([reply("yes", stop_reason)])
    assert model.ask() is expected
    assert len(model.token_usages) == 1


def test_transient_faults_are_retried_and_others_are_raised() -> None:
    assert ScriptedModel([ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE, reply("yes")]).ask() == "yes"
    for faults in ([ServiceFault.REFUSED], [ServiceFault.THROTTLED] * 9):
        with pytest.raises(ServiceFailed) as caught:
            ScriptedModel([*faults]).ask(deadline=60)
        assert caught.value.fault is faults[-1]
