"""Reads what a model answers to each task: the form that was asked for, or what is wrong with it. Pure.

Whether an action item is true to the transcript is left to `action_items`.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from handlers.common.bedrock.model_answers import ModelAnswer, UnusableAnswer, parse_json_answer, validate_or_none
from handlers.common.text.text_cleaning import clean_text

MAX_ANSWER = 200_000
MAX_SUMMARY = 20_000
MAX_ITEMS = 100


class Task(StrEnum):
    """What a model is to do."""

    SUMMARY = "summary"
    ACTION_ITEMS = "actionItems"
    COMBINE = "combine"


class Problem(StrEnum):
    """What is wrong with an answer that is JSON, or would be, as the model is told."""

    CUT_OFF = "It was cut off at the limit of its length. Write less."
    NO_OBJECT = "It was JSON, but not an object with the fields that the task asks for."
    OTHER_TASK = "Its fields task and part did not name the task and the part that were asked for."
    NO_SUMMARY = "Its field summary was no text, or a blank one, or far too long."
    TOO_MANY = f"It had more than {MAX_ITEMS} action items."
    BAD_ITEM = "At least one action item lacked a field, or had one of the wrong type or length."


class SaidItem(ModelAnswer):
    """An action item, as the model has it."""

    text: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    owner: Annotated[str | None, Field(max_length=200, repr=False)] = None
    due: Annotated[str | None, Field(max_length=200, repr=False)] = None
    quote: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    said: Annotated[int | None, Field(ge=0)] = None
    """Where the quote begins, as the model thinks."""


class _Envelope(ModelAnswer):
    task: str
    part: str
    summary: Any = Field(default=None, repr=False)
    items: list[Any] | None = Field(default=None, repr=False)


@dataclass(frozen=True)
class Items:
    """The action items in an answer."""

    items: tuple[SaidItem, ...] = field(repr=False)
    malformed: int = 0
    """Those that were passed over, because they were none."""


def summary_of(text: str, task: Task, part: str) -> str:
    """The summary in an answer, a line a paragraph; raises UnusableAnswer."""
    summary = _envelope(text, task, part).summary
    if not isinstance(summary, str) or len(summary) > MAX_SUMMARY:
        raise UnusableAnswer(Problem.NO_SUMMARY)
    paragraphs = [clean for line in summary.splitlines() if (clean := clean_text(line))]
    if not paragraphs:
        raise UnusableAnswer(Problem.NO_SUMMARY)
    return "\n".join(paragraphs)


def items_of(text: str, part: str, *, patient: bool) -> Items:
    """The action items in an answer; raises UnusableAnswer. `patient`: single ones that are none are passed over."""
    given = _envelope(text, Task.ACTION_ITEMS, part).items
    if given is None:
        raise UnusableAnswer(Problem.NO_OBJECT)
    if len(given) > MAX_ITEMS:
        raise UnusableAnswer(Problem.TOO_MANY)
    items = [item for each in given if (item := validate_or_none(SaidItem, each)) is not None and clean_text(item.text)]
    malformed = len(given) - len(items)
    if malformed and (not patient or not items):
        raise UnusableAnswer(Problem.BAD_ITEM)
    return Items(tuple(items), malformed)


def _envelope(text: str, task: Task, part: str) -> _Envelope:
    envelope = validate_or_none(_Envelope, parse_json_answer(text, MAX_ANSWER))
    if envelope is None:
        raise UnusableAnswer(Problem.NO_OBJECT)
    if (envelope.task, envelope.part) != (task.value, part):
        raise UnusableAnswer(Problem.OTHER_TASK)
    return envelope
