"""In-memory AWS for crash tests, with the operations that ingestion's gateways use.

Conditions work like DynamoDB's. The index can lag behind the table until a test updates it. S3 keeps whole objects with
ETags, and has conditional writes. The start of an execution can be refused or delayed, and its request or response can
be lost. Every call passes a gate before and after it, which can raise an error or kill the caller. The model of the
claim protocol replaces the gate by a transport, which decides when, how often and whether a call is executed.

The index `open` of the table contains only items that wait for something: files that are pending or claimed, and
running manifests.
"""

import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.ingestion.table_keys_and_updates import OPEN_INDEX
from tests.handlers.ingestion.dynamodb_expressions import Item, apply_update, parse_condition

Key = tuple[str, str]
Gate = Callable[[str], None]
"""Function that is called with `before <operation>` and `after <operation>`."""
Transport = Callable[[str, Callable[[], Any]], Any]
"""Function that gets the name of an operation and the function that executes it, and returns the response."""
STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"
PROJECTED = frozenset({"date_prefix", "file_key", "open_shard", "open_since", "manifest_id", "execution_arn"})
"""Attributes in the index: the keys of table and index, and the projected attributes."""


def client_error(code: str, operation: str, status: int = 400, **fields: Any) -> ClientError:
    """Return an error as boto3 raises it, with other fields of the response."""
    metadata = {"HTTPStatusCode": status, "RetryAttempts": 0}
    error_class = ConditionFailed if code == "ConditionalCheckFailedException" else ClientError
    response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata, **fields}
    return error_class(response, operation)


class ConditionFailed(ClientError):
    """Exception that boto3 raises for ConditionalCheckFailedException."""


class Cloud:
    """State that all fake clients share. Tests read it, change it, and choose the outcomes of the next calls."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.items: dict[Key, Item] = {}
        """Items of the file table."""
        self.indexed: dict[Key, Item] = {}
        """Items of the table's index `open`."""
        self.pending_index_entries: deque[tuple[Key, Item]] = deque()
        self.index_lags = False
        """True if only `update_index` applies changes of the table to the index."""
        self.objects: dict[str, bytes] = {}
        self.versions: dict[tuple[str, str], bytes] = {}
        """Content of each version of the landing bucket's objects, by key and version id."""
        self.executions: dict[str, str] = {}
        """Status of each execution by name."""
        self.inputs: dict[str, str] = {}
        """Input of each execution by name."""
        self.delayed_starts: list[tuple[str, str]] = []
        """Starts that were sent but have not arrived."""
        self.next_starts: deque[str] = deque()
        """Outcomes of the next starts: `refused`, `exists`, `lost`, `response lost`, `delayed`, or empty for success.

        `lost` means that the request is lost. Later starts succeed.
        """
        self.status_changes: list[tuple[Key, str, str]] = []
        """Key, former status and new status of each change of an item's status."""
        self.on_start: Callable[[str], None] = lambda _: None
        """Function that is called with the name of each execution that starts."""

    def clock(self) -> datetime:
        """Return the current time."""
        return self.now

    def advance_time(self, seconds: float) -> None:
        """Advance the time."""
        self.now += timedelta(seconds=seconds)

    def update_index(self, entries: int = 1_000_000) -> None:
        """Apply the oldest pending changes to the index."""
        while self.pending_index_entries and entries:
            key, item = self.pending_index_entries.popleft()
            entries -= 1
            if "open_shard" in item:
                self.indexed[key] = {name: value for name, value in item.items() if name in PROJECTED}
            else:
                self.indexed.pop(key, None)

    def put(self, key: Key, item: Item) -> None:
        """Write an item."""
        before = self.items.get(key, {}).get("status", {}).get("S", "")
        after = item.get("status", {}).get("S", "")
        if before != after:
            self.status_changes.append((key, before, after))
        self.items[key] = item
        self.pending_index_entries.append((key, item))
        if not self.index_lags:
            self.update_index()

    def start(self, name: str, execution_input: str) -> None:
        """Start an execution. A start with the name and the input of a running execution changes nothing."""
        if name in self.executions:
            if self.executions[name] == "RUNNING" and self.inputs[name] == execution_input:
                return
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.executions[name], self.inputs[name] = "RUNNING", execution_input
        self.on_start(name)

    def deliver_delayed_starts(self) -> None:
        """Let the delayed starts arrive."""
        while self.delayed_starts:
            name, execution_input = self.delayed_starts.pop(0)
            if name not in self.executions:
                self.start(name, execution_input)

    def files(self) -> dict[Key, Item]:
        """Return the records of files."""
        return {key: item for key, item in self.items.items() if key[1].startswith("incoming/")}

    def manifests(self) -> dict[Key, Item]:
        """Return the records of manifests."""
        return {key: item for key, item in self.items.items() if key[1].startswith("MANIFEST#")}


