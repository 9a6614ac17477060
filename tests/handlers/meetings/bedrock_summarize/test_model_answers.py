"""Tests of the parsers of the model's answers. The error for an unusable answer contains no text of the answer."""

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handlers.common.bedrock import AnswerJsonProblem, UnusableAnswer
from handlers.meetings.bedrock_summarize.model_answers import (
    MAX_ANSWER_CHARACTERS,
    MAX_ITEMS,
    MAX_SUMMARY_CHARACTERS,
    AnswerProblem,
    SummaryTask,
    parse_items,
    parse_summary,
)

CANARY = "canary"
QUESTION_ID = "77ab01c2d3e4"
"""Id of a question, which the answer must repeat as `part`."""
ITEM = {"text": "Call Bob", "owner": "Ann", "due": "by Friday", "quote": "I will call Bob", "said": 3}
"""Action item of an answer. `said` is the number of the transcript segment that contains the quote."""


def answer(task: str = "actionItems", **changed: Any) -> str:
    """Return an answer of the model to one task, which also has the fields of answers to the other tasks."""
    return json.dumps({"task": task, "part": QUESTION_ID, "items": [ITEM], "summary": "They met.", **changed})


def parse_problem(text: str, task: SummaryTask = SummaryTask.ACTION_ITEMS, *, skip_malformed: bool = False) -> StrEnum:
    """Parse an unusable answer; return its problem."""
    with pytest.raises(UnusableAnswer) as caught:  # noqa: PT012 - one of two calls
        if task is SummaryTask.ACTION_ITEMS:
            parse_items(text, QUESTION_ID, skip_malformed=skip_malformed)
        else:
            parse_summary(text, task, QUESTION_ID)
    assert caught.value.__context__ is None, "the context could contain the answer"
    assert CANARY not in str(caught.value) + caught.value.problem.value
    return caught.value.problem


def test_action_items_are_parsed() -> None:
    (item,) = parse_items(f"```json\n{answer()}\n```", QUESTION_ID, skip_malformed=False).items
    assert (item.text, item.quote, item.segment) == ("Call Bob", "I will call Bob", 3)
    assert (item.owner, item.due) == ("Ann", "by Friday")
    assert parse_items(answer(items=[]), QUESTION_ID, skip_malformed=False).items == ()
    required_fields = {"text": "Call Bob", "quote": "I will call Bob", "owner": None}
    assert parse_items(answer(items=[required_fields]), QUESTION_ID, skip_malformed=False).items[0].owner is None


@pytest.mark.parametrize("task", [SummaryTask.SUMMARY, SummaryTask.COMBINE])
def test_a_summary_has_one_line_per_paragraph_and_no_control_characters(task: SummaryTask) -> None:
    text = "They  met.\r\n\n \u0007It\tended.\ud800\n"
    assert parse_summary(answer(task.value, summary=text), task, QUESTION_ID) == "They met.\nIt ended."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x" * (MAX_ANSWER_CHARACTERS + 1), AnswerJsonProblem.TOO_LONG),
        (f"Sure! {answer(note=CANARY)}", AnswerJsonProblem.NO_JSON),
        # NO_OBJECT means no object with the fields that the task asks for.
        (f'["{CANARY}"]', AnswerProblem.NO_OBJECT),
        (json.dumps({"task": "actionItems", "items": [CANARY]}), AnswerProblem.NO_OBJECT),  # without `part`
        (answer(items=CANARY), AnswerProblem.NO_OBJECT),
        (answer(items=None), AnswerProblem.NO_OBJECT),
        (answer(part=CANARY), AnswerProblem.OTHER_TASK),
        (answer("summary"), AnswerProblem.OTHER_TASK),
        (answer(items=[ITEM] * (MAX_ITEMS + 1)), AnswerProblem.TOO_MANY),
    ],
)
def test_an_answer_of_another_form_is_unusable(text: str, expected: StrEnum) -> None:
    assert parse_problem(text) is expected
    assert parse_problem(text, skip_malformed=True) is expected


@pytest.mark.parametrize("summary", [None, 7, [CANARY], "", " \n\t", "\u0000", CANARY * MAX_SUMMARY_CHARACTERS])
def test_an_answer_with_an_invalid_summary_is_unusable(summary: object) -> None:
    assert parse_problem(answer("summary", summary=summary), SummaryTask.SUMMARY) is AnswerProblem.NO_SUMMARY
    assert parse_problem(answer("combine", summary=summary), SummaryTask.SUMMARY) is AnswerProblem.OTHER_TASK


MALFORMED_ITEMS: list[object] = [
    CANARY,
    {},
    {**ITEM, "text": ""},
    {**ITEM, "text": "\u0007 "},
    {**ITEM, "text": CANARY * 200},
    {**ITEM, "quote": ""},
    {**ITEM, "quote": None},
    {**ITEM, "quote": CANARY * 200},
    {**ITEM, "owner": 7},
    {**ITEM, "owner": CANARY * 50},
    {**ITEM, "due": ["Friday"]},
    {**ITEM, "said": -1},
    {**ITEM, "said": "3"},
    {key: value for key, value in ITEM.items() if key != "quote"},
]


@pytest.mark.parametrize("malformed_item", MALFORMED_ITEMS)
def test_an_answer_with_a_malformed_item_is_unusable_unless_malformed_items_are_skipped(malformed_item: object) -> None:
    assert parse_problem(answer(items=[ITEM, malformed_item])) is AnswerProblem.BAD_ITEM
    parsed_answer = parse_items(answer(items=[malformed_item, ITEM]), QUESTION_ID, skip_malformed=True)
    assert (len(parsed_answer.items), parsed_answer.malformed) == (1, 1)
    assert parse_problem(answer(items=[malformed_item]), skip_malformed=True) is AnswerProblem.BAD_ITEM, (
        "an answer without any valid item is unusable"
    )


def test_representations_do_not_contain_model_output() -> None:
    item = {"text": CANARY, "owner": CANARY, "due": CANARY, "quote": CANARY}
    parsed_answer = parse_items(answer(items=[item]), QUESTION_ID, skip_malformed=False)
    assert CANARY not in repr(parsed_answer)
    assert CANARY not in repr(parsed_answer.items[0])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ITEM]), inner, max_size=6),
    max_leaves=12,
)


@given(st.text(max_size=60) | st.builds(lambda items, summary: answer(items=items, summary=summary), VALUES, VALUES))
@example('{"task": "actionItems", "part": "77ab01c2d3e4", "items": [{"text": "\\ud800", "quote": "\\ud800"}]}')
def test_any_answer_is_parsed_or_unusable(text: str) -> None:
    for skip_malformed in (False, True):
        try:
            parse_items(text, QUESTION_ID, skip_malformed=skip_malformed)
            parse_summary(text.replace("actionItems", "summary"), SummaryTask.SUMMARY, QUESTION_ID).encode()
        except UnusableAnswer as error:
            assert isinstance(error.problem, AnswerProblem | AnswerJsonProblem)  # noqa: PT017 - both outcomes are valid
