"""Base models of WebSocket messages: messages from clients, answers to them, and the error answer."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from handlers.common.json_models import Message, WrongField

MAX_MESSAGE_ID_LENGTH = 64
MessageId = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9_.:-]{{1,{MAX_MESSAGE_ID_LENGTH}}}$")]
"""Id that a client may give a message."""


class ClientMessage(Message):
    """Base of messages from WebSocket clients."""

    id: MessageId | None = None
    """Id that the client chooses for this message. The answer repeats it."""


class ReplyMessage(Message):
    """Base of answers to messages from WebSocket clients."""

    id: MessageId | None = None


class ErrorMessage(ReplyMessage):
    """Answer to a message that failed."""

    type: Literal["error"] = "error"
    code: str
    message: str
    fields: tuple[WrongField, ...] = ()
    request_id: str
