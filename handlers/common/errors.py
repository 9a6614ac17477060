"""Error codes and error responses of all backends, as HTTP responses and WebSocket messages with the same fields.

`docs/reference/errors.md` is generated from the codes. A handler raises `HandlerError` with an error code of its
subsystem. Every other exception becomes an internal error without details. This includes pydantic's ValidationError,
because one of our own records may have caused it. So a handler that validates a client's request passes the
ValidationError to `to_malformed_error`.

A response never contains values that a client sent. It may contain the names of the client's fields, in which all
characters except letters, digits, `_` and `-` are replaced. This module does not log.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import ValidationError


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


MAX_PROBLEMS = 20
"""Maximum number of wrong fields that a response lists."""
MAX_PATH_PARTS = 8
"""Maximum number of names in the path of a nested field."""
MAX_PATH_PART_LENGTH = 64
"""Maximum length of a name in the path of a nested field. Longer names are cut off."""
RULE_ONLY_PROBLEM_TYPES = frozenset(
    {
        *("extra_forbidden", "literal_error", "enum"),
        *("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"),
        *("string_too_short", "string_too_long", "too_short", "too_long"),
        *("string_type", "int_type", "float_type", "bool_type", "list_type", "dict_type"),
        # Error types of the subsystems' own validators.
        *("chunk_names", "language_unknown", "moment", "nothing_to_change", "parts_repeated", "sample_rate"),
        "visible_text",
    }
)
"""Pydantic error types whose message is sent to clients, because it contains only the rule: type, range, length or
choices. Messages of other types may quote the value, or only make sense to Python programmers."""
FIXED_RULES = {
    "This field is required": ("missing",),
    "The text does not have the required form": ("string_pattern_mismatch",),
    "Input should be a whole number": ("int_parsing", "int_parsing_size", "int_from_float"),
    "Input should be a number": ("float_parsing", "decimal_parsing", "decimal_type"),
    "Input should be true or false": ("bool_parsing",),
    "Input should be text of valid Unicode characters": ("string_unicode",),
    "Input should be valid JSON": ("json_invalid", "json_type"),
    "Input should be an object with named fields": (
        *("model_type", "model_attributes_type", "dataclass_type", "mapping_type"),
    ),
    "Input should be a list": ("tuple_type", "set_type", "frozen_set_type", "iterable_type"),
    "Input should have a known value in the field that names its kind": ("union_tag_invalid", "union_tag_not_found"),
    "Input should be null": ("none_required",),
}
"""Sentences that replace the messages of other pydantic error types, each with the error types that it is used for."""
UNNAMED_RULE = "Input has a value that is not allowed"
"""Sentence for all remaining error types."""
_RULE_BY_TYPE = {error_type: rule for rule, error_types in FIXED_RULES.items() for error_type in error_types}
_HARMFUL = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True)
class FieldProblem:
    """A field of a request, and the rule that it violates."""

    field: str
    """Path of the field with dots, for example `speakers.0.name`."""
    rule: str
    """Sentence for the client. It never quotes the value."""


class HandlerError(Exception):
    """Failure of a request whose code, message and fields are sent to the client."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        fields: Iterable[FieldProblem] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        """`retry_after_seconds` is sent over HTTP only, in the header `Retry-After`."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = tuple(fields)
        self.retry_after_seconds = retry_after_seconds


def to_malformed_error(error: ValidationError) -> HandlerError:
    """Return the error for a request that violates its model."""
    return HandlerError(
        CommonErrorCode.MALFORMED, "The request does not have the expected form.", fields=to_field_problems(error)
    )


def to_field_problems(error: ValidationError) -> list[FieldProblem]:
    """Return the wrong fields, each with its path and the violated rule. At most `MAX_PROBLEMS` are returned."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        FieldProblem(_field_path(detail["loc"]), _find_rule(detail["type"], detail["msg"]))
        for detail in details[:MAX_PROBLEMS]
    ]


def to_http_response(error: Exception, request_id: str) -> dict[str, Any]:
    """Return API Gateway's proxy response for an exception."""
    answer = _to_handler_error(error)
    retry_header = {} if answer.retry_after_seconds is None else {"Retry-After": str(answer.retry_after_seconds)}
    return {
        "statusCode": answer.code.status,
        "headers": {"Content-Type": "application/json", **retry_header},
        "body": json.dumps(_body(answer, request_id)),
    }


def to_websocket_error(error: Exception, request_id: str, message_id: str | None) -> dict[str, object]:
    """Return the WebSocket message for an exception. `message_id` is the id of the client's message, or None."""
    message_field = {} if message_id is None else {"id": message_id}
    return {"type": "error", **message_field, **_body(_to_handler_error(error), request_id)}


def _to_handler_error(error: Exception) -> HandlerError:
    if isinstance(error, HandlerError):
        return error
    return HandlerError(CommonErrorCode.INTERNAL, "Something went wrong on our side.")


def _body(answer: HandlerError, request_id: str) -> dict[str, object]:
    return {
        "code": answer.code.value,
        "message": answer.message,
        "fields": [asdict(problem) for problem in answer.fields],
        "requestId": request_id,
    }


def _find_rule(error_type: str, message: str) -> str:
    """Return a sentence for the client: pydantic's message if it contains only the rule, otherwise a fixed one."""
    return message if error_type in RULE_ONLY_PROBLEM_TYPES else _RULE_BY_TYPE.get(error_type, UNNAMED_RULE)


def _field_path(parts: tuple[int | str, ...]) -> str:
    """Return a field's path with dots.

    The client chooses the names of unknown fields, so names are truncated and contain no dots of their own.
    """
    return ".".join(_HARMFUL.sub("?", str(part)[:MAX_PATH_PART_LENGTH]) for part in parts[:MAX_PATH_PARTS])
