"""Parser for a model's answer (one JSON value, possibly in a code fence), and validation of the parsed values.

`parse_json_answer` accepts any JSON value. Its callers pass the value, or each of its items, to `validate_or_none` with
a pydantic model. If an answer cannot be used, UnusableAnswer contains the problem as an enum member. The member's value
is a sentence that is sent to the model. Neither this sentence nor the exception quotes the answer.
"""

import json
import re
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)
"""Markdown code fence around a whole answer."""


class AnswerJsonProblem(StrEnum):
    """Reasons why an answer contains no usable JSON, as sentences for the model."""

    EMPTY = "It was empty."
    TOO_LONG = "It was too long."
    NO_JSON = "It was not a single valid JSON object without other text."
    """The answer is not valid JSON. The sentence names an object, because all questions request one."""


class UnusableAnswer(Exception):
    """The model's answer cannot be used."""

    def __init__(self, problem: StrEnum) -> None:
        """`problem` is an enum member whose value is a sentence for the model. Its name is the exception's message."""
        super().__init__(problem.name)
        self.problem = problem


class ModelAnswer(BaseModel):
    """Base of models for parsed answers: camelCase names, strict types, unknown fields ignored."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


T = TypeVar("T", bound=ModelAnswer)


def parse_json_answer(text: str, max_characters: int) -> Any:
    """Return the JSON value of an answer. Raises UnusableAnswer."""
    if len(text) > max_characters:
        raise UnusableAnswer(AnswerJsonProblem.TOO_LONG)
    stripped = text.strip()
    if not stripped:
        raise UnusableAnswer(AnswerJsonProblem.EMPTY)
    fenced = _FENCE.fullmatch(stripped)
    try:
        return json.loads(stripped if fenced is None else fenced[1], parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        # The exceptions' messages and causes contain the answer, so the new exception is raised outside this block.
        pass
    raise UnusableAnswer(AnswerJsonProblem.NO_JSON)


def validate_or_none(model: type[T], value: object) -> T | None:
    """Return the value as an instance of the model, or None if it is invalid."""
    try:
        return model.model_validate(value)
    except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
        return None


def _refuse_constant(_: str) -> NoReturn:
    """Refuse `NaN` and `Infinity`, which Python reads although they are not JSON."""
    raise ValueError
