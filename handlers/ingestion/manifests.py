"""Manifests: their records in the file table, their documents in the lake bucket, and the steps of their executions.

A manifest is a list of files for one execution of the workflow. An execution has three parts:

1. It confirms the files: it takes those that are still pending, and writes the list of all files that are its own.
2. It starts a run of the Spark job, which processes the confirmed files, unless there are none.
3. It ends the manifest with the run's result, or with a failure.

A redrive is a new execution that an operator starts for a manifest that failed. It is not the redrive of Step
Functions, which continues the same execution. If an execution ended before part 3, the sweeper (a scheduled function)
or the redrive command ends the manifest. Parts may be repeated, or run at the same time as the function that started the
execution, so each write to the table has a condition. The order of the writes is always the same: the manifest record
becomes `running`, the files change their status, the manifest record gets its final status.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import boto3
from boto3.dynamodb.conditions import Attr, Key

from handlers.common.aws import CONFIG, MAX_WORKERS, ParallelCalls
from handlers.common.ids import ULID_PATTERN, now, parse_ulid_time, timestamp
from handlers.common.json_models import Message
from handlers.common.logging import EventLog, id_for_log, name_for_log
from handlers.ingestion.environment import WorkflowStepsEnvironment
from handlers.ingestion.files import (
    FileResult,
    FileStatus,
    FileTable,
    ListedFile,
    RecordedFile,
    change_item,
    query_open_items,
    to_date,
)
from handlers.ingestion.manifest_s3_keys import confirmed_list_key, first_list_key, result_key

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

RUNNING_SHARD = "running"
"""Partition of the index `open` with the running manifests."""
EXECUTION_NAME = re.compile(rf"(?P<manifest>{ULID_PATTERN})(-r(?P<redrive>[1-9][0-9]*))?")
"""Name of an execution: the manifest id, which is its whole input. The name of the nth redrive also ends in `-r<n>`."""
ERROR_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.]{0,79}")
"""Form of a failure's cause that may be stored and logged. A text of another form may quote customer data."""
UNNAMED_CAUSE = "UNNAMED_CAUSE"
"""Cause that is stored if the given cause does not have the form `ERROR_NAME`."""


class ListMissing(LookupError):
    """The manifest's first list of files was deleted after the execution had started."""


class ResultMissing(LookupError):
    """A manifest cannot be finished. Its list of confirmed files is missing, or a result for one of them."""


class ManifestStatus(StrEnum):
    """Status of a manifest in its record."""

    RUNNING = "running"
    """The manifest has an execution whose end is not recorded yet."""
    PROCESSED = "processed"
    """Its execution has ended, and each of its files has a result."""
    FAILED = "failed"
    """Its execution has failed. An operator can redrive the manifest: start a new execution."""


class Manifest(Message):
    """List of files. The first list has those for which the manifest was created, the confirmed list its own files."""

    schema_version: Literal[1] = 1
    manifest_id: str
    created_at: datetime
    files: tuple[ListedFile, ...]


class RunResult(Message):
    """Result of a run, which replaces that of an earlier run of the manifest."""

    schema_version: Literal[1] = 1
    files: tuple[FileResult, ...]


Document = TypeVar("Document", Manifest, RunResult)
OwnFiles = dict[RecordedFile, FileStatus]
"""Status of each file of a list that belongs to the manifest, also if it could not be changed."""
FileChange = Callable[[ListedFile], FileStatus | None]
"""Function that changes a file. It returns the status afterwards, or None if the file is not the manifest's own."""


class ManifestExecution(NamedTuple):
    """Execution of the workflow for one manifest."""

    arn: str
    manifest_id: str
    redrive: int
    """0 for the first execution, n for the nth redrive."""

    @staticmethod
    def from_arn(arn: str) -> "ManifestExecution":
        """Return the execution of an ARN. Raise ValueError if its name is not that of a manifest's execution."""
        match = EXECUTION_NAME.fullmatch(arn.rpartition(":")[2])
        if match is None:
            raise ValueError("the ARN is not that of an execution for a manifest")
        return ManifestExecution(arn, match["manifest"], int(match["redrive"] or 0))


class ManifestRecord(NamedTuple):
    """Attributes of a manifest's record that the program reads."""

    status: ManifestStatus
    execution: ManifestExecution
    """The latest execution that has begun."""


