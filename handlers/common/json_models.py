"""Base model of all JSON that is exchanged, with camelCase field names: requests, answers, messages and stored documents.

Unknown fields are ignored. The module also has the model of a violated rule, which several answers and documents contain.
"""

import os

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

USE_ATTRIBUTE_DOCSTRINGS = "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
"""True outside Lambda. The generated documents take field descriptions from the docstrings below the fields. Pydantic
reads these from the source files, class by class, which would delay cold starts."""


class Message(BaseModel):
    """Base of all models whose field names are camelCase in JSON."""

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
    """A field of a message, and the rule that it violates."""

    field: str
    rule: str
