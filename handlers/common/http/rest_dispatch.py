"""A request over API Gateway's REST API, parsed and answered by one table of operations: one answer whatever happens.

What comes in is checked by the models of its operation, and so is what goes out: an answer that breaks its own model
is a mistake of ours, and never sent. Which operations there are and what they do is the subsystem's business.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import ValidationError

from handlers.common.errors import CommonCode, HandlerError, http_error, malformed
from handlers.common.http.rest_operations import Operation
from handlers.common.identity import user_ids
from handlers.common.logging import EventLog
from handlers.common.websocket.messages import Message

LATER = "Retry-After"
Response = dict[str, Any]
"""What a function returns to API Gateway."""
MAX_BODY_BYTES = 256 * 1024
NOT_JSON = frozenset({"json_invalid", "model_type", "model_attributes_type"})
_JSON = {"Content-Type": "application/json"}

M = TypeVar("M", bound=Message)


class RestCode(StrEnum):
    """What can be wrong with a request before anything looks at what it asks."""

    TOO_LARGE = "TOO_LARGE"
    UNAUTHENTICATED = "UNAUTHENTICATED"


@dataclass(frozen=True)
class Call:
    """A request that has the form it should; parameters, query and body are of the operation's own models."""

    owner: str
    parameters: Any = None
    query: Any = None
    body: Any = None


@dataclass(frozen=True)
class Answered:
    """What an act answers."""

    content: Message | None = None
    status: int = 200


class AnswerBroken(Exception):
    """An act answered what its operation does not."""


class Rest:
    """Answers API Gateway."""

    def __init__(
        self,
        operations: Sequence[Operation],
        acts: Mapping[str, Callable[[Call], Answered]],
        *,
        origin: str,
        log: EventLog,
    ) -> None:
        """`acts`: what does an operation, by its name. `origin`: whose pages may read the answers."""
        self._operations: dict[tuple[str, str], Operation] = {(one.path, one.method): one for one in operations}
        self._acts = {one.name: acts[one.name] for one in operations}
        self._headers = {"Access-Control-Allow-Origin": origin, "Cache-Control": "no-store"}
        self._log = log

    def handle(self, event: Mapping[str, Any]) -> Response:
        """One request, and its answer."""
        return self._with_headers(self._response(event))

    def _response(self, event: Mapping[str, Any]) -> Response:
        request_id, route = "", "none"
        try:
            context = event.get("requestContext") or {}
            request_id = str(context.get("requestId", ""))
            # The gateway's document has these operations alone: it answers other paths and methods by itself.
            operation = self._operations[event["resource"], event["httpMethod"]]
            route = operation.name
            return self._answered(operation, self._acts[route](_call(operation, event, context)))
        except AnswerBroken as error:
            self._log.error("answer_broken", route=route)
            return http_error(error, request_id)
        except HandlerError as error:
            self._log.info("request_refused", code=error.code, route=route)
            return http_error(error, request_id)
        except Exception as error:  # noqa: BLE001 - the client gets one clear answer, and no trace leaves
            self._log.error("request_failed", error_type=type(error).__name__, route=route)
            return http_error(error, request_id)

    def _with_headers(self, response: Response) -> Response:
        headers = response["headers"]
        # Browsers have a list of what a page may read unasked; this is not on it.
        exposed = {"Access-Control-Expose-Headers": LATER} if LATER in headers else {}
        return {**response, "headers": {**headers, **self._headers, **exposed}}

    def _answered(self, operation: Operation, answer: Answered) -> Response:
        if answer.status not in operation.statuses:
            raise AnswerBroken
        if operation.answer is None:
            if answer.content is not None:
                raise AnswerBroken
            return {"statusCode": answer.status, "headers": {}, "body": ""}
        return {
            "statusCode": answer.status,
            "headers": _JSON,
            "body": _checked(operation.answer, answer.content),
        }


def _call(operation: Operation, event: Mapping[str, Any], context: Mapping[str, Any]) -> Call:
    return Call(
        owner=_owner(context.get("authorizer")),
        parameters=_parsed(operation.parameters, event.get("pathParameters") or {}),
        query=_parsed(operation.query, event.get("queryStringParameters") or {}),
        body=_body(operation.body, event),
    )


def _owner(authorizer: object) -> str:
    """Whoever the authorizer names; one that ran and named nobody lets nobody in."""
    if not authorizer:
        return user_ids.EVERYBODY
    user = authorizer.get("user") if isinstance(authorizer, Mapping) else None
    if not isinstance(user, str) or re.fullmatch(user_ids.PATTERN, user) is None:
        raise HandlerError(RestCode.UNAUTHENTICATED, "Nobody is known to ask this.", 401)
    return user


def _parsed(model: type[M] | None, texts: object) -> M | None:
    """What path or query say: texts, of which numbers are made where numbers are meant."""
    if model is None:
        return None
    try:
        return model.model_validate(texts)
    except ValidationError as error:
        raise malformed(error) from None


def _body(model: type[M] | None, event: Mapping[str, Any]) -> M | None:
    if model is None:
        return None
    try:
        return model.model_validate_json(_content(event), strict=True)
    except ValidationError as error:
        if any(one["type"] in NOT_JSON and not one["loc"] for one in error.errors(include_url=False)):
            raise _no_object() from None
        raise malformed(error) from None


def _content(event: Mapping[str, Any]) -> bytes:
    body = str(event.get("body") or "").encode(errors="surrogatepass")
    if event.get("isBase64Encoded"):
        if len(body) > MAX_BODY_BYTES * 4 // 3 + 4:
            raise _too_large()
        try:
            body = base64.b64decode(body, validate=True)
        except binascii.Error:
            raise _no_object() from None
    if len(body) > MAX_BODY_BYTES:
        raise _too_large()
    return body


def _no_object() -> HandlerError:
    return HandlerError(CommonCode.MALFORMED, "The body must be one JSON object.")


def _too_large() -> HandlerError:
    return HandlerError(RestCode.TOO_LARGE, f"A body has {MAX_BODY_BYTES} bytes at the most.", 413)


def _checked(model: type[Message], content: Message | None) -> str:
    """An answer as it is sent: made again from what would be sent, so that nothing passes for being made wrongly."""
    if not isinstance(content, model):
        raise AnswerBroken
    try:
        plain = content.model_dump(mode="json", by_alias=True, exclude_none=True, warnings="none")
        return model.model_validate(plain).model_dump_json(by_alias=True, exclude_none=True)
    except Exception:  # noqa: BLE001 - whatever it is, it is not the operation's answer
        raise AnswerBroken from None