@dataclass(frozen=True)
class ManifestDocuments:
    """JSON documents of manifests in the lake bucket. The Spark job reads the lists, and writes the result."""

    client: "S3Client"
    bucket: str

    def write(self, key: str, manifest: Manifest) -> None:
        body = manifest.model_dump_json(by_alias=True).encode()
        self.client.put_object(Bucket=self.bucket, Key=key, Body=body, ContentType="application/json")

    def read(self, key: str, model: type[Document]) -> Document | None:
        """Return a document, or None if it does not exist."""
        try:
            body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.NoSuchKey:  # without the permission `s3:ListBucket`, it would be AccessDenied
            return None
        return model.model_validate_json(body)


@dataclass(frozen=True)
class Manifests:
    """Gateway for the manifests' records, and the operations of the three parts of an execution."""

    files: FileTable
    documents: ManifestDocuments
    parallel: ParallelCalls
    log: EventLog

    def begin(self, execution: ManifestExecution, file_count: int) -> bool:
        """Record that this execution processes the manifest.

        Return False if this execution has already ended, or if a redrive has replaced it. The function that starts the
        execution, `confirm_files` and `fail` call this method. The first call creates the record.
        """
        is_own = Attr("status").eq(ManifestStatus.RUNNING) & Attr("execution_arn").eq(execution.arn)
        is_redrive = Attr("status").eq(ManifestStatus.FAILED) & Attr("redrives").lt(execution.redrive)
        refusal = change_item(
            self.files.table,
            _record_key(execution.manifest_id),
            Attr("status").not_exists() | is_own | is_redrive,
            {
                "status": ManifestStatus.RUNNING,
                "manifest_id": execution.manifest_id,
                "execution_arn": execution.arn,
                "redrives": execution.redrive,
                "file_count": file_count,
                "open_shard": RUNNING_SHARD,
                "open_since": timestamp(self.files.clock()),
                "ttl": self.files.compute_ttl(),
                "schemaVersion": 1,
            },
            remove=("cause", "ended_at"),
        )
        return refusal is None

    def get(self, manifest_id: str) -> ManifestRecord | None:
        """Return the record of a manifest, or None if it has none."""
        answer = self.files.table.get_item(Key=_record_key(manifest_id), ConsistentRead=True)
        item: Mapping[str, Any] = answer.get("Item", {})
        if not item:
            return None
        return ManifestRecord(ManifestStatus(item["status"]), ManifestExecution.from_arn(item["execution_arn"]))

    def list_running(self, before: datetime) -> Iterator[ManifestExecution]:
        """Yield the executions of the manifests that are running and were last begun before a moment, oldest first."""
        condition = Key("open_shard").eq(RUNNING_SHARD) & Key("open_since").lt(timestamp(before))
        for item in query_open_items(self.files.table, condition):
            yield ManifestExecution.from_arn(item["execution_arn"])

    def take_files(self, manifest_id: str, files: Sequence[ListedFile], *, from_failed: bool) -> OwnFiles:
        """Mark the pending files as `manifested` by this manifest, with `from_failed` also those that failed in it."""
        take = partial(self.files.take, manifest_id=manifest_id, from_failed=from_failed)
        return self._change_if_first_is_own(files, take)

    def confirm_files(self, execution: ManifestExecution) -> dict[str, int | str]:
        """Take the files that are still pending, and write the list of the manifest's own files for the run.

        Return the number of files, and the URI of their list. The number is 0, so that no run starts, in these cases:

        - No file is left to process.
        - This execution has already ended, or a redrive has replaced it.
        - An earlier run has reported a result for each confirmed file. The output of that run is already published, so
          this redrive only stores these results.
        """
        manifest_id = execution.manifest_id
        manifest = self.documents.read(first_list_key(manifest_id), Manifest)
        if manifest is None:
            raise ListMissing(manifest_id)
        uri = f"s3://{self.documents.bucket}/{confirmed_list_key(manifest_id)}"
        no_files: dict[str, int | str] = {"files": 0, "manifestUri": uri}
        if not self.begin(execution, len(manifest.files)):
            return no_files
        statuses = self.take_files(manifest_id, manifest.files, from_failed=True)
        unprocessed_count = sum(status is FileStatus.MANIFESTED for status in statuses.values())
        if not unprocessed_count:
            self._end(execution, ManifestStatus.PROCESSED)
            return no_files
        # The run of a redrive replaces the output of the previous run, so it also repeats the files that have a result.
        confirmed = tuple(file for file in manifest.files if file in statuses)
        self.documents.write(confirmed_list_key(manifest_id), manifest.model_copy(update={"files": confirmed}))
        if self._read_results(manifest_id, confirmed):
            # The earlier run succeeded, and only the recording of its result failed. A new run could lose rows, because
            # some object versions may be deleted by now.
            self.finish(execution)
            return no_files
        self.log.info("manifest_confirmed", manifest_id=id_for_log(manifest_id), files=unprocessed_count)
        return {**no_files, "files": len(confirmed)}

    def finish(self, execution: ManifestExecution) -> None:
        """Store the run's result in the record of each file, and end the manifest.

        Change nothing if this execution has already ended or a redrive has replaced it. Raise ResultMissing if there
        is no list of confirmed files, or no result for each of them.
        """
        manifest_id = execution.manifest_id
        if self.get(manifest_id) != ManifestRecord(ManifestStatus.RUNNING, execution):
            return
        confirmed = self.documents.read(confirmed_list_key(manifest_id), Manifest)
        results = self._read_results(manifest_id, confirmed.files) if confirmed else None
        if confirmed is None or results is None:
            raise ResultMissing(manifest_id)
        self._change_files(confirmed.files, lambda file: self.files.record_result(results[file.file_key], manifest_id))
        self._end(execution, ManifestStatus.PROCESSED)

    def fail(self, execution: ManifestExecution, cause: str) -> None:
        """Mark the manifest and those of its files that have no result yet as failed. An operator can then redrive it.

        Nothing changes if this execution has ended, or a redrive has replaced it. An execution that failed before it
        confirmed its files may have no record yet, so it begins here.
        """
        manifest_id = execution.manifest_id
        manifest = self.documents.read(first_list_key(manifest_id), Manifest)
        files = manifest.files if manifest else ()
        if not self.begin(execution, len(files)):
            return
        error_name = cause if ERROR_NAME.fullmatch(cause) else UNNAMED_CAUSE
        self._change_if_first_is_own(files, lambda file: self.files.fail(file, manifest_id, error_name))
        self._end(execution, ManifestStatus.FAILED, error_name)

    def close_ended_execution(self, execution: ManifestExecution, status: str | None) -> None:
        """End a manifest whose execution ended before part 3: call `finish` if the run has a result, else `fail`.

        `status` is Step Functions' status of the execution, or None if the execution does not exist.
        """
        try:
            self.finish(execution)
        except ResultMissing:
            self.fail(execution, f"EXECUTION_{status or 'GONE'}")

    def _change_files(self, files: Sequence[ListedFile], change: FileChange) -> OwnFiles:
        statuses = self.parallel.call_all(change, files)
        return {file: status for file, status in zip(files, statuses, strict=True) if status}

    def _change_if_first_is_own(self, files: Sequence[ListedFile], change: FileChange) -> OwnFiles:
        """Change the files, but leave the others alone if the first belongs to another manifest.

        So of several manifests that list the same pending files, only one gets them, and none gets just a part.
        """
        first = self._change_files(files[:1], change)
        return first and first | self._change_files(files[1:], change)

    def _read_results(self, manifest_id: str, files: Sequence[ListedFile]) -> dict[str, FileResult] | None:
        """Return the results of the last finished run by file key, or None if one of the files has no result."""
        result = self.documents.read(result_key(manifest_id), RunResult)
        results = {entry.file_key: entry for entry in result.files} if result else {}
        return results if all(file.file_key in results for file in files) else None

    def _end(self, execution: ManifestExecution, status: ManifestStatus, cause: str = "") -> None:
        """Record how the execution ended. The attributes besides `status` are for operators: no code reads them."""
        manifest_id = execution.manifest_id
        change_item(
            self.files.table,
            _record_key(manifest_id),
            Attr("status").eq(ManifestStatus.RUNNING) & Attr("execution_arn").eq(execution.arn),
            {"status": status, "ended_at": timestamp(self.files.clock()), "cause": cause},
            remove=("open_shard", "open_since"),
        )
        log_id = id_for_log(manifest_id)
        if status is ManifestStatus.FAILED:
            self.log.error("manifest_failed", manifest_id=log_id, cause=name_for_log(cause))
        else:
            self.log.info("manifest_processed", manifest_id=log_id)


def connect_manifests(environment: WorkflowStepsEnvironment) -> Manifests:
    """Return the manifests of the stack to which the variables belong."""
    table = boto3.resource("dynamodb", config=CONFIG).Table(environment.manifest_table_name)
    return Manifests(
        FileTable(table, environment.record_days, now),
        ManifestDocuments(boto3.client("s3", config=CONFIG), environment.lake_bucket),
        ParallelCalls(MAX_WORKERS),
        EventLog(environment.log_level),
    )


def _record_key(manifest_id: str) -> dict[str, str]:
    """Return the primary key of a manifest's record. Its date is part of the manifest id, which is a ULID."""
    return {
        "date_prefix": to_date(parse_ulid_time(manifest_id)),
        "file_key": f"MANIFEST#{manifest_id}",
    }
