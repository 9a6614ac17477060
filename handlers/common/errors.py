"""How every backend says that something went wrong: one body, over HTTP and over WebSockets.

A handler raises a `HandlerError` with a code of its subsystem; anything else that is raised is the project's own fault,
and tells the caller nothing but that. What a client sent is never sent back, except for the names of its fields, cut
down to harmless characters. A failed validation becomes the client's fault only where a handler says so (`malformed`):
the same exception may come from a record of ours.

Logs nothing: the handler does.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

MAX_PROBLEMS = 20
MAX_PARTS = 8
MAX_PART_LENGTH = 64
OWN_WORDS = frozenset(
    {
        *("missing", "extra_forbidden", "literal_error", "enum", "string_pattern_mismatch"),
        *("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"),
        *("string_too_short", "string_too_long", "too_short", "too_long"),
        *("string_type", "int_type", "float_type", "bool_type", "list_type", "dict_type"),
        *("chunk_names", "language_unknown", "moment", "sample_rate"),
    }
)
"""Kinds of problems whose message is made of the rule alone: a value's type, range, length, pattern or choice."""
_HARMFUL = re.compile(r"[^A-Za-z0-9_-]")


class CommonCode(StrEnum):
    """What any backend may answer; the rest are each subsystem's own."""

    INTERNAL = "INTERNAL"
    MALFORMED = "MALFORMED"


@dataclass(frozen=True)
class FieldProblem:
    """A field of a request, and the rule that it breaks."""

    field: str
    rule: str


class HandlerError(Exception):
    """What a handler answers instead of a result. Code and message are for the client."""

    def __init__(
        self,
        code: StrEnum,
        message: str,
        status: int = 400,
        fields: Iterable[FieldProblem] = (),
        retry_after_seconds: int | None = None,
    ) -> None:
        """`retry_after_seconds`: when to ask again, where that may help; said over HTTP."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = tuple(fields)
        self.retry_after_seconds = retry_after_seconds


def malformed(error: ValidationError) -> HandlerError:
    """The answer to a request that does not have the form it should."""
    return HandlerError(
        CommonCode.MALFORMED, "The request does not have the expected form.", fields=of_validation(error)
    )


def of_validation(error: ValidationError) -> list[FieldProblem]:
    """What is wrong with a request, by name and rule: no value, and not more than a few lines of it."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [FieldProblem(_path(one["loc"]), _rule(one["type"], one["msg"])) for one in found[:MAX_PROBLEMS]]


def http_error(error: Exception, request_id: str) -> dict[str, Any]:
    """API Gateway's proxy response for an exception."""
    answer = _answer(error)
    later = {} if answer.retry_after_seconds is None else {"Retry-After": str(answer.retry_after_seconds)}
    return {
        "statusCode": answer.status,
        "headers": {"Content-Type": "application/json", **later},
        "body": json.dumps(_body(answer, request_id)),
    }


def socket_error(error: Exception, request_id: str, message_id: str | None) -> dict[str, object]:
    """The message for an exception; `message_id` is the request's own, if it had one."""
    named = {} if message_id is None else {"id": message_id}
    return {"type": "error", **named, **_body(_answer(error), request_id)}


def _answer(error: Exception) -> HandlerError:
    if isinstance(error, HandlerError):
        return error
    return HandlerError(CommonCode.INTERNAL, "Something went wrong on our side.", status=500)


def _body(answer: HandlerError, request_id: str) -> dict[str, object]:
    return {
        "code": answer.code.value,
        "message": answer.message,
        "fields": [asdict(one) for one in answer.fields],
        "requestId": request_id,
    }


def _rule(kind: str, message: str) -> str:
    """What is allowed, in words where these are the model's alone; the others may quote the request."""
    return message if kind in OWN_WORDS else kind


def _path(parts: tuple[int | str, ...]) -> str:
    """Where in a request: names of unknown fields are the client's, so each is bounded and dots are only ours."""
    return ".".join(_HARMFUL.sub("?", str(part)[:MAX_PART_LENGTH]) for part in parts[:MAX_PARTS])