def item_key(attributes: Mapping[str, Mapping[str, str]]) -> Key:
    """Return the key under which `Cloud.items` holds an item."""
    return attributes["date_prefix"]["S"], attributes["file_key"]["S"]


class _Client:
    def __init__(self, cloud: Cloud, gate: Gate, transport: Transport | None = None) -> None:
        self._cloud = cloud
        self._gate = gate
        self._call = transport or self._call_through_gate

    def _call_through_gate(self, operation: str, execute: Callable[[], Any]) -> Any:
        self._gate(f"before {operation}")
        response = execute()
        self._gate(f"after {operation}")
        return response


class FakeDynamoDB(_Client):
    """DynamoDB with one table and its index `open`."""

    class exceptions:  # noqa: N801 - named as in boto3
        ConditionalCheckFailedException = ConditionFailed

    def put_item(self, **request: Any) -> Any:
        return self._call("PutItem", lambda: self._put(request))

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> Any:  # noqa: N803
        return self._call("TransactWriteItems", lambda: self._transact(TransactItems))

    def update_item(self, **request: Any) -> Any:
        return self._call("UpdateItem", lambda: self._update(request))

    def get_item(self, **request: Any) -> Any:
        return self._call("GetItem", lambda: self._get(request))

    def query(self, **request: Any) -> Any:
        return self._call("Query", lambda: self._query(request))

    def _put(self, request: dict[str, Any]) -> dict[str, Any]:
        key = item_key(request["Item"])
        self._check_condition(request, self._cloud.items.get(key, {}), "PutItem")
        self._cloud.put(key, request["Item"])
        return {}

    def _transact(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        reasons = []
        for entry in entries:
            ((kind, request),) = entry.items()
            item = self._cloud.items.get(item_key(request["Item"] if kind == "Put" else request["Key"]), {})
            is_true = parse_condition(request["ConditionExpression"])(item, {}, {})
            reasons.append({"Code": "None" if is_true else "ConditionalCheckFailed"})
        if any(reason["Code"] != "None" for reason in reasons):
            raise client_error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
        for entry in entries:
            if "Put" in entry:
                self._cloud.put(item_key(entry["Put"]["Item"]), entry["Put"]["Item"])
        return {}

    def _update(self, request: dict[str, Any]) -> dict[str, Any]:
        key = item_key(request["Key"])
        before = self._cloud.items.get(key, {})
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        expressions = request["ConditionExpression"] + request["UpdateExpression"]
        for placeholder in (*names, *values):
            assert placeholder in expressions, f"DynamoDB refuses {placeholder}, which no expression uses"
        self._check_condition(request, before, "UpdateItem")
        after = apply_update(before or dict(request["Key"]), request["UpdateExpression"], names, values)
        self._cloud.put(key, after)
        return {"Attributes": after}

    def _check_condition(self, request: dict[str, Any], item: Item, operation: str) -> None:
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        if not parse_condition(request["ConditionExpression"])(item, names, values):
            is_returned = item and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            fields: dict[str, Any] = {"Item": item} if is_returned else {}
            raise client_error("ConditionalCheckFailedException", operation, **fields)

    def _get(self, request: dict[str, Any]) -> dict[str, Any]:
        item = self._cloud.items.get(item_key(request["Key"]))
        return {"Item": item} if item else {}

    def _query(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request["IndexName"] == OPEN_INDEX
        matches, values = parse_condition(request["KeyConditionExpression"]), request["ExpressionAttributeValues"]
        items = [item for item in self._cloud.indexed.values() if matches(item, {}, values)]
        items.sort(key=_index_order)
        if "ExclusiveStartKey" in request:
            items = [item for item in items if _index_order(item) > _index_order(request["ExclusiveStartKey"])]
        limit = request["Limit"]
        last_key = {"LastEvaluatedKey": items[limit - 1]} if len(items) > limit else {}
        return {"Items": items[:limit], **last_key}


def _index_order(item: Item) -> tuple[str, Key]:
    return item["open_since"]["S"], item_key(item)


class _Body(io.BytesIO):
    """Content of an object in a response."""

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        yield self.read()


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class FakeS3(_Client):
    """S3 with whole objects. All buckets share the keys. Only the landing bucket has versions."""

    def put_object(self, **request: Any) -> Any:
        return self._call("PutObject", lambda: self._put(**request))

    def get_object(self, **request: Any) -> Any:
        return self._call("GetObject", lambda: self._get(**request))

    def head_object(self, **request: Any) -> Any:
        def execute() -> dict[str, Any]:
            if request["Key"] not in self._cloud.objects:
                raise client_error("404", "HeadObject", 404)
            return {"ETag": _etag(self._cloud.objects[request["Key"]])}

        return self._call("HeadObject", execute)

    def delete_objects(self, **request: Any) -> Any:
        def execute() -> dict[str, Any]:
            for entry in request["Delete"]["Objects"]:
                self._cloud.objects.pop(entry["Key"], None)
            return {}

        return self._call("DeleteObjects", execute)

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **request: Any) -> Any:
        def execute() -> list[dict[str, Any]]:
            return [{"Contents": [{"Key": key} for key in self._cloud.objects if key.startswith(request["Prefix"])]}]

        return self._call("ListObjectsV2", execute)

    def _put(self, **request: Any) -> dict[str, Any]:
        current = self._cloud.objects.get(request["Key"])
        if request.get("IfNoneMatch") == "*" and current is not None:
            raise client_error("PreconditionFailed", "PutObject", 412)
        if "IfMatch" in request and current is None:
            raise client_error("NoSuchKey", "PutObject", 404)
        if "IfMatch" in request and current is not None and request["IfMatch"] != _etag(current):
            raise client_error("PreconditionFailed", "PutObject", 412)
        self._cloud.objects[request["Key"]] = request["Body"]
        return {}

    def _get(self, **request: Any) -> dict[str, Any]:
        if "VersionId" in request:
            body, error_code = self._cloud.versions.get((request["Key"], request["VersionId"])), "NoSuchVersion"
        else:
            body, error_code = self._cloud.objects.get(request["Key"]), "NoSuchKey"
        if body is None:
            raise client_error(error_code, "GetObject", 404)
        return {"Body": _Body(body)}


class FakeStepFunctions(_Client):
    """Step Functions with executions, and with failing starts."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Mapping[str, Any]:  # noqa: A002, N803
        def execute() -> dict[str, str]:
            assert stateMachineArn == STATE_MACHINE
            json.loads(input)
            match self._cloud.next_starts.popleft() if self._cloud.next_starts else "":
                case "refused":
                    raise client_error("StateMachineDoesNotExist", "StartExecution")
                case "exists":
                    raise client_error("ExecutionAlreadyExists", "StartExecution")
                case "lost":
                    raise ReadTimeoutError(endpoint_url="states")
                case "response lost":
                    self._cloud.start(name, input)
                    raise ReadTimeoutError(endpoint_url="states")
                case "delayed":
                    self._cloud.delayed_starts.append((name, input))
                    raise ReadTimeoutError(endpoint_url="states")
                case _:
                    self._cloud.start(name, input)
            return {"executionArn": arn(name)}

        return dict(self._call("StartExecution", execute))

    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]:  # noqa: N803
        def execute() -> dict[str, str]:
            status = self._cloud.executions.get(executionArn.rpartition(":")[2])
            if status is None:
                raise client_error("ExecutionDoesNotExist", "DescribeExecution")
            return {"status": status}

        return dict(self._call("DescribeExecution", execute))


def arn(name: str) -> str:
    """Return the ARN of an execution."""
    return f"{STATE_MACHINE.replace(':stateMachine:', ':execution:')}:{name}"
