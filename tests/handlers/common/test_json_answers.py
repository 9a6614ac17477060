"""Tests of how the JSON in a model's answer is parsed and validated."""

from typing import Annotated

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from handlers.common.bedrock import (
    AnswerJsonProblem,
    ModelAnswer,
    UnusableAnswer,
    parse_json_answer,
    validate_or_none,
)

CANARY = "canary"


class BoxAnswer(ModelAnswer):
    box_name: Annotated[str, Field(min_length=1, repr=False)]
    size: int = 0


def parse_problem(text: str, max_length: int = 200_000) -> object:
    """Return the problem for which an answer is refused."""
    with pytest.raises(UnusableAnswer) as caught:
        parse_json_answer(text, max_length)
    assert caught.value.__context__ is None, "the original exception may contain the answer"
    assert CANARY not in str(caught.value) + caught.value.problem.value
    return caught.value.problem


@pytest.mark.parametrize("form", ["{}", " \n{}\n", "```json\n{}\n```", "```\n{}\n  ```", "```JSON \n{}\n```\n"])
def test_json_is_read_with_or_without_a_code_fence(form: str) -> None:
    assert parse_json_answer(form.replace("{}", '{"boxName": "a"}'), 100) == {"boxName": "a"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", AnswerJsonProblem.EMPTY),
        (" \n", AnswerJsonProblem.EMPTY),
        (f'Sure! {{"a": "{CANARY}"}}', AnswerJsonProblem.NO_JSON),
        (f'{{"a": "{CANARY}"', AnswerJsonProblem.NO_JSON),
        (f'```json\n{{"a": "{CANARY}"}}', AnswerJsonProblem.NO_JSON),
        (f'{{}}\n{{"a": "{CANARY}"}}', AnswerJsonProblem.NO_JSON),
        ('{"a": NaN}', AnswerJsonProblem.NO_JSON),
        ("[" * 100_000, AnswerJsonProblem.NO_JSON),
        ("9" * 5_000, AnswerJsonProblem.NO_JSON),
    ],
)
def test_an_answer_without_json_is_refused(text: str, expected: AnswerJsonProblem) -> None:
    assert parse_problem(text) is expected


def test_an_answer_that_is_too_long_is_refused() -> None:
    assert parse_json_answer("[1]", 3) == [1]
    assert parse_problem("[1]", 2) is AnswerJsonProblem.TOO_LONG


def test_a_valid_value_may_have_unknown_fields_and_is_not_shown_in_repr() -> None:
    assert validate_or_none(BoxAnswer, {"boxName": "a", "more": 1}) == BoxAnswer(boxName="a")
    assert CANARY not in repr(validate_or_none(BoxAnswer, {"boxName": CANARY}))


@pytest.mark.parametrize("value", [None, [], "a", {}, {"boxName": ""}, {"boxName": 7}, {"boxName": "a", "size": "1"}])
def test_a_value_of_another_form_is_none(value: object) -> None:
    assert validate_or_none(BoxAnswer, value) is None


@given(st.text(max_size=60))
@example('"\\ud800"')
def test_any_answer_is_parsed_or_refused(text: str) -> None:
    try:
        validate_or_none(BoxAnswer, parse_json_answer(text, 50))
    except UnusableAnswer as error:
        assert isinstance(error.problem, AnswerJsonProblem)  # noqa: PT017 - valid JSON raises no exception
