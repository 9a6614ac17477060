"""In-memory AWS for tests that kill callers, with the operations that ingestion's functions use.

Conditions work like DynamoDB's. The index can lag behind the table. The start of an execution can be refused, and its
request or response can be lost. Every call passes a gate before and after it, which can raise an error, kill the
caller, or run other actions.

The index `open` of the table contains only pending files and running manifests.
"""

import io
import json
import re
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, partial
from types import CodeType, SimpleNamespace
from typing import Any

from boto3.dynamodb.conditions import ConditionBase, ConditionExpressionBuilder
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.response import StreamingBody

from handlers.ingestion.files import OPEN_INDEX

Key = tuple[str, str]
Item = dict[str, Any]
Gate = Callable[[str], None]
"""Function that is called with `before <operation>` and `after <operation>`."""
WRITABLE = ("data/", "manifests/", "pointers/", "rejected/")
STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"
PROJECTED = frozenset(
    {
        *("date_prefix", "file_key", "open_shard", "open_since", "execution_arn"),
        *("bucket", "object_key", "version_id", "size", "arrived_at"),
    }
)
"""Attributes in the index: the keys of table and index, and the projected attributes."""

EXCEPTIONS = SimpleNamespace(
    **{code: type(code, (ClientError,), {}) for code in ("ConditionalCheckFailedException", "NoSuchKey")}
)
"""Classes of errors, which boto3's clients have as `exceptions`."""


def client_error(code: str, operation: str, status: int = 400, **fields: Any) -> ClientError:
    """Return an error as boto3 raises it, with other fields of the response."""
    metadata = {"HTTPStatusCode": status, "RetryAttempts": 0}
    response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": metadata, **fields}
    error: ClientError = vars(EXCEPTIONS).get(code, ClientError)(response, operation)
    return error


class Cloud:
    """State that all fake clients share. Tests read it, change it, and choose the outcomes of the next calls."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.items: dict[Key, Item] = {}
        """Items of the file table."""
        self.indexed: list[Item] = []
        """Entries of the table's index `open`, as of its last update."""
        self.index_lags = False
        """True if queries do not update the index."""
        self.objects: dict[str, bytes] = {}
        """Content of each object of the lake bucket by key."""
        self.versions: dict[tuple[str, str], bytes] = {}
        """Content of each version of a source file by key and version id."""
        self.executions: dict[str, str] = {}
        """Status of each execution by name."""
        self.next_starts: deque[str] = deque()
        """Outcomes of the next starts: `refused`, `lost`, `response lost`, or empty for success."""
        self.on_start: Callable[[str], None] = lambda _: None
        """Function that is called with the name of each execution that starts."""

    def clock(self) -> datetime:
        """Return the current time."""
        return self.now

    def advance_time(self, seconds: float) -> None:
        """Advance the time."""
        self.now += timedelta(seconds=seconds)

    def update_index(self) -> None:
        """Let the index have all changes of the table."""
        self.indexed = [
            {name: value for name, value in item.items() if name in PROJECTED}
            for item in self.items.values()
            if "open_shard" in item
        ]

    def start(self, name: str) -> None:
        """Start an execution. A start with the name of a running execution changes nothing."""
        if self.executions.setdefault(name, "") == "RUNNING":
            return
        if self.executions[name]:
            raise client_error("ExecutionAlreadyExists", "StartExecution")
        self.executions[name] = "RUNNING"
        self.on_start(name)

    def files(self) -> dict[Key, Item]:
        """Return the records of files."""
        return {key: item for key, item in self.items.items() if key[1].startswith("incoming/")}

    def manifests(self) -> dict[Key, Item]:
        """Return the records of manifests."""
        return {key: item for key, item in self.items.items() if key[1].startswith("MANIFEST#")}


class _Client:
    def __init__(self, cloud: Cloud, gate: Gate) -> None:
        self._cloud = cloud
        self._gate = gate

    def _call(self, operation: str, execute: Callable[[], Any]) -> Any:
        self._gate(f"before {operation}")
        response = execute()
        self._gate(f"after {operation}")
        return response


class FakeTable(_Client):
    """The file table, as the resource `Table` of boto3."""

    meta = SimpleNamespace(client=SimpleNamespace(exceptions=EXCEPTIONS))

    def put_item(self, **request: Any) -> Any:
        return self._call("PutItem", lambda: self._put(request))

    def update_item(self, **request: Any) -> Any:
        return self._call("UpdateItem", lambda: self._update(request))

    def get_item(self, **request: Any) -> Any:
        item = self._call("GetItem", lambda: self._cloud.items.get(_key(request["Key"])))
        return {"Item": item} if item else {}

    def query(self, **request: Any) -> Any:
        return self._call("Query", lambda: self._query(request))

    def _put(self, request: dict[str, Any]) -> None:
        key = _key(request["Item"])
        _check_condition(request, self._cloud.items.get(key, {}), "PutItem")
        self._cloud.items[key] = request["Item"]

    def _update(self, request: dict[str, Any]) -> None:
        key = _key(request["Key"])
        before = self._cloud.items.get(key, {})
        _check_condition(request, before, "UpdateItem")
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        assigned, _, removed = request["UpdateExpression"].removeprefix("SET ").partition(" REMOVE ")
        after = {**request["Key"], **before}
        for assignment in assigned.split(", "):
            name, _, value = assignment.partition(" = ")
            after[names[name]] = values[value]
        for name in removed.split(", "):
            after.pop(names[name], None)
        self._cloud.items[key] = after

    def _query(self, request: dict[str, Any]) -> dict[str, Any]:
        assert request["IndexName"] == OPEN_INDEX
        condition = request["KeyConditionExpression"]
        if not self._cloud.index_lags:
            self._cloud.update_index()
        items = [item for item in self._cloud.indexed if is_true(condition, item)]
        items.sort(key=_index_order)
        if "ExclusiveStartKey" in request:
            items = [item for item in items if _index_order(item) > _index_order(request["ExclusiveStartKey"])]
        limit = request.get("Limit", len(items))
        last_key = {"LastEvaluatedKey": items[limit - 1]} if len(items) > limit else {}
        return {"Items": items[:limit], **last_key}


