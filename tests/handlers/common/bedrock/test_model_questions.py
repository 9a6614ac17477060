"""Tests of questions to a model, and of the second question after an unusable answer."""

from dataclasses import dataclass, field
from enum import StrEnum

import pytest

from handlers.common.aws.retry import Retrier, RetryTiming
from handlers.common.aws.service_faults import ServiceFailed, ServiceFault
from handlers.common.bedrock.converse import (
    ContentBlock,
    ConverseRequest,
    InferenceOptions,
    ModelReply,
    TokenUsage,
    build_request,
)
from handlers.common.bedrock.json_answers import UnusableAnswer
from handlers.common.bedrock.model_questions import ModelQuestion, NoAnswer, ask_model, build_correction

CANARY = "canary"


class Trouble(StrEnum):
    CUT_OFF = "It was cut off."
    WORD = "It was no good word."


def asked(problem: StrEnum | None) -> ConverseRequest:
    content: list[ContentBlock] = [{"text": "Say a good word."}]
    return build_request(
        "Be brief.", [*content, *([] if problem is None else [build_correction(problem)])], InferenceOptions(10)
    )


def read(text: str, last: bool) -> str:
    if text == "good" or (last and text == "fair"):
        return text
    raise UnusableAnswer(Trouble.WORD)


@dataclass
class ScriptedModel:
    replies: list[ModelReply | ServiceFault]
    asked: list[ConverseRequest] = field(default_factory=list)
    spent: list[TokenUsage] = field(default_factory=list)
    at: float = 0.0

    def converse(self, request: ConverseRequest) -> ModelReply:
        self.asked.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, ServiceFault):
            raise ServiceFailed(reply)
        return reply

    def ask(self, seconds: float = 1_000) -> str | NoAnswer:
        retrier = Retrier(RetryTiming(lambda: self.at, self._wait, lambda: 1.0), seconds)
        return ask_model(self, ModelQuestion(asked, read, Trouble.CUT_OFF), retrier, 50, self.spent.append)

    def _wait(self, seconds: float) -> None:
        self.at += seconds

    @property
    def repairs(self) -> list[str]:
        return [block["text"] for item in self.asked for block in item["messages"][0]["content"][1:]]


def said(text: str, stop: str = "end_turn") -> ModelReply:
    return ModelReply(text, TokenUsage(1, 2, 3, 4), stop)


def test_a_usable_answer_needs_one_question() -> None:
    scene = ScriptedModel([said("good")])
    assert scene.ask() == "good"
    assert (scene.repairs, scene.spent) == ([], [TokenUsage(1, 2, 3, 4)])


@pytest.mark.parametrize(
    ("bad", "told"),
    [(said(CANARY), Trouble.WORD), (said(f"good {CANARY}", "max_tokens"), Trouble.CUT_OFF)],
)
def test_an_unusable_answer_gets_a_second_question_that_does_not_quote_it(bad: ModelReply, told: StrEnum) -> None:
    scene = ScriptedModel([bad, said("good")])
    assert scene.ask() == "good"
    [repaired] = scene.repairs
    assert told.value in repaired
    assert CANARY not in repaired
    assert len(scene.spent) == 2, "what could not be used was paid for"


def test_the_reader_learns_which_answer_is_the_last() -> None:
    assert ScriptedModel([said("fair"), said("fair")]).ask() == "fair"


def test_there_is_no_third_question() -> None:
    scene = ScriptedModel([said(CANARY), said(CANARY), said("good")])
    assert scene.ask() is NoAnswer.UNUSABLE
    assert len(scene.asked) == 2


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ("guardrail_intervened", NoAnswer.GUARDRAIL),
        ("content_filtered", NoAnswer.FILTERED),
        ("model_context_window_exceeded", NoAnswer.TOO_LARGE),
    ],
)
def test_a_final_stop_reason_gets_no_second_question(stop: str, expected: NoAnswer) -> None:
    scene = ScriptedModel([said("good", stop)])
    assert scene.ask() is expected
    assert len(scene.spent) == 1


def test_transient_faults_are_retried_and_others_are_raised() -> None:
    assert ScriptedModel([ServiceFault.THROTTLED, ServiceFault.UNAVAILABLE, said("good")]).ask() == "good"
    for faults in ([ServiceFault.REFUSED], [ServiceFault.THROTTLED] * 9):
        with pytest.raises(ServiceFailed) as caught:
            ScriptedModel([*faults]).ask(60)
        assert caught.value.fault is faults[-1]
