"""Fakes for the tests of several functions: a clock, clients and errors of AWS, DynamoDB in memory, clients of a
WebSocket API, and the response to a request.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
import botocore.session
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from handlers.common.json_models import Message
from handlers.common.websocket import WebSocketConnections

START_MS = 1_760_000_000_000
"""Time of the clock at the start of a test: 2025-10-09T08:53:20Z."""


def client_error(code: str, status: int = 400) -> ClientError:
    """Return an error answer of a service, as botocore raises it."""
    response: Any = {"Error": {"Code": code, "Message": "canary"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetItem")


@contextmanager
def stubbed(service: str) -> Iterator[tuple[Any, Stubber]]:
    """Yield a client with scripted answers, which botocore validates, and its stubber. All answers must be used."""
    make: Any = boto3.client
    client = make(service, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()
    client.close()


def is_valid_converse_request(request: dict[str, Any]) -> bool:
    """Return True if botocore's service model accepts a request without model id for Bedrock's operation Converse."""
    service: Any = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.operation_model("Converse").input_shape
    return not ParamValidator().validate({"modelId": "a", **request}, shape).has_errors()


@dataclass
class Clock:
    """Clock that advances only when a fake or a test advances it, for example when the tested code waits for a fake."""

    now_ms: int = START_MS

    def __call__(self) -> int:
        return self.now_ms


class MemoryDynamoDb:
    """DynamoDB client with the calls and conditions of the WebSocket backends. It takes a hundredth of moto's time.

    The tests of the entry points and of `Records` make the same calls to moto.
    """

    def __init__(self, **tables: Sequence[str]) -> None:
        """`tables` are the key attributes of each table."""
        self._key_names = tables
        self._items: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in tables}
        self._failures: dict[str, list[Exception]] = {}

    def fail(self, error: Exception, operation: str) -> None:
        """Let the next call of an operation fail."""
        self._failures.setdefault(operation, []).append(error)

    def get_item(self, **request: Any) -> dict[str, Any]:
        self._raise_failure("get_item")
        item = self._items[request["TableName"]].get(str(sorted(request["Key"].items())))
        return {} if item is None else {"Item": item}

    def put_item(self, **request: Any) -> None:
        """Write an item. A condition requires that an attribute has a value (`name = :value`) or is missing."""
        self._raise_failure("put_item")
        items, item = self._items[request["TableName"]], request["Item"]
        key = str(sorted((name, item[name]) for name in self._key_names[request["TableName"]]))
        attribute, _, value_name = request.get("ConditionExpression", "").partition(" = ")
        attribute = attribute.removeprefix("attribute_not_exists(").removesuffix(")")
        expected = request["ExpressionAttributeValues"][value_name] if value_name else None
        if items.get(key, {}).get(attribute) != expected:
            raise client_error("ConditionalCheckFailedException")
        items[key] = item

    def scan(self, **request: Any) -> dict[str, Any]:
        return {"Items": list(self._items[request["TableName"]].values())}

    def _raise_failure(self, operation: str) -> None:
        if failures := self._failures.get(operation):
            raise failures.pop(0).with_traceback(None)


@dataclass
class Clients(WebSocketConnections):
    """API Gateway's WebSocket connections, with fake clients that keep the messages that they receive."""

    gone: set[str] = field(default_factory=set)
    """Closed connections, which accept no message."""
    failures: list[Exception] = field(default_factory=list)
    """Exceptions of the next posts."""
    inbox: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Received messages by connection."""
    before_post: Callable[[str, Any], object] = lambda *_: None
    """Called with the connection and each message before it arrives."""
    after_post: Callable[[str, Any], object] = lambda *_: None
    """Called with the connection and each message after it has arrived."""

    def post(self, connection_id: str, message: Message) -> bool:
        self.before_post(connection_id, message)
        if self.failures:
            raise self.failures.pop(0).with_traceback(None)
        if connection_id in self.gone:
            return False
        sent = json.loads(message.model_dump_json(by_alias=True, exclude_none=True))
        self.inbox.setdefault(connection_id, []).append(sent)
        self.after_post(connection_id, message)
        return True

    def sent_to(self, connection_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a kind that one client received."""
        return [message for message in self.inbox.get(connection_id, []) if message["type"] == kind]

    def piece_numbers(self, connection_id: str) -> list[int]:
        """Return the numbers of the pieces of an answer that a client received, in order."""
        return [message["number"] for message in self.inbox.get(connection_id, []) if "number" in message]


class RestResponse:
    """Status, headers and JSON body of a Lambda function's response to API Gateway."""

    def __init__(self, response: dict[str, Any]) -> None:
        self.status: int = response["statusCode"]
        self.headers: dict[str, str] = response["headers"]
        self.text: str = response["body"]

    @property
    def body(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.text)
        return content