def is_true(
    condition: ConditionBase | str, item: Item, names: Mapping[str, str] | None = None, values: Item | None = None
) -> bool:
    """Evaluate a condition of DynamoDB for an item, translated to Python."""
    if not isinstance(condition, str):
        built = ConditionExpressionBuilder().build_expression(condition)
        condition, names, values = (
            built.condition_expression,
            built.attribute_name_placeholders,
            built.attribute_value_placeholders,
        )
    return bool(eval(_translate_condition(condition), {"item": item, "names": names, "values": values}))  # noqa: S307 - the tested code wrote it


@cache
def _translate_condition(condition: str) -> CodeType:
    if condition == "attribute_not_exists(file_key)":
        return compile("not item", "condition", "eval")
    code = re.sub(r"attribute_not_exists\((#\w+)\)", r"(\1 is None)", condition)
    code = re.sub(r"IN \(([^)]*)\)", r"in [\1]", code.replace(" = ", " == ").replace("AND", "and").replace("OR", "or"))
    code = re.sub(r"#\w+", lambda name: f"item.get(names['{name[0]}'])", code)
    return compile(re.sub(r":\w+", lambda value: f"values['{value[0]}']", code), "condition", "eval")


def _check_condition(request: dict[str, Any], item: Item, operation: str) -> None:
    names, values = request.get("ExpressionAttributeNames"), request.get("ExpressionAttributeValues")
    if not is_true(request["ConditionExpression"], item, names, values):
        is_returned = item and request.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
        # boto3 does not convert the attributes of an error.
        typed = {name: {"S": value} for name, value in item.items() if isinstance(value, str)}
        fields: dict[str, Any] = {"Item": typed} if is_returned else {}
        raise client_error("ConditionalCheckFailedException", operation, **fields)


def _key(attributes: Mapping[str, Any]) -> Key:
    return attributes["date_prefix"], attributes["file_key"]


def _index_order(item: Item) -> tuple[str, Key]:
    return item["open_since"], _key(item)


class FakeS3(_Client):
    """S3 with the objects of the lake bucket, and with the versions of source files."""

    exceptions = EXCEPTIONS

    def __init__(self, cloud: Cloud, gate: Gate) -> None:
        super().__init__(cloud, gate)
        self.objects = cloud.objects

    def behind(self, gate: Gate) -> "FakeS3":
        """Return a client of the same objects behind another gate."""
        return FakeS3(self._cloud, gate)

    def put_object(self, **request: Any) -> Any:
        assert request["Key"].startswith(WRITABLE), "the roles may write only below these prefixes"
        return self._call("PutObject", lambda: self.objects.__setitem__(request["Key"], request["Body"]))

    def get_object(self, **request: Any) -> Any:
        def execute() -> dict[str, Any]:
            key, version = request["Key"], request.get("VersionId")
            body = self.objects.get(key) if version is None else self._cloud.versions.get((key, version))
            if body is None:
                raise client_error("NoSuchKey" if version is None else "NoSuchVersion", "GetObject", 404)
            return {"Body": StreamingBody(io.BytesIO(body), len(body))}

        return self._call("GetObject", execute)

    def delete_objects(self, **request: Any) -> Any:
        assert len(request["Delete"]["Objects"]) <= 1000, "S3 deletes at most 1,000 objects in one call"
        for entry in request["Delete"]["Objects"]:
            self._call("DeleteObject", partial(self.objects.pop, entry["Key"], None))
        return {}

    def get_paginator(self, _: str) -> "FakeS3":
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [{"Contents": [{"Key": key} for key in self.objects if key.startswith(request["Prefix"])]}]


class FakeStepFunctions(_Client):
    """Step Functions with executions, and with failing starts."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Any:  # noqa: A002, N803
        def execute() -> None:
            assert stateMachineArn == STATE_MACHINE
            assert name.startswith(json.loads(input)["manifestId"])
            outcome = self._cloud.next_starts.popleft() if self._cloud.next_starts else ""
            if outcome == "refused":
                raise client_error("StateMachineDoesNotExist", "StartExecution")
            if outcome in {"", "response lost"}:
                self._cloud.start(name)
            if outcome:
                raise ReadTimeoutError(endpoint_url="states")

        return self._call("StartExecution", execute)

    def describe_execution(self, *, executionArn: str) -> Any:  # noqa: N803
        def execute() -> dict[str, str]:
            status = self._cloud.executions.get(executionArn.rpartition(":")[2])
            if status is None:
                raise client_error("ExecutionDoesNotExist", "DescribeExecution")
            return {"status": status}

        return self._call("DescribeExecution", execute)


def arn(name: str) -> str:
    """Return the ARN of an execution."""
    return f"{STATE_MACHINE.replace(':stateMachine:', ':execution:')}:{name}"
