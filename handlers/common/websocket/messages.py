"""Base models of all JSON that is exchanged: WebSocket messages, bodies and parameters of REST requests, and documents.

Field names are camelCase in JSON, and unknown fields are ignored. A WebSocket answer repeats the id of the client's
message.
"""

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
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


class ClientMessage(Message):
    """Base of messages from WebSocket clients."""

    id: MessageId | None = None
    """Id that the client chooses for this message. The answer repeats it."""


class ReplyMessage(Message):
    """Base of answers to WebSocket clients' messages."""

    id: MessageId | None = None


class WrongField(Message):
    """A field of a message, and the rule that it violates."""

    field: str
    rule: str


class ErrorMessage(ReplyMessage):
    """Answer to a message that failed."""

    type: Literal["error"] = "error"
    code: str
    message: str
    fields: tuple[WrongField, ...] = ()
    request_id: str
