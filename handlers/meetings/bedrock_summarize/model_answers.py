"""Reads what a model answers to each task: the form that was asked for, or what is wrong with it. Pure.

Whether an action item is true to the transcript is left to `action_items`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from handlers.common.bedrock.model_answers import BadAnswer, ModelSaid, held_to, json_of
from handlers.common.text.text_cleaning import cleaned

MAX_ANSWER_CHARACTERS = 200_000
MAX_SUMMARY_CHARACTERS = 20_000
MAX_ITEMS = 100


class SummaryTask(StrEnum):
    """What a model is to do."""

    SUMMARY = "summary"
    ACTION_ITEMS = "actionItems"
    COMBINE = "combine"


class AnswerProblem(StrEnum):
    """What is wrong with an answer that is JSON, or would be, as the model is told."""

    CUT_OFF = "It was cut off at the limit of its length. Write less."
    NO_OBJECT = "It was JSON, but not an object with the fields that the task asks for."
    OTHER_TASK = "Its fields task and part did not name the task and the part that were asked for."
    NO_SUMMARY = "Its field summary was no text, or a blank one, or far too long."
    TOO_MANY = f"It had more than {MAX_ITEMS} action items."
    BAD_ITEM = "At least one action item lacked a field, or had one of the wrong type or length."


class ModelActionItem(ModelSaid):
    """An action item, as the model has it."""

    text: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    owner: Annotated[str | None, Field(max_length=200, repr=False)] = None
    due: Annotated[str | None, Field(max_length=200, repr=False)] = None
    quote: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    said: Annotated[int | None, Field(ge=0)] = None
    """Where the quote begins, as the model thinks."""


class _Envelope(ModelSaid):
    task: str
    part: str
    summary: Any = Field(default=None, repr=False)
    items: list[Any] | None = Field(default=None, repr=False)


@dataclass(frozen=True)
class ModelActionItems:
    """The action items in an answer."""

    items: tuple[ModelActionItem, ...] = field(repr=False)
    malformed: int = 0
    """Those that were passed over, because they were none."""


def parse_summary(text: str, task: SummaryTask, part: str) -> str:
    """The summary in an answer, a line a paragraph; raises BadAnswer."""
    summary = _parse_envelope(text, task, part).summary
    if not isinstance(summary, str) or len(summary) > MAX_SUMMARY_CHARACTERS:
        raise BadAnswer(AnswerProblem.NO_SUMMARY)
    paragraphs = [clean for line in summary.splitlines() if (clean := cleaned(line))]
    if not paragraphs:
        raise BadAnswer(AnswerProblem.NO_SUMMARY)
    return "\n".join(paragraphs)


def parse_items(text: str, part: str, *, patient: bool) -> ModelActionItems:
    """The action items in an answer; raises BadAnswer. `patient`: single ones that are none are passed over."""
    given = _parse_envelope(text, SummaryTask.ACTION_ITEMS, part).items
    if given is None:
        raise BadAnswer(AnswerProblem.NO_OBJECT)
    if len(given) > MAX_ITEMS:
        raise BadAnswer(AnswerProblem.TOO_MANY)
    items = [item for each in given if (item := held_to(ModelActionItem, each)) is not None and cleaned(item.text)]
    malformed = len(given) - len(items)
    if malformed and (not patient or not items):
        raise BadAnswer(AnswerProblem.BAD_ITEM)
    return ModelActionItems(tuple(items), malformed)


def _parse_envelope(text: str, task: SummaryTask, part: str) -> _Envelope:
    envelope = held_to(_Envelope, json_of(text, MAX_ANSWER_CHARACTERS))
    if envelope is None:
        raise BadAnswer(AnswerProblem.NO_OBJECT)
    if (envelope.task, envelope.part) != (task.value, part):
        raise BadAnswer(AnswerProblem.OTHER_TASK)
    return envelope
