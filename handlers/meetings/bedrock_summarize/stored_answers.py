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

from handlers.common.aws.retry import Patience, Timing
from handlers.common.aws.service_faults import PASSING, ServiceFailed
from handlers.common.bedrock.converse import Model, Usage
from handlers.common.bedrock.model_answers import BadAnswer
from handlers.common.bedrock.model_questions import ATTEMPTS, NoAnswer, Question, ask
from handlers.common.logging import EventLog
from handlers.common.websocket.messages import Message
from handlers.meetings.bedrock_summarize.model_requests import TaskQuestion
from handlers.meetings.bedrock_summarize.summary import SummaryTokens
from handlers.meetings.meeting_store import MeetingStore
from handlers.meetings.s3_keys import Recording
from handlers.meetings.summary_errors import ModelBusy, ModelRefused, SummaryUnusable

BUSY_MODEL_SECONDS = 60.0
"""How long a model that is busy is asked again, beside the time that answers take. After that it is the workflow's turn:
waiting there costs nothing."""
MAX_STORED_BYTES = 2 * 1024**2
"""Of an answer that is kept."""
T = TypeVar("T")


class StoredAnswer(Message):
    """An answer that could be used."""

    schema_version: Literal[1] = 1
    text: str = Field(repr=False)
    tokens: SummaryTokens
    """What it cost, with the one before it that could not be used."""


@dataclass(frozen=True)
class ModelAccess:
    """What asks."""

    models: Mapping[str, Model]
    """By id."""
    answer_seconds: float
    log: EventLog
    timing: Timing


class StoredAnswers:
    """The questions about one recording."""

    def __init__(self, interviewer: ModelAccess, store: MeetingStore, recording: Recording, deadline: float) -> None:
        self._models = interviewer
        self._store = store
        self._recording = recording
        self._deadline = deadline

    def answer(self, model_id: str, asked: TaskQuestion[T]) -> tuple[T, SummaryTokens]:
        """The answer and what it cost, now or earlier; raises SummaryFailed."""
        key = self._recording.answer_key(hashlib.sha256(f"{model_id}\n{asked.digest}".encode()).hexdigest())
        data = self._store.read(key, MAX_STORED_BYTES)
        if data is not None:
            try:
                found = StoredAnswer.model_validate_json(data)
                return asked.question.read(found.text, True), found.tokens
            except (ValidationError, BadAnswer):
                pass  # the rules have changed since
        answer, kept = self._ask_model(model_id, asked)
        self._store.write(key, kept.model_dump_json(by_alias=True))
        return answer, kept.tokens

    def _ask_model(self, model_id: str, asked: TaskQuestion[T]) -> tuple[T, StoredAnswer]:
        spent: list[Usage] = []

        def read(text: str, last: bool) -> tuple[T, str]:
            return asked.question.read(text, last), text

        def count(usage: Usage) -> None:
            spent.append(usage)
            self._log_usage(asked, usage)

        question = Question(asked.question.request, read, asked.question.cut_off)
        seconds, now = self._models.answer_seconds, self._models.timing.now()
        patience = Patience(self._models.timing, min(self._deadline, now + ATTEMPTS * seconds + BUSY_MODEL_SECONDS))
        try:
            found = ask(self._models.models[model_id], question, patience, seconds, count)
        except ServiceFailed as error:
            fault = error.fault
        else:
            if isinstance(found, NoAnswer):
                raise SummaryUnusable(found) if found is NoAnswer.UNUSABLE else ModelRefused(found)
            answer, text = found
            return answer, StoredAnswer(text=text, tokens=sum_tokens(spent))
        raise ModelBusy(fault) if fault in PASSING else ModelRefused(fault)

    def _log_usage(self, asked: TaskQuestion[T], usage: Usage) -> None:
        self._models.log.info(
            "model_answered",
            task=asked.task.value,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )


def sum_tokens(spent: "list[Usage] | list[SummaryTokens]") -> SummaryTokens:
    """What several answers cost."""
    return SummaryTokens(
        input_tokens=sum(usage.input_tokens for usage in spent),
        output_tokens=sum(usage.output_tokens for usage in spent),
        cache_read_tokens=sum(usage.cache_read_tokens for usage in spent),
        cache_write_tokens=sum(usage.cache_write_tokens for usage in spent),
    )
