"""Reads what a model answers: one JSON value, maybe in a code fence, held to a form. Pure.

What is wrong with an answer is said in words that quote nothing of it: they go back to the model, and into exceptions.
"""

import json
import re
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

_FENCE = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*)\n[ \t]*```", re.DOTALL)


class Unread(StrEnum):
    """Why an answer is no JSON, as the model is told."""

    EMPTY = "It was empty."
    TOO_LONG = "It was too long."
    NO_JSON = "It was not one valid JSON object and nothing else."


class BadAnswer(Exception):
    """An answer that cannot be used."""

    def __init__(self, problem: StrEnum) -> None:
        """`problem` is what the model is told."""
        super().__init__(problem.name)
        self.problem = problem


class ModelSaid(BaseModel):
    """Base of what a model says: names in camelCase, types to the letter, other fields ignored."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, hide_input_in_errors=True
    )


T = TypeVar("T", bound=ModelSaid)


def json_of(text: str, longest: int) -> Any:
    """The value in an answer of so many characters at most; raises BadAnswer."""
    if len(text) > longest:
        raise BadAnswer(Unread.TOO_LONG)
    stripped = text.strip()
    if not stripped:
        raise BadAnswer(Unread.EMPTY)
    fenced = _FENCE.fullmatch(stripped)
    try:
        return json.loads(stripped if fenced is None else fenced[1], parse_constant=_no_number)
    except (ValueError, RecursionError):
        # Their messages, and what they were raised from, hold the answer.
        pass
    raise BadAnswer(Unread.NO_JSON)


def held_to(model: type[T], value: object) -> T | None:
    """The value as a model's; none where it is not."""
    try:
        return model.model_validate(value)
    except (ValueError, RecursionError):  # pydantic's error is one
        return None


def _no_number(_: str) -> NoReturn:
    raise ValueError
