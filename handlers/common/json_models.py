"""Base model for the JSON of our own interfaces: requests, answers, messages and stored documents.

The module also states which rule a wrong value violates (`WrongField`, `TextForm`, `to_rule`). A rule continues a
sentence that begins with the name of the field, for example "must be 'video' or 'transcript'".
"""

import os
import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, core_schema

USE_ATTRIBUTE_DOCSTRINGS = "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
"""True outside Lambda, where JSON Schemas take the description of a field from the docstring below it. A Lambda function
writes no schemas, and reading the docstrings from the source files would delay its cold start."""
_MESSAGE = re.compile(r"^[A-Z][a-z]+ should (.+?)(?: after validation, not \d+)?$")
"""Form of most of pydantic's messages, for example "List should have at most 2 items after validation, not 3"."""
_PLAIN_RULES = {"Field required": "is required", "Extra inputs are not permitted": "is not a known field"}


class Message(BaseModel):
    """Base of models for messages and for stored documents. Field names are camelCase, and unknown fields are ignored."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=USE_ATTRIBUTE_DOCSTRINGS,
        hide_input_in_errors=True,
    )


class WrongField(Message):
    """A field of a message or document that violates its model."""

    field: str
    """Path of the field with dots, for example `speakers.0.name`. It is empty if the rule concerns several fields."""
    rule: str
    """The rule that the field violates, as in `must be at most 100`."""


@dataclass(frozen=True)
class TextForm:
    """Form of a text: its pattern and lengths, and one rule that an error states instead of them.

    It is an annotation of `str`, in place of pydantic's StringConstraints, whose errors quote the pattern.
    """

    pattern: str
    rule: str
    min_length: int | None = None
    max_length: int | None = None
    strip_whitespace: bool | None = None

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        text = core_schema.str_schema(
            pattern=self.pattern,
            min_length=self.min_length,
            max_length=self.max_length,
            strip_whitespace=self.strip_whitespace,
        )
        return core_schema.custom_error_schema(text, custom_error_type="text_form", custom_error_message=self.rule)


def to_rule(message: str) -> str:
    """Return the rule in one of pydantic's messages. A message in another form is returned as it is."""
    return _PLAIN_RULES.get(message) or _MESSAGE.sub(r"must \1", message)
