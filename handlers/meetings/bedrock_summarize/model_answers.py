"""Parsers of the model's answers, which check their form.

A question is about some material: a window (a section) of the transcript, or the summaries of several windows. Questions
and answers name their material by its id, in the field `part`.

If a parser raises UnusableAnswer, the question is asked a second time, with the problem of the first answer.
`action_item_verification.py` checks the action items against the transcript.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from handlers.common.bedrock import ModelAnswer, UnusableAnswer, parse_json_answer, validate_or_none
from handlers.common.text import clean_text

MAX_ANSWER_CHARACTERS = 200_000
MAX_SUMMARY_CHARACTERS = 20_000
"""Maximum length of the summary in an answer."""
MAX_ITEMS = 100
"""Maximum number of action items in one answer."""


class SummaryTask(StrEnum):
    """Task of a question. The first two are about a window, and the third is about summaries."""

    SUMMARY = "summary"
    ACTION_ITEMS = "actionItems"
    COMBINE = "combine"
    """Combine several summaries into one."""


class AnswerProblem(StrEnum):
    """Reason why an answer is unusable. The value is a text for the model.

    `AnswerJsonProblem` contains further reasons, for answers without usable JSON.
    """

    CUT_OFF = "It was cut off at the limit of its length. Write less."
    NO_OBJECT = "It was JSON, but not an object with the fields that the task asks for."
    OTHER_TASK = "Its field task or its field part did not repeat the value that it was given."
    NO_SUMMARY = "Its field summary was no text, had no readable character, or was far too long."
    TOO_MANY = f"It had more than {MAX_ITEMS} action items."
    BAD_ITEM = "At least one action item lacked a field, or had one that was blank or of the wrong type or length."


class ModelActionItem(ModelAnswer):
    """An action item as the model wrote it. `stored_summary_models.ActionItem` explains the fields."""

    text: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    owner: Annotated[str | None, Field(max_length=200, repr=False)] = None
    due: Annotated[str | None, Field(max_length=200, repr=False)] = None
    quote: Annotated[str, Field(min_length=1, max_length=1_000, repr=False)]
    segment: Annotated[int | None, Field(ge=0, alias="said")] = None
    """Number of the segment in which the quote begins, according to the model. Prompts and answers call it `said`."""


class _Envelope(ModelAnswer):
    """The fields of all answers. An answer has either a summary or items, as its task requires."""

    task: str
    part: str
    """Id of the material."""
    summary: Any = Field(default=None, repr=False)
    items: list[Any] | None = Field(default=None, repr=False)


@dataclass(frozen=True)
class ModelActionItems:
    """The action items of one answer."""

    items: tuple[ModelActionItem, ...] = field(repr=False)
    malformed: int = 0
    """Number of malformed items that were skipped."""


def parse_summary(text: str, task: SummaryTask, material_id: str) -> str:
    """Return the summary of an answer, with one line per paragraph. Raises UnusableAnswer."""
    summary = _parse_envelope(text, task, material_id).summary
    if not isinstance(summary, str) or len(summary) > MAX_SUMMARY_CHARACTERS:
        raise UnusableAnswer(AnswerProblem.NO_SUMMARY)
    paragraphs = [clean for line in summary.splitlines() if (clean := clean_text(line))]
    if not paragraphs:
        raise UnusableAnswer(AnswerProblem.NO_SUMMARY)
    return "\n".join(paragraphs)


def parse_items(text: str, material_id: str, *, skip_malformed: bool) -> ModelActionItems:
    """Return the action items of an answer. Raises UnusableAnswer.

    A malformed item makes the answer unusable. With `skip_malformed`, a malformed item is only skipped, provided that
    at least one item is valid.
    """
    raw_items = _parse_envelope(text, SummaryTask.ACTION_ITEMS, material_id).items
    if raw_items is None:
        raise UnusableAnswer(AnswerProblem.NO_OBJECT)
    if len(raw_items) > MAX_ITEMS:
        raise UnusableAnswer(AnswerProblem.TOO_MANY)
    items = [
        item
        for raw_item in raw_items
        if (item := validate_or_none(ModelActionItem, raw_item)) is not None and clean_text(item.text)
    ]
    malformed = len(raw_items) - len(items)
    if malformed and (not skip_malformed or not items):
        raise UnusableAnswer(AnswerProblem.BAD_ITEM)
    return ModelActionItems(tuple(items), malformed)


def _parse_envelope(text: str, task: SummaryTask, material_id: str) -> _Envelope:
    envelope = validate_or_none(_Envelope, parse_json_answer(text, MAX_ANSWER_CHARACTERS))
    if envelope is None:
        raise UnusableAnswer(AnswerProblem.NO_OBJECT)
    if (envelope.task, envelope.part) != (task.value, material_id):
        raise UnusableAnswer(AnswerProblem.OTHER_TASK)
    return envelope
