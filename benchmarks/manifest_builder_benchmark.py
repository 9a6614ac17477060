"""Benchmark of the manifest builder: time, AWS calls and DynamoDB write units per file.

The manifest builder is a Lambda function that tracks arriving files in a table and collects them in manifests (lists of
files for one Glue run). The handler's code runs with real boto3 clients. A fake AWS in memory, from the tests of
ingestion, answers the clients' requests, each after 5 ms, which is DynamoDB's latency within its region. One invocation
runs at a time.
"""

import io
import json
import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from benchmarks.benchmark_report import WrongResult, print_heading, print_table
from handlers.common.aws.client_config import CONFIG, MAX_WORKERS
from handlers.common.aws.parallel_calls import ParallelCalls
from tests.handlers.ingestion.fake_cloud import Cloud, FakeDynamoDB, FakeS3, FakeStepFunctions
from tests.handlers.ingestion.ingestion_harness import IngestionAws, IngestionHarness, open_gate
from tests.handlers.ingestion.s3_messages import body, record

CALL_SECONDS = 0.005
"""Time until a call is answered."""
FILES = 1000
FILES_PER_MANIFEST = 200
BATCH_SIZES = (2, 100)
"""Numbers of messages per invocation: the average of the current load, and a burst."""
WRITE_UNIT_BYTES = 1024
"""Size of an item up to which a write takes one unit."""
METHODS = {
    "PutItem": "put_item",
    "UpdateItem": "update_item",
    "Query": "query",
    "StartExecution": "start_execution",
}
"""Methods of the fake clients by the operation that they answer."""


class MeteredCloud:
    """In-memory cloud for boto3 clients, with counters for calls and write units."""

    def __init__(self) -> None:
        self.cloud = Cloud(datetime.now(UTC))
        self.calls: Counter[str] = Counter()
        self.write_units = 0
        # The gate of a fake client can interrupt its calls in crash tests. An open gate lets every call pass.
        self._fakes: dict[str, Any] = {
            "dynamodb": FakeDynamoDB(self.cloud, open_gate),
            "s3": FakeS3(self.cloud, open_gate),
            "sfn": FakeStepFunctions(self.cloud, open_gate),
        }

    def client(self, service: str) -> Any:
        """Return a real client whose requests this cloud answers."""
        create: Any = boto3.client
        client: Any = create(service, config=CONFIG)
        client.meta.events.register("before-send", self._answer)
        return client

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:]
        self.calls[operation] += 1
        time.sleep(CALL_SECONDS)
        if service == "s3":
            self.cloud.objects[request.url] = b""
            return _response(request, 200)
        parameters = json.loads(request.body)
        before = dict(self.cloud.items.get(_key(parameters), {})) if service == "dynamodb" else {}
        try:
            answer = getattr(self._fakes[service], METHODS[operation])(**parameters)
        except ClientError as error:
            self.write_units += 1  # a write whose condition fails is billed too
            return _response(request, 400, {"__type": error.response["Error"]["Code"]})
        if operation in {"PutItem", "UpdateItem"}:
            self.write_units += _write_units(before, self.cloud.items[_key(parameters)])
        return _response(request, 200, {"startDate": 0, **answer} if service == "sfn" else answer)


def _key(parameters: dict[str, Any]) -> tuple[str, str]:
    key = parameters.get("Key") or parameters.get("Item")
    return (key["date_prefix"]["S"], key["file_key"]["S"]) if key else ("", "")


def _write_units(before: dict[str, Any], after: dict[str, Any]) -> int:
    """Return the billed write units of a change of an item: those of its larger version, and one for each index entry
    that is removed or added.
    """
    old_entry, new_entry = before.get("open_shard"), after.get("open_shard")
    index_units = (old_entry is not None) + (new_entry is not None) if old_entry != new_entry else 0
    return max(_item_units(before), _item_units(after)) + index_units


def _item_units(item: dict[str, Any]) -> int:
    size = sum(len(name) + sum(len(text.encode()) for text in value.values()) for name, value in item.items())
    return math.ceil(size / WRITE_UNIT_BYTES)


class _Body(io.BytesIO):
    """A response body as botocore reads it from a connection."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def _response(request: Any, status: int, content: dict[str, Any] | None = None) -> AWSResponse:
    create: Any = AWSResponse
    text = b"" if content is None else json.dumps(content).encode()
    response: AWSResponse = create(request.url, status, {"Content-Type": "application/x-amz-json-1.0"}, _Body(text))
    return response


def measure(batch_size: int) -> dict[str, float | str]:
    """Track all files batch by batch, and return the figures."""
    metered = MeteredCloud()
    clients = IngestionAws(metered.client("dynamodb"), metered.client("s3"), metered.client("stepfunctions"))
    harness = IngestionHarness(metered.cloud)
    harness.clients = lambda _: clients
    harness.shared["parallel"], harness.files_per_manifest = ParallelCalls(MAX_WORKERS), FILES_PER_MANIFEST
    builder = harness.builder()
    now = datetime.now(UTC).isoformat()
    messages = [
        {"messageId": str(number), "body": body(record(f"incoming/2026/01/03/part-{number:05}.ndjson", eventTime=now))}
        for number in range(FILES)
    ]
    started, busy_before = time.perf_counter(), time.process_time()
    for first in range(0, FILES, batch_size):
        if builder.handle(messages[first : first + batch_size]) != {"batchItemFailures": []}:
            raise WrongResult("a file was not tracked")
    seconds, busy = time.perf_counter() - started, time.process_time() - busy_before
    if len(metered.cloud.executions) != FILES // FILES_PER_MANIFEST:
        raise WrongResult(f"{len(metered.cloud.executions)} executions were started")
    return {
        "files/s": round(FILES / seconds),
        "processor, ms per file": busy / FILES * 1000,
        "calls per file": metered.calls.total() / FILES,
        "write units per file": metered.write_units / FILES,
    }


def main() -> None:
    """Print one row per batch size."""
    print_heading(f"Manifest builder: {FILES} files, {CALL_SECONDS * 1000:.0f} ms per call, {MAX_WORKERS} threads")
    print_table({f"{batch_size} files per invocation": measure(batch_size) for batch_size in BATCH_SIZES})


if __name__ == "__main__":
    main()
