"""Operations of a REST API: their declaration, and the dispatch of requests to the functions that perform them.

A subsystem declares each operation with its models. The deployment builds the definition of the API Gateway from the
declarations, and `python -m local generate` writes the OpenAPI documents from them. The Lambda function binds each
operation to the function that performs it: `CREATE_EPISODE.bind(episodes.create)`. mypy then checks that the function
takes the operation's models and returns its answer.

The dispatcher validates requests and answers. An answer that violates its operation is not sent: the client gets an
internal error. API Gateway limits the size of a request, and passes its body as text, because no API has a binary type.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeAlias

from typing_extensions import TypeVar  # comes with pydantic; Python 3.11's own TypeVar has no defaults

from handlers.common import ids
from handlers.common.errors import HandlerError, ProxyResponse, request_validation, to_http_response
from handlers.common.json_models import Message
from handlers.common.logging import EventLog, name_for_log

Method = Literal["GET", "POST", "PATCH", "DELETE"]
Status = Literal[200, 201, 202, 204]
Parameters = TypeVar("Parameters", bound=Message | None, default=None)
Query = TypeVar("Query", bound=Message | None, default=None)
Body = TypeVar("Body", bound=Message | None, default=None)
Answer = TypeVar("Answer", bound=Message | None, default=None)


@dataclass(frozen=True)
class RestRequest(Generic[Parameters, Query, Body]):
    """A valid request. A part without a model is None."""

    owner: str
    """User id of the caller, or `DEFAULT_OWNER` if the API has no authorizer."""
    parameters: Parameters
    """Parameters of the path."""
    query: Query
    body: Body
    token: str = field(default="", repr=False)
    """Token in the header `Authorization`, for an operation that verifies it itself (`takes_token`). It may be empty or
    invalid."""


@dataclass(frozen=True)
class RestAnswer(Generic[Answer]):
    """Result of an operation. Its content is None if the operation has no model for the answer's body."""

    content: Answer
    status: int = 200


@dataclass(frozen=True)
class RestOperation(Generic[Parameters, Query, Body, Answer]):
    """One operation of a REST API, with the models of its request and its answer."""

    name: str
    """Operation id, for example `createEpisode`."""
    method: Method
    path: str
    """Path with parameters in braces, for example `/episodes/{episodeId}`."""
    summary: str
    parameters: type[Parameters] | None = None
    """Path parameters. All fields are required."""
    query: type[Query] | None = None
    """Query string parameters."""
    body: type[Body] | None = None
    answer: type[Answer] | None = None
    """Body of the answer, or None for an answer without a body."""
    statuses: tuple[Status, ...] = (200,)
    """Status codes of successful answers, the usual one first."""
    takes_token: bool = False
    """True if the function of the operation verifies the caller's token, because the API has no authorizer."""

    @property
    def route(self) -> str:
        """Method and path, for example `GET /episodes/{episodeId}`."""
        return f"{self.method} {self.path}"

    def bind(self, function: Callable[[RestRequest[Parameters, Query, Body]], RestAnswer[Answer]]) -> "BoundOperation":
        """Return the operation with the function that performs it."""
        return BoundOperation(self, function)


AnyRestOperation: TypeAlias = RestOperation[Any, Any, Any, Any]
"""Operation with any models, as in the list of all operations of an API."""


@dataclass(frozen=True)
class BoundOperation:
    """An operation and its function, whose types `RestOperation.bind` has checked."""

    operation: AnyRestOperation
    function: Callable[[RestRequest[Any, Any, Any]], RestAnswer[Any]]


M = TypeVar("M", bound=Message)


class InvalidRestAnswer(Exception):
    """The function of an operation has a fault: its status or content is none that the operation declares."""


class RestDispatcher:
    """Dispatcher for the operations of one REST API."""

    def __init__(self, operations: Sequence[BoundOperation], *, origin: str, log: EventLog) -> None:
        """`origin` is the web origin whose pages may read the answers in a browser (CORS)."""
        self._operations = {(bound.operation.path, bound.operation.method): bound for bound in operations}
        self._headers = {"Access-Control-Allow-Origin": origin, "Cache-Control": "no-store"}
        self._log = log

    def handle(self, event: Mapping[str, Any]) -> ProxyResponse:
        """Return the response to a request of API Gateway."""
        context = event["requestContext"]
        # API Gateway is deployed with the same operations, and answers all other paths and methods itself.
        bound = self._operations[event["resource"], event["httpMethod"]]
        route = name_for_log(bound.operation.name)
        with self._log.request(context["requestId"]):
            try:
                answer = bound.function(_parse_request(bound.operation, event, context))
                response = _to_response(bound.operation, answer)
            except Exception as error:  # noqa: BLE001 - the client gets a clear answer and no stack trace
                if isinstance(error, HandlerError):
                    self._log.info("request_refused", code=error.code, route=route)
                else:
                    self._log.failure("request_failed", error, route=route)
                response = to_http_response(error, context["requestId"])
        return {**response, "headers": {**response["headers"], **self._headers}}


def _to_response(operation: AnyRestOperation, answer: RestAnswer[Any]) -> ProxyResponse:
    """Return the response with an answer. Raises InvalidRestAnswer."""
    content: Any = answer.content
    if answer.status not in operation.statuses or type(content) is not (operation.answer or type(None)):
        raise InvalidRestAnswer
    if content is None:
        return {"statusCode": answer.status, "headers": {}, "body": ""}
    body = content.model_dump_json(by_alias=True, exclude_none=True)
    return {"statusCode": answer.status, "headers": {"Content-Type": "application/json"}, "body": body}


def _parse_request(
    operation: AnyRestOperation, event: Mapping[str, Any], context: Mapping[str, Any]
) -> RestRequest[Any, Any, Any]:
    authorizer = context.get("authorizer")
    return RestRequest(
        owner=authorizer["user"] if authorizer else ids.DEFAULT_OWNER,
        parameters=_parse_part(operation.parameters, event.get("pathParameters") or {}),
        query=_parse_part(operation.query, event.get("queryStringParameters") or {}),
        body=_parse_part(operation.body, event.get("body") or ""),
        token=_find_token(event.get("headers") or {}) if operation.takes_token else "",
    )


def _find_token(headers: Mapping[str, str]) -> str:
    """Return the token in the header `Authorization`, or an empty text if it has none."""
    values = [value for name, value in headers.items() if name.lower() == "authorization"]
    scheme, _, token = "".join(values).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _parse_part(model: type[M] | None, content: str | Mapping[str, str]) -> M | None:
    """Return the body, which is a JSON text, or parameters, whose texts pydantic converts to the types of the model."""
    if model is None:
        return None
    with request_validation():
        if isinstance(content, str):
            return model.model_validate_json(content.encode(errors="surrogatepass"), strict=True)
        return model.model_validate(content)
