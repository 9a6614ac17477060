"""Error codes and error responses of all backends. HTTP responses and WebSocket messages have the same fields.

`docs/reference/errors.md` is generated from the codes. A handler raises `HandlerError` with an error code of its
subsystem. Every other exception becomes an internal error without details. This includes pydantic's ValidationError,
because one of our own records may have caused it. So a handler validates a client's request in a block of
`request_validation`.

A rule of a field may quote a value. Only the client that sent the value gets the response, and this module does not log.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Self

from pydantic import ValidationError

from handlers.common.json_models import Message, WrongField, to_rule


class ErrorCode(StrEnum):
    """Base of the error codes of one API. A member is defined by its code, meaning, action, and HTTP status."""

    meaning: str
    """Reason for the error, as one or more sentences."""
    action: str
    """Advice for the developer of a client, as one or more sentences."""
    status: int
    """Status of the HTTP response. Of a WebSocket API, only the response to the handshake has a status."""

    def __new__(cls, code: str, meaning: str, action: str, status: int = 400) -> Self:
        """Create a member, whose value is the code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.meaning, member.action, member.status = meaning, action, status
        return member


class CommonErrorCode(ErrorCode):
    """Error codes that all APIs use."""

    INTERNAL = (
        "INTERNAL",
        "The platform failed.",
        "Send the request again later. Give `requestId` to support if it fails again.",
        500,
    )
    MALFORMED = (
        "MALFORMED",
        "A field has an invalid value, or a required field is missing.",
        "Correct the request. `fields` names each wrong field, with the rule for its value.",
    )


NOT_JSON = frozenset({"json_invalid", "model_type"})
"""Pydantic error types of a body that is not a JSON object."""
MAX_PROBLEMS = 20
"""Maximum number of wrong fields that a response lists."""
MAX_TEXT_LENGTH = 200
"""Maximum length of the path and of the rule of a wrong field. Longer texts are cut off."""
_UNPRINTABLE = re.compile(r"[^ -~]")
"""Any character other than printable ASCII."""


class Error(Message):
    """Description of a failed request."""

    code: str
    """Error code, one of a fixed set."""
    message: str
    fields: tuple[WrongField, ...] = ()
    """Fields that are wrong, if they are known."""
    request_id: str
    """Id of the request, by which support finds it in the logs."""


class HandlerError(Exception):
    """Failure of a request whose code, message and fields are sent to the client."""

    def __init__(self, code: ErrorCode, message: str, fields: Iterable[WrongField] = ()) -> None:
        self.code = code
        self.message = message
        self.fields = tuple(fields)


@contextmanager
def request_validation() -> Iterator[None]:
    """Translate the ValidationError of a client's request into a HandlerError that names the wrong fields."""
    try:
        yield
    except ValidationError as error:
        message, fields = "The request does not have the expected form.", to_field_problems(error)
        if any(detail["type"] in NOT_JSON and not detail["loc"] for detail in error.errors(include_url=False)):
            message, fields = "The body must be one JSON object.", []
        raise HandlerError(CommonErrorCode.MALFORMED, message, fields=fields) from None


def to_field_problems(error: ValidationError) -> list[WrongField]:
    """Return the wrong fields, each with its path and the violated rule, in short printable texts."""
    details = error.errors()
    # The path of a wrong item ends with its index, that of a wrong field of an item with the index and the field's name.
    lists_with_wrong_items = {detail["loc"][:end] for detail in details for end in (-1, -2)}
    return [
        WrongField(field=_printable(".".join(map(str, detail["loc"]))), rule=_printable(to_rule(detail["msg"])))
        for detail in details[:MAX_PROBLEMS]
        # Pydantic does not count wrong items, so it also reports a list with only such items as too short.
        if detail["type"] != "too_short" or detail["loc"] not in lists_with_wrong_items
    ]


def to_handler_error(error: Exception) -> HandlerError:
    """Return the error that the client gets for an exception: an internal error, unless it is a HandlerError."""
    if isinstance(error, HandlerError):
        return error
    return HandlerError(CommonErrorCode.INTERNAL, "Something went wrong on our side.")


ProxyResponse = dict[str, Any]
"""Lambda proxy response for API Gateway."""


def to_http_response(error: Exception, request_id: str) -> ProxyResponse:
    """Return the response for an exception."""
    answer = to_handler_error(error)
    body = Error(code=answer.code, message=answer.message, fields=answer.fields, request_id=request_id)
    return {
        "statusCode": answer.code.status,
        "headers": {"Content-Type": "application/json"},
        "body": body.model_dump_json(by_alias=True),
    }


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("?", text[:MAX_TEXT_LENGTH])
