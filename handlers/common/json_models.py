"""Base model for the JSON of our own interfaces: requests, answers, messages and stored documents."""

import os

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

USE_ATTRIBUTE_DOCSTRINGS = "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
"""True outside Lambda, where JSON Schemas take the description of a field from the docstring below it. A Lambda function
writes no schemas, and reading the docstrings from the source files would delay its cold start."""


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
