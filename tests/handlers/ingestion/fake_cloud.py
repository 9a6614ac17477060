"""AWS in memory, as far as ingestion's gateways see it: what crash tests run on.

Conditions hold as DynamoDB's do, its index lags behind until somebody lets it catch up, S3 keeps whole objects, and a
start of an execution may be refused, lost before or after it happened, or happen much later. Every call passes a gate,
where its caller can be stopped or killed.
"""

import io
import json
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.ingestion.table_items import OPEN_INDEX
from tests.handlers.ingestion.dynamodb_expressions import Item, condition, updated

Key = tuple[str, str]
Gate = Callable[[str], None]
STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"
PROJECTED = frozenset({"date_prefix", "file_key", "open_shard", "open_since", "manifest_id", "execution_arn"})
"""The keys of table and index, and what the index is told to copy besides."""


def refusal(code: str, operation: str, status: int = 400, **more: Any) -> ClientError:
    """An error as boto3 raises it."""
    about = {"HTTPStatusCode": status, "RetryAttempts": 0}
    kind = ConditionFailed if code == "ConditionalCheckFailedException" else ClientError
    response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": about, **more}
    return kind(response, operation)


class ConditionFailed(ClientError):
    """The exception that boto3 makes of ConditionalCheckFailedException."""


class Cloud:
    """What all clients share."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.items: dict[Key, Item] = {}
        self.indexed: dict[Key, Item] = {}
        self.behind: deque[tuple[Key, Item]] = deque()
        self.lag = False
        self.objects: dict[str, bytes] = {}
        self.executions: dict[str, str] = {}
        """Name → status."""
        self.inputs: dict[str, str] = {}
        self.travelling: list[tuple[str, str]] = []
        """Starts that were sent and have not arrived."""
        self.next_starts: deque[str] = deque()
        """What becomes of the next starts: `refused`, `lost`, `lost after`, `delayed`; then all is well again."""
        self.next_calls: deque[str] = deque()
        """What becomes of the next calls of other kinds: `lost` or `lost after`, or nothing."""
        self.moves: list[tuple[Key, str, str]] = []
        self.calls: list[str] = []
        self.on_start: Callable[[str], None] = self.calls.append

    def clock(self) -> datetime:
        """The time."""
        return self.now

    def passes(self, seconds: float) -> None:
        """Time goes on."""
        self.now += timedelta(seconds=seconds)

    def catch_up(self, entries: int = 1_000_000) -> None:
        """Lets the index learn of the oldest changes it has not seen."""
        while self.behind and entries:
            key, item = self.behind.popleft()
            entries -= 1
            if "open_shard" in item:
                self.indexed[key] = {name: held for name, held in item.items() if name in PROJECTED}
            else:
                self.indexed.pop(key, None)

    def put(self, key: Key, item: Item) -> None:
        """One write."""
        before = self.items.get(key, {}).get("status", {}).get("S", "")
        after = item.get("status", {}).get("S", "")
        if before != after:
            self.moves.append((key, before, after))
        self.items[key] = item
        self.behind.append((key, item))
        if not self.lag:
            self.catch_up()

    def start(self, name: str, text: str) -> None:
        """An execution begins."""
        if name in self.executions:
            if self.executions[name] == "RUNNING" and self.inputs[name] == text:
                return
            raise refusal("ExecutionAlreadyExists", "StartExecution")
        self.executions[name], self.inputs[name] = "RUNNING", text
        self.on_start(name)

    def deliver(self) -> None:
        """Delayed starts arrive."""
        while self.travelling:
            name, text = self.travelling.pop(0)
            if name not in self.executions:
                self.start(name, text)

    def of_kind(self, prefix: str) -> dict[Key, Item]:
        """Records whose sort key begins so."""
        return {key: item for key, item in self.items.items() if key[1].startswith(prefix)}

    def files(self) -> dict[Key, Item]:
        """Records of files."""
        return self.of_kind("incoming/")

    def manifests(self) -> dict[Key, Item]:
        """Records of manifests."""
        return self.of_kind("MANIFEST#")


def key_of(given: Mapping[str, Mapping[str, str]]) -> Key:
    """A key as the cloud keeps it."""
    return given["date_prefix"]["S"], given["file_key"]["S"]


class Exceptions:
    """What `client.exceptions` has."""

    ConditionalCheckFailedException = ConditionFailed


class _Client:
    def __init__(self, cloud: Cloud, gate: Gate) -> None:
        self._cloud = cloud
        self._gate = gate

    def _call(self, name: str, act: Callable[[], Any]) -> Any:
        self._gate(f"before {name}")
        self._cloud.calls.append(name)
        fate = self._cloud.next_calls.popleft() if self._cloud.next_calls and name != "StartExecution" else ""
        if fate == "lost":
            raise ReadTimeoutError(endpoint_url=name)
        answer = act()
        self._gate(f"after {name}")
        if fate == "lost after":
            raise ReadTimeoutError(endpoint_url=name)
        return answer


class FakeDynamoDB(_Client):
    """One table with the index `open`."""

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
            raise refusal("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
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
            wanted = held and given.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
            found: dict[str, Any] = {"Item": held} if wanted else {}
            raise refusal("ConditionalCheckFailedException", operation, **found)

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
        found = [item for item in self._cloud.indexed.values() if holds(item, {}, given["ExpressionAttributeValues"])]
        found.sort(key=_place)
        if "ExclusiveStartKey" in given:
            found = [item for item in found if _place(item) > _place(given["ExclusiveStartKey"])]
        most = given.get("Limit", len(found))
        answer: dict[str, Any] = {"Items": found[:most]}
        if len(found) > most:
            answer["LastEvaluatedKey"] = found[most - 1]
        return answer


def _place(item: Item) -> tuple[str, Key]:
    return item["open_since"]["S"], key_of(item)


class FakeS3(_Client):
    """Whole objects."""

    def put_object(self, **given: Any) -> Any:
        def act() -> dict[str, Any]:
            self._cloud.objects[given["Key"]] = given["Body"]
            return {}

        return self._call("PutObject", act)

    def get_object(self, **given: Any) -> Any:
        def act() -> dict[str, Any]:
            if given["Key"] not in self._cloud.objects:
                raise refusal("NoSuchKey", "GetObject", 404)
            return {"Body": io.BytesIO(self._cloud.objects[given["Key"]])}

        return self._call("GetObject", act)


class FakeStepFunctions(_Client):
    """Executions, and what can happen to a start."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Mapping[str, Any]:  # noqa: A002, N803
        def act() -> dict[str, str]:
            assert stateMachineArn == STATE_MACHINE
            json.loads(input)
            match self._cloud.next_starts.popleft() if self._cloud.next_starts else "":
                case "refused":
                    raise refusal("StateMachineDoesNotExist", "StartExecution")
                case "lost":
                    raise ReadTimeoutError(endpoint_url="states")
                case "lost after":
                    self._cloud.start(name, input)
                    raise ReadTimeoutError(endpoint_url="states")
                case "delayed":
                    self._cloud.travelling.append((name, input))
                    raise ReadTimeoutError(endpoint_url="states")
                case _:
                    self._cloud.start(name, input)
            return {"executionArn": arn(name)}

        return dict(self._call("StartExecution", act))

    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]:  # noqa: N803
        def act() -> dict[str, str]:
            status = self._cloud.executions.get(executionArn.rpartition(":")[2])
            if status is None:
                raise refusal("ExecutionDoesNotExist", "DescribeExecution")
            return {"status": status}

        return dict(self._call("DescribeExecution", act))


def arn(name: str) -> str:
    """An execution's ARN."""
    return f"{STATE_MACHINE.replace(':stateMachine:', ':execution:')}:{name}"
