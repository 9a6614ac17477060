"""Tests of parsing and validating a model's answer."""

from typing import Annotated

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field

from handlers.common.bedrock.json_answers import (
    AnswerJsonProblem,
    ModelAnswer,
    UnusableAnswer,
    parse_json_answer,
    validate_or_none,
)

CANARY = "canary"


class Thing(ModelAnswer):
    its_name: Annotated[str, Field(min_length=1, repr=False)]
    size: int = 0


def refused(text: str, longest: int = 200_000) -> object:
    with pytest.raises(UnusableAnswer) as caught:
        parse_json_answer(text, longest)
    assert caught.value.__context__ is None, "what it was raised from may hold the answer"
    assert CANARY not in str(caught.value) + caught.value.problem.value
    return caught.value.problem


@pytest.mark.parametrize("form", ["{}", " \n{}\n", "```json\n{}\n```", "```\n{}\n  ```", "```JSON \n{}\n```\n"])
def test_json_is_read_with_or_without_a_code_fence(form: str) -> None:
    assert parse_json_answer(form.replace("{}", '{"itsName": "a"}'), 100) == {"itsName": "a"}


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
    assert refused(text) is expected


def test_an_answer_that_is_too_long_is_refused() -> None:
    assert parse_json_answer("[1]", 3) == [1]
    assert refused("[1]", 2) is AnswerJsonProblem.TOO_LONG


def test_a_value_is_validated_strictly() -> None:
    assert validate_or_none(Thing, {"itsName": "a", "more": 1}) == Thing(itsName="a")
    wrongs: list[object] = [None, [], "a", {}, {"itsName": ""}, {"itsName": 7}, {"itsName": "a", "size": "1"}]
    for wrong in wrongs:
        assert validate_or_none(Thing, wrong) is None
    assert CANARY not in repr(validate_or_none(Thing, {"itsName": CANARY}))


@given(st.text(max_size=60))
@example('"\\ud800"')
def test_any_answer_is_parsed_or_refused(text: str) -> None:
    try:
        validate_or_none(Thing, parse_json_answer(text, 50))
    except UnusableAnswer as bad:
        assert isinstance(bad.problem, AnswerJsonProblem)  # noqa: PT017 - either outcome is right, nothing else is
