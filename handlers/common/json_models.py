"""Base model for the JSON of our own interfaces: requests, answers, messages and stored documents.

The module also has `WrongField`, which names a field that violates its model. Several answers and stored documents
contain it.
"""

import os

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

USE_ATTRIBUTE_DOCSTRINGS = "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
"""True outside Lambda. There, the JSON Schemas of the models take the descriptions of fields from the docstrings below
the fields. Pydantic reads these from the source files, class by class, which would delay cold starts."""


class Message(BaseModel):
    """Base of models whose field names are camelCase in JSON: messages, and also documents that are stored.

    Unknown fields are ignored.
    """

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
    """Path of the field with dots, for example `speakers.0.name`."""
    rule: str
    """The rule that the field violates."""
