"""In-memory AWS for crash tests, with the operations that ingestion's gateways use.

Conditions work like DynamoDB's, and the index lags behind until a test updates it. S3 keeps whole objects with ETags, and
has conditional writes. The start of an execution may be refused, lost before or after it happened, or delayed. Every
call passes a gate, which can stop or kill its caller. The model of the claim protocol replaces the gate by a function
that decides itself when, how often and whether a call happens.
"""

import hashlib
import io
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.ingestion.table_keys_and_updates import OPEN_INDEX
from tests.handlers.ingestion.dynamodb_expressions import Item, condition, updated

Key = tuple[str, str]
Gate = Callable[[str], None]
Transport = Callable[[str, Callable[[], Any]], Any]
"""Function that gets the name of an operation and the function that executes it, and returns the response."""
STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"
PROJECTED = frozenset({"date_prefix", "file_key", "open_shard", "open_since", "manifest_id", "execution_arn"})
"""Attributes in the index: the keys of table and index, and the projected attributes."""


def client_error(code: str, operation: str, status: int = 400, **more: Any) -> ClientError:
    """Return an error in the form in which boto3 raises it."""
    about = {"HTTPStatusCode": status, "RetryAttempts": 0}
    kind = ConditionFailed if code == "ConditionalCheckFailedException" else ClientError
    response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": about, **more}
    return kind(response, operation)


class ConditionFailed(ClientError):
    """Exception that boto3 raises for ConditionalCheckFailedException."""


class Cloud:
    """State that all fake clients share."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.items: dict[Key, Item] = {}
        self.indexed: dict[Key, Item] = {}
        self.pending_index_entries: deque[tuple[Key, Item]] = deque()
        self.lag = False
        self.objects: dict[str, bytes] = {}
        self.versions: dict[tuple[str, str], bytes] = {}
        """Content of each version of the landing bucket's objects, by key and version id."""
        self.executions: dict[str, str] = {}
        """Status of each execution by name."""
        self.inputs: dict[str, str] = {}
        self.delayed_starts: list[tuple[str, str]] = []
        """Starts that were sent but have not arrived."""
        self.next_starts: deque[str] = deque()
        """Outcomes of the next starts: `refused`, `exists`, `lost`, `lost after`, `delayed` or empty.

        Later starts succeed.
        """
        self.next_calls: deque[str] = deque()
        """Outcomes of the next other calls: `lost`, `lost after` or empty."""
        self.status_changes: list[tuple[Key, str, str]] = []
        self.on_start: Callable[[str], None] = lambda _: None

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
                self.indexed[key] = {name: held for name, held in item.items() if name in PROJECTED}
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
        if not self.lag:
            self.update_index()

    def start(self, name: str, text: str) -> None:
        """Start an execution."""
        if name in self.executions:
            if self.executions[name] == "RUNNING" and self.inputs[name] == text:
                return
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.executions[name], self.inputs[name] = "RUNNING", text
        self.on_start(name)

    def deliver_delayed_starts(self) -> None:
        """Let the delayed starts arrive."""
        while self.delayed_starts:
            name, text = self.delayed_starts.pop(0)
            if name not in self.executions:
                self.start(name, text)

    def of_kind(self, prefix: str) -> dict[Key, Item]:
        """Return the records whose sort key starts with a prefix."""
        return {key: item for key, item in self.items.items() if key[1].startswith(prefix)}

    def files(self) -> dict[Key, Item]:
        """Return the records of files."""
        return self.of_kind("incoming/")

    def manifests(self) -> dict[Key, Item]:
        """Return the records of manifests."""
        return self.of_kind("MANIFEST#")


def key_of(given: Mapping[str, Mapping[str, str]]) -> Key:
    """Return the key under which an item is stored here."""
    return given["date_prefix"]["S"], given["file_key"]["S"]


class Exceptions:
    """Replacement for `client.exceptions`."""

    ConditionalCheckFailedException = ConditionFailed


