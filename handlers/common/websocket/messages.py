"""What all messages over WebSockets share: camelCase outside, unknown fields ignored, and a name that comes back."""

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

MessageId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]
DOCUMENTED = "AWS_LAMBDA_FUNCTION_NAME" not in os.environ
"""Whether fields are described by what stands below them: generated documents are, and a function never writes any.
Pydantic finds that in the sources, class by class, which a cold start would wait for."""


class Message(BaseModel):
    """Base of all messages."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=DOCUMENTED,
        hide_input_in_errors=True,
    )


class Request(Message):
    """What every message of a client has."""

    id: MessageId | None = None
    """The client's name for this message; its answer carries it."""


class Answer(Message):
    """What every answer to a client's message has."""

    id: MessageId | None = None


class WrongField(Message):
    """A field of a message, and the rule that it breaks."""

    field: str
    rule: str


class ErrorMessage(Answer):
    """What answers a message that could not be done; `handlers/common/errors.py` makes it."""

    type: Literal["error"] = "error"
    code: str
    message: str
    fields: tuple[WrongField, ...] = ()
    request_id: str
