"""What the manifest builder costs in time, calls and write units.

The handler's own code and boto3's real clients (signing, serialising, parsing) against a cloud in memory that answers
each call after a fixed 5 ms, as DynamoDB does from within its region. One worker is one Lambda invocation at a time.
"""

import io
import json
import math
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from handlers.common import clock
from handlers.common.clients import CONFIG, WORKERS
from handlers.common.logging import EventLog
from handlers.common.parallel import Parallel
from handlers.common.ulid import ulid
from handlers.ingestion.building import ManifestMaker
from handlers.ingestion.environment import SUFFIXES
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.files import Admission
from handlers.ingestion.lists import Lists
from handlers.ingestion.manifest_builder import Builder
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.workflow import Workflow
from tests.handlers.ingestion.actors import open_gate
from tests.handlers.ingestion.cloud import STATE_MACHINE, Cloud, FakeDynamoDB, FakeS3, FakeStepFunctions
from tests.handlers.ingestion.test_files import body, record

CALL_SECONDS = 0.005
FILES = 1000
BATCHES = (2, 100)
"""Messages an invocation gets: on average at today's load, and in a burst."""
WRITE_UNIT_BYTES = 1024


class Stub:
    """Answers boto3's requests from the cloud in memory, and counts what they cost."""

    def __init__(self) -> None:
        self.cloud = Cloud(datetime.now(UTC))
        self.calls: Counter[str] = Counter()
        self.table_units = self.index_units = 0
        self._clients: dict[str, Any] = {
            "dynamodb": FakeDynamoDB(self.cloud, open_gate),
            "s3": FakeS3(self.cloud, open_gate),
            "sfn": FakeStepFunctions(self.cloud, open_gate),
        }

    def client(self, service: str) -> Any:
        """A real client, whose requests end here."""
        make: Any = boto3.client
        made: Any = make(service, config=CONFIG)
        made.meta.events.register("before-send", self._answer)
        return made

    def _answer(self, request: Any, event_name: str, **_: Any) -> AWSResponse:
        service, operation = event_name.split(".")[1:]
        self.calls[f"{service} {operation}"] += 1
        time.sleep(CALL_SECONDS)
        if service == "s3":
            self.cloud.objects[request.url] = b""
            return _response(request, 200)
        given = json.loads(request.body)
        before = dict(self.cloud.items.get(_key(given), {})) if service == "dynamodb" and "TableName" in given else {}
        try:
            method = {"PutItem": "put_item", "UpdateItem": "update_item", "Query": "query"}.get(operation)
            found = getattr(self._clients[service], method or "start_execution")(**given)
        except ClientError as error:
            self.table_units += 1
            return _response(request, 400, {"__type": error.response["Error"]["Code"]})
        if operation in {"PutItem", "UpdateItem"}:
            self._count(before, self.cloud.items[_key(given)])
        return _response(request, 200, {"startDate": 0, **found} if service == "sfn" else found)

    def _count(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Write units as DynamoDB bills them: an entry that moves within an index is deleted and put."""
        self.table_units += max(_units(before), _units(after))
        was, now = before.get("open_shard"), after.get("open_shard")
        self.index_units += (was is not None) + (now is not None) if was != now else 0


def _key(given: dict[str, Any]) -> tuple[str, str]:
    key = given.get("Key") or given.get("Item")
    return (key["date_prefix"]["S"], key["file_key"]["S"]) if key else ("", "")


def _units(item: dict[str, Any]) -> int:
    size = sum(len(name) + sum(len(text.encode()) for text in held.values()) for name, held in item.items())
    return math.ceil(size / WRITE_UNIT_BYTES)


class Raw(io.BytesIO):
    """A body as botocore reads it from a connection."""

    def stream(self) -> Iterator[bytes]:
        """All of it."""
        yield self.read()


def _response(request: Any, status: int, content: dict[str, Any] | None = None) -> AWSResponse:
    answer: Any = AWSResponse
    text = b"" if content is None else json.dumps(content).encode()
    made: AWSResponse = answer(request.url, status, {"Content-Type": "application/x-amz-json-1.0"}, Raw(text))
    return made


def measured(batch: int, workers: int) -> dict[str, float]:
    """One worker taking in all files, batch after batch."""
    stub, log, parallel = Stub(), EventLog("CRITICAL"), Parallel(workers)
    dynamodb = stub.client("dynamodb")
    where = (dynamodb, "files", 400, clock.now)
    numbers = iter(range(1_000_000))
    table = FileTable(*where)
    maker = ManifestMaker(
        table,
        ManifestRecords(*where),
        Lists(stub.client("s3"), "lake"),
        Workflow(stub.client("stepfunctions"), STATE_MACHINE),
        parallel=parallel,
        log=log,
        clock=clock.now,
        new_id=lambda: ulid(clock.now(), next(numbers)),
        files_per_manifest=200,
        manifest_bytes=10 * 1024**3,
    )
    builder = Builder(table, Admission.of(SUFFIXES, 5 * 1024**3), maker, parallel=parallel, log=log, clock=clock.now)
    now = datetime.now(UTC).isoformat()
    messages = [
        {"messageId": str(number), "body": body(record(f"incoming/2026/01/03/part-{number:05}.ndjson", eventTime=now))}
        for number in range(FILES)
    ]
    start, processor = time.perf_counter(), time.process_time()
    for first in range(0, FILES, batch):
        assert builder.handle(messages[first : first + batch]) == {"batchItemFailures": []}
    seconds, busy = time.perf_counter() - start, time.process_time() - processor
    assert len(stub.cloud.executions) == FILES // 200
    queries = stub.calls["dynamodb Query"]
    return {
        "files/s": FILES / seconds,
        "CPU ms/file": busy / FILES * 1000,
        "calls/file": sum(stub.calls.values()) / FILES,
        "of them writes": (sum(stub.calls.values()) - queries) / FILES,
        "of them looks": queries / FILES,
        "write units/file": (stub.table_units + stub.index_units) / FILES,
        "of them index": stub.index_units / FILES,
    }


def main() -> None:
    """Prints one table."""
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{FILES} files, manifests of 200, {CALL_SECONDS * 1000:.0f} ms a call, one invocation at a time\n")
    runs = {(batch, workers): measured(batch, workers) for batch in BATCHES for workers in (1, WORKERS)}
    print(f"{'':18}" + "".join(f"{batch} a batch, {workers} threads".rjust(26) for batch, workers in runs))
    for name in next(iter(runs.values())):
        print(f"{name:18}" + "".join(f"{run[name]:26.2f}" for run in runs.values()))


if __name__ == "__main__":
    main()
