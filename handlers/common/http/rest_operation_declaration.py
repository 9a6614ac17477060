"""Declaration of the operations of a REST API, with the types of their requests and answers.

A subsystem declares each operation with its models. The deployment builds the definition of the API Gateway from the
declarations, and `python -m local generate` writes the OpenAPI documents from them. The Lambda function binds each
operation to the function that performs it: `CREATE_EPISODE.bind(episodes.create)`. mypy then checks that the function
takes the operation's models and returns its answer. `rest_dispatch` checks the values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias

from typing_extensions import TypeVar  # comes with pydantic; Python 3.11's own TypeVar has no defaults

from handlers.common.json_models import Message

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


@dataclass(frozen=True)
class RestAnswer(Generic[Answer]):
    """Result of an operation. Content is None if the operation has no model for its answer."""

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
    """Status codes of successful answers."""

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
