"""Asks the models about one recording: once for each question, whatever breaks off in between.

Answers are kept below the recording's `work/`, so that a summary that breaks off goes on where it was, and no question
is paid for twice. Another prompt, transcript, setting or model is another question.

It decides how long a busy model is waited for, and what each fault means to the workflow. Safe to use from several
threads.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import Field, ValidationError

from handlers.common.aws.retry import Retrier, RetryTiming
from handlers.common.aws.service_faults import TRANSIENT_FAULTS, ServiceFailed
from handlers.common.bedrock.converse import LanguageModel, TokenUsage
from handlers.common.bedrock.model_answers import UnusableAnswer
from handlers.common.bedrock.model_questions import MAX_ATTEMPTS, ModelQuestion, NoAnswer, ask_model
from handlers.common.logging import EventLog
from handlers.common.websocket.messages import Message
from handlers.meetings.bedrock_summarize.model_requests import Asked
from handlers.meetings.bedrock_summarize.summary import Tokens
from handlers.meetings.meeting_store import MeetingStore
from handlers.meetings.s3_keys import Recording
from handlers.meetings.summary_errors import ModelBusy, ModelRefused, SummaryUnusable

WAITED_SECONDS = 60.0
"""How long a model that is busy is asked again, beside the time that answers take. After that it is the workflow's turn:
waiting there costs nothing."""
MAX_BYTES = 2 * 1024**2
"""Of an answer that is kept."""
T = TypeVar("T")


class KeptAnswer(Message):
    """An answer that could be used."""

    schema_version: Literal[1] = 1
    text: str = Field(repr=False)
    tokens: Tokens
    """What it cost, with the one before it that could not be used."""


@dataclass(frozen=True)
class Interviewer:
    """What asks."""

    models: Mapping[str, LanguageModel]
    """By id."""
    answer_seconds: float
    log: EventLog
    timing: RetryTiming


class Interview:
    """The questions about one recording."""

    def __init__(self, interviewer: Interviewer, store: MeetingStore, recording: Recording, deadline: float) -> None:
        self._with = interviewer
        self._store = store
        self._recording = recording
        self._deadline = deadline

    def answer(self, model_id: str, asked: Asked[T]) -> tuple[T, Tokens]:
        """The answer and what it cost, now or earlier; raises SummaryFailed."""
        key = self._recording.answer(hashlib.sha256(f"{model_id}\n{asked.name}".encode()).hexdigest())
        data = self._store.read(key, MAX_BYTES)
        if data is not None:
            try:
                found = KeptAnswer.model_validate_json(data)
                return asked.question.read(found.text, True), found.tokens
            except (ValidationError, UnusableAnswer):
                pass  # the rules have changed since
        answer, kept = self._asked(model_id, asked)
        self._store.write(key, kept.model_dump_json(by_alias=True))
        return answer, kept.tokens

    def _asked(self, model_id: str, asked: Asked[T]) -> tuple[T, KeptAnswer]:
        spent: list[TokenUsage] = []

        def read(text: str, last: bool) -> tuple[T, str]:
            return asked.question.read(text, last), text

        def count(usage: TokenUsage) -> None:
            spent.append(usage)
            self._count(asked, usage)

        question = ModelQuestion(asked.question.request, read, asked.question.cut_off_problem)
        seconds, now = self._with.answer_seconds, self._with.timing.now()
        patience = Retrier(self._with.timing, min(self._deadline, now + MAX_ATTEMPTS * seconds + WAITED_SECONDS))
        try:
            found = ask_model(self._with.models[model_id], question, patience, seconds, count)
        except ServiceFailed as error:
            fault = error.fault
        else:
            if isinstance(found, NoAnswer):
                raise SummaryUnusable(found) if found is NoAnswer.UNUSABLE else ModelRefused(found)
            answer, text = found
            return answer, KeptAnswer(text=text, tokens=total(spent))
        raise ModelBusy(fault) if fault in TRANSIENT_FAULTS else ModelRefused(fault)

    def _count(self, asked: Asked[T], usage: TokenUsage) -> None:
        self._with.log.info(
            "model_answered",
            task=asked.task.value,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )


def total(spent: "list[TokenUsage] | list[Tokens]") -> Tokens:
    """What several answers cost."""
    return Tokens(
        input_tokens=sum(one.input_tokens for one in spent),
        output_tokens=sum(one.output_tokens for one in spent),
        cache_read_tokens=sum(one.cache_read_tokens for one in spent),
        cache_write_tokens=sum(one.cache_write_tokens for one in spent),
    )