class _Client:
    def __init__(self, cloud: Cloud, gate: Gate, transport: Transport | None = None) -> None:
        self._cloud = cloud
        self._gate = gate
        self._call = transport or self._call_through_gate

    def _call_through_gate(self, name: str, act: Callable[[], Any]) -> Any:
        self._gate(f"before {name}")
        fate = self._cloud.next_calls.popleft() if self._cloud.next_calls and name != "StartExecution" else ""
        if fate == "lost":
            raise ReadTimeoutError(endpoint_url=name)
        answer = act()
        self._gate(f"after {name}")
        if fate == "lost after":
            raise ReadTimeoutError(endpoint_url=name)
        return answer


class FakeDynamoDB(_Client):
    """DynamoDB with one table and its index `open`."""

    exceptions: ClassVar[type[Exceptions]] = Exceptions

    def put_item(self, **given: Any) -> Any:
        return self._call("PutItem", lambda: self._put(given))

    def transact_write_items(self, *, TransactItems: list[dict[str, Any]]) -> Any:  # noqa: N803
        return self._call("TransactWriteItems", lambda: self._transact(TransactItems))

    def update_item(self, **given: Any) -> Any:
        return self._call("UpdateItem", lambda: self._update(given))

    def get_item(self, **given: Any) -> Any:
        return self._call("GetItem", lambda: self._get(given))

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> Any:  # noqa: N803
        return self._call("BatchGetItem", lambda: self._batch(RequestItems))

    def query(self, **given: Any) -> Any:
        return self._call("Query", lambda: self._query(given))

    def _put(self, given: dict[str, Any]) -> dict[str, Any]:
        key = key_of(given["Item"])
        self._hold(given, self._cloud.items.get(key, {}), "PutItem")
        self._cloud.put(key, given["Item"])
        return {}

    def _transact(self, given: list[dict[str, Any]]) -> dict[str, Any]:
        reasons = []
        for item in given:
            ((kind, what),) = item.items()
            held = self._cloud.items.get(key_of(what["Item"] if kind == "Put" else what["Key"]), {})
            holds = condition(what["ConditionExpression"])(held, {}, {})
            reasons.append({"Code": "None" if holds else "ConditionalCheckFailed"})
        if any(reason["Code"] != "None" for reason in reasons):
            raise client_error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
        for entry in given:
            if "Put" in entry:
                self._cloud.put(key_of(entry["Put"]["Item"]), entry["Put"]["Item"])
        return {}

    def _update(self, given: dict[str, Any]) -> dict[str, Any]:
        key = key_of(given["Key"])
        before = self._cloud.items.get(key, {})
        names, values = given["ExpressionAttributeNames"], given["ExpressionAttributeValues"]
        expressions = given["ConditionExpression"] + given["UpdateExpression"]
        for item in (*names, *values):
            assert item in expressions, f"DynamoDB refuses {item}, which is not used"
        self._hold(given, before, "UpdateItem")
        after = updated(before or dict(given["Key"]), given["UpdateExpression"], names, values)
        self._cloud.put(key, after)
        return {"Attributes": after}

    def _hold(self, given: dict[str, Any], held: Item, operation: str) -> None:
        names, values = given.get("ExpressionAttributeNames", {}), given.get("ExpressionAttributeValues", {})
        if not condition(given["ConditionExpression"])(held, names, values):
            is_returned = held and given.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            returned: dict[str, Any] = {"Item": held} if is_returned else {}
            raise client_error("ConditionalCheckFailedException", operation, **returned)

    def _get(self, given: dict[str, Any]) -> dict[str, Any]:
        held = self._cloud.items.get(key_of(given["Key"]))
        return {"Item": held} if held else {}

    def _batch(self, given: dict[str, Any]) -> dict[str, Any]:
        ((table, what),) = given.items()
        keys = [key_of(key) for key in what["Keys"]]
        return {"Responses": {table: [self._cloud.items[key] for key in keys if key in self._cloud.items]}}

    def _query(self, given: dict[str, Any]) -> dict[str, Any]:
        assert given["IndexName"] == OPEN_INDEX
        holds = condition(given["KeyConditionExpression"])
        items = [item for item in self._cloud.indexed.values() if holds(item, {}, given["ExpressionAttributeValues"])]
        items.sort(key=_sort_key)
        if "ExclusiveStartKey" in given:
            items = [item for item in items if _sort_key(item) > _sort_key(given["ExclusiveStartKey"])]
        limit = given["Limit"]
        more = {"LastEvaluatedKey": items[limit - 1]} if len(items) > limit else {}
        return {"Items": items[:limit], **more}


def _sort_key(item: Item) -> tuple[str, Key]:
    return item["open_since"]["S"], key_of(item)


class _Body(io.BytesIO):
    """Content of an object in a response."""

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        yield self.read()


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class FakeS3(_Client):
    """S3 with whole objects. All buckets share the keys. Only the landing bucket has versions."""

    def put_object(self, **given: Any) -> Any:
        return self._call("PutObject", lambda: self._put(**given))

    def get_object(self, **given: Any) -> Any:
        return self._call("GetObject", lambda: self._get(**given))

    def head_object(self, **given: Any) -> Any:
        def act() -> dict[str, Any]:
            if given["Key"] not in self._cloud.objects:
                raise client_error("404", "HeadObject", 404)
            return {"ETag": _etag(self._cloud.objects[given["Key"]])}

        return self._call("HeadObject", act)

    def delete_objects(self, **given: Any) -> Any:
        def act() -> dict[str, Any]:
            for entry in given["Delete"]["Objects"]:
                self._cloud.objects.pop(entry["Key"], None)
            return {}

        return self._call("DeleteObjects", act)

    def get_paginator(self, operation: str) -> "FakeS3":
        assert operation == "list_objects_v2"
        return self

    def paginate(self, **given: Any) -> Any:
        def act() -> list[dict[str, Any]]:
            return [{"Contents": [{"Key": key} for key in self._cloud.objects if key.startswith(given["Prefix"])]}]

        return self._call("ListObjectsV2", act)

    def _put(self, **given: Any) -> dict[str, Any]:
        held = self._cloud.objects.get(given["Key"])
        if given.get("IfNoneMatch") == "*" and held is not None:
            raise client_error("PreconditionFailed", "PutObject", 412)
        if "IfMatch" in given and held is None:
            raise client_error("NoSuchKey", "PutObject", 404)
        if "IfMatch" in given and held is not None and given["IfMatch"] != _etag(held):
            raise client_error("PreconditionFailed", "PutObject", 412)
        self._cloud.objects[given["Key"]] = given["Body"]
        return {}

    def _get(self, **given: Any) -> dict[str, Any]:
        if "VersionId" in given:
            body, missing = self._cloud.versions.get((given["Key"], given["VersionId"])), "NoSuchVersion"
        else:
            body, missing = self._cloud.objects.get(given["Key"]), "NoSuchKey"
        if body is None:
            raise client_error(missing, "GetObject", 404)
        return {"Body": _Body(body)}


class FakeStepFunctions(_Client):
    """Step Functions with executions, and with failing starts."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Mapping[str, Any]:  # noqa: A002, N803
        def act() -> dict[str, str]:
            assert stateMachineArn == STATE_MACHINE
            json.loads(input)
            match self._cloud.next_starts.popleft() if self._cloud.next_starts else "":
                case "refused":
                    raise client_error("StateMachineDoesNotExist", "StartExecution")
                case "exists":
                    raise client_error("ExecutionAlreadyExists", "StartExecution")
                case "lost":
                    raise ReadTimeoutError(endpoint_url="states")
                case "lost after":
                    self._cloud.start(name, input)
                    raise ReadTimeoutError(endpoint_url="states")
                case "delayed":
                    self._cloud.delayed_starts.append((name, input))
                    raise ReadTimeoutError(endpoint_url="states")
                case _:
                    self._cloud.start(name, input)
            return {"executionArn": arn(name)}

        return dict(self._call("StartExecution", act))

    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]:  # noqa: N803
        def act() -> dict[str, str]:
            status = self._cloud.executions.get(executionArn.rpartition(":")[2])
            if status is None:
                raise client_error("ExecutionDoesNotExist", "DescribeExecution")
            return {"status": status}

        return dict(self._call("DescribeExecution", act))


def arn(name: str) -> str:
    """Return the ARN of an execution."""
    return f"{STATE_MACHINE.replace(':stateMachine:', ':execution:')}:{name}"
